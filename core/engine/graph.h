/* graph.h: who takes what from whom, and which event types are therefore decoded: derived once, before the threads. */
#ifndef EVPIPE_GRAPH_H
#define EVPIPE_GRAPH_H

#include "engine/node.h"

struct engine;

/* Consumers, demands and groups of all nodes, from the pipeline's edges and what the instances said in create.
   False: no memory (reported). */
bool graph_connect(struct engine *);

/* Is there a way from this node to that one? */
bool graph_reaches(const struct engine *, const struct node *from, const struct node *to);

#endif
