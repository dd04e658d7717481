/* made.h: for tests of the engine as a whole: a log made by hand, a source that reads it, and pipelines without a YAML. */
#ifndef EVPIPE_TEST_ENGINE_MADE_H
#define EVPIPE_TEST_ENGINE_MADE_H

#include "config/pipeline.h"

enum { SIZES = 500, SECONDS = 1700000000 };

struct made_log {
  uint8_t data[65536];
  size_t size;
};

/* 500 heap sizes at 1000 ns steps, in one block; then a block with the wall clock; then the end. */
void made_log(struct made_log *);

extern const struct evp_plugin made_source; /* reads `input`, once; its instance and callbacks: */
struct made_source {
  struct evp_ctx *ctx;
  size_t at;
  bool over;
};
enum evp_status made_connect(void *self, int *fd);
enum evp_status made_read(void *self, uint8_t *buffer, size_t *size);

extern struct made_log input;
extern size_t input_cut; /* bytes per read */
extern bool input_live;

struct pipeline_node made_node(enum evp_kind, const char *name, const struct evp_plugin *);
void made_edge(struct pipeline_node *nodes, uint32_t consumer, struct pipeline_edge *); /* of one that has one only */
int made_run(struct pipeline_node *nodes, uint32_t n); /* the exit status */

#endif
