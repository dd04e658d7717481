/* harness.h: an engine without threads, with one sink node, for unit tests of the engine's parts. */
#ifndef EVPIPE_TEST_ENGINE_HARNESS_H
#define EVPIPE_TEST_ENGINE_HARNESS_H

#include "engine/block.h"
#include "engine/engine_state.h"

struct harness {
  struct engine engine;
  struct pipeline_node config;
  struct evp_plugin plugin;
  struct node node;
  struct evp_map labels;
};

void harness_init(struct harness *);
void harness_free(struct harness *);
/* A stream of its own; the caller lets go of it. */
struct evp_stream *harness_stream(struct harness *, bool can_wait);
/* A block with one view of n metrics of one series, each with its index as value; the caller lets go of the block. */
struct view *harness_metrics(struct harness *, const struct evp_stream *, uint32_t n, uint32_t flags, size_t charge);
/* The same of n bytes of which index `sync` is one where a reader may begin. */
struct view *harness_bytes(struct harness *, const struct evp_stream *, uint32_t n, uint32_t sync);

#endif
