#include "engine/graph.h"
#include "engine/engine_state.h"
#include <stdlib.h>
#include <string.h>

static bool add_node(struct node ***nodes, unsigned *n, struct node *node)
{
  struct node **larger = realloc(*nodes, (*n + 1) * sizeof *larger);
  if (!larger) return false;
  *nodes = larger;
  larger[(*n)++] = node;
  return true;
}

static void unite(struct event_set *set, const struct event_set *with)
{
  for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++) set->bits[i] |= with->bits[i];
}

static bool contains(const struct event_set *set, const struct event_set *other)
{
  for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++)
    if (other->bits[i] & ~set->bits[i]) return false;
  return true;
}

static void intersect(struct event_set *set, const struct event_set *with)
{
  for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++) set->bits[i] &= with->bits[i];
}

static bool passes_events_on(const struct node *node)
{
  return node->config->kind == EVP_FILTER && node->config->output & EVP_EVENTS;
}

/* What a consumer of events is to be given. Those behind it have been dealt with: nodes are visited from the end. */
static void settle_demand(struct node *node)
{
  if (!(node->config->input & EVP_EVENTS)) return;
  bool everything = node->wants_everything || (!node->named_events && !passes_events_on(node));
  if (node->limits_events) intersect(&node->demand, &node->passing);
  if (everything) memset(&node->demand, 0xff, sizeof node->demand);
  unite(&node->demand, &node->named);
  node->demands_events = true;
}

static struct event_group *group_for(struct node *producer, const struct event_set *wanted)
{
  for (unsigned i = 0; i < producer->n_groups; i++)
    if (!memcmp(&producer->groups[i].wanted, wanted, sizeof *wanted)) return &producer->groups[i];
  struct event_group *groups = realloc(producer->groups, (producer->n_groups + 1) * sizeof *groups);
  if (!groups) return NULL;
  producer->groups = groups;
  groups[producer->n_groups] = (struct event_group){.wanted = *wanted};
  return &groups[producer->n_groups++];
}

static bool connect_edge(struct node *producer, struct node *consumer, uint32_t signals)
{
  bool ok = true;
  if (signals & EVP_BYTES) ok &= add_node(&producer->bytes.nodes, &producer->bytes.n, consumer);
  if (signals & EVP_METRICS) ok &= add_node(&producer->metrics.nodes, &producer->metrics.n, consumer);
  if (signals & EVP_LOGS) ok &= add_node(&producer->logs.nodes, &producer->logs.n, consumer);
  if (!(signals & EVP_EVENTS)) return ok;
  struct event_group *group = group_for(producer, &consumer->demand);
  if (!group || !add_node(&group->consumers, &group->n_consumers, consumer)) return false;
  unite(&producer->demand, &consumer->demand);
  producer->demands_events = true;
  return ok;
}

bool graph_connect(struct engine *engine)
{
  for (unsigned i = engine->n_nodes; i-- > 0;) {
    struct node *node = &engine->nodes[i];
    settle_demand(node);
    for (unsigned k = 0; k < node->n_groups; k++)
      node->groups[k].everything = contains(&node->groups[k].wanted, &node->demand);
    for (uint32_t k = 0; k < node->config->n_edges; k++) {
      const struct pipeline_edge *edge = &node->config->edges[k];
      if (connect_edge(&engine->nodes[edge->from], node, edge->signals)) continue;
      log_line(LOG_LEVEL_ERROR, NULL, NULL, "no memory for the graph");
      return false;
    }
  }
  return true;
}

/* One pass is enough: each node comes after all that it takes from. */
void graph_mark_reached(const struct engine *engine, const struct node *from, bool *reached)
{
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    const struct pipeline_node *config = engine->nodes[i].config;
    reached[i] = &engine->nodes[i] == from;
    for (uint32_t k = 0; k < config->n_edges; k++) reached[i] = reached[i] || reached[config->edges[k].from];
  }
}
