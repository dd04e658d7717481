/* What the engine tells of itself: to plugins, and on the control socket. */
#include "engine/engine_state.h"
#include "engine/sink.h"
#include "plugin/build_paths.h"
#include <string.h>

bool node_emits(const struct node *node)
{
  return node->config->kind == EVP_SOURCE && node->plugin && node->plugin->emit;
}

bool node_reads(const struct node *node)
{
  return node->config->kind == EVP_SOURCE && !node_emits(node);
}

void node_read(struct node *node, struct evp_node_statistics *read)
{
  *read = (struct evp_node_statistics){.size = read->size,
    .name = node->config->name,
    .kind = node->config->kind,
    .inputs = node->config->input,
    .outputs = node->config->output};
  if (node_reads(node)) read->inputs = EVP_BYTES;
  read->finished = node_reads(node) && atomic_load(&node->source_done) && !atomic_load(&node->failed);
  statistics_read(&node->statistics, read);
  if (node->sink) sink_read(node->sink, read);
}

/* A plugin of another time knows less of it, or more than we do: that is 0. */
bool evp_statistics(struct evp_ctx *ctx, size_t index, struct evp_node_statistics *statistics)
{
  struct engine *engine = ctx->node->engine;
  struct evp_node_statistics all = {.size = statistics->size};
  if (index >= engine->n_nodes) return false;
  node_read(&engine->nodes[index], &all);
  memset(statistics, 0, all.size);
  memcpy(statistics, &all, all.size < sizeof all ? all.size : sizeof all);
  return true;
}

const char *evp_version(void)
{
  return VERSION;
}
