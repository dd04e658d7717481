/* edges.h: who takes from whom: names to nodes, signals of each edge, order, and what is wrong with the graph. */
#ifndef EVPIPE_CONFIG_EDGES_H
#define EVPIPE_CONFIG_EDGES_H

#include "config/pipeline.h"
#include "config/tree.h"

/* What a node says of its edges. */
struct edge_request {
  struct pipeline_node *node;
  struct evp_strings from, signals;
};

/* Fills in the nodes' edges, inputs and outputs and puts the nodes in order. requests[i] is of nodes[i]. A node of which
   an edge is wrong is not `sound`. `whole` is where the pipeline begins. */
void edges_resolve(struct pipeline *, const struct edge_request *requests, struct config_memory *,
  struct plugin_finder *, struct diagnostics *, struct place whole);

#endif
