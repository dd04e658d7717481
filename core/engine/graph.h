/* graph.h: who takes what from whom, and which event types are therefore decoded: derived once, before the threads. */
#ifndef EVPIPE_GRAPH_H
#define EVPIPE_GRAPH_H

#include "engine/node.h"

struct engine;

/* Consumers, demands and groups of all nodes, from the pipeline's edges and what the instances said in create.
   False: no memory (reported). */
bool graph_connect(struct engine *);

/* Sets reached[i] for every node to which there is a way from this one, itself included. The array has room for all. */
void graph_mark_reached(const struct engine *, const struct node *from, bool *reached);

#endif
