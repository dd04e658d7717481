#include "config/edges.h"
#include "config/options.h"
#include "plugin/loader.h"
#include <string.h>

/* Those that travel so far: the first ones. */
enum { KNOWN_SIGNALS = EVP_BYTES | EVP_EVENTS | EVP_METRICS | EVP_LOGS, N_KNOWN_SIGNALS = 4 };

struct resolving {
  struct pipeline *pipeline;
  const struct edge_request *requests;
  struct config_memory *memory;
  struct plugin_finder *finder;
  struct diagnostics *diagnostics;
};

/* "metrics and logs" */
static const char *signal_list(struct config_memory *memory, uint32_t signals)
{
  const char *list = "";
  for (uint32_t bit = 1; bit <= EVP_LOGS; bit <<= 1) {
    if (!(signals & bit)) continue;
    signals &= ~bit;
    list = config_format(memory, "%s%s%s", list, !*list ? "" : signals ? ", " : " and ", evp_signal_name(bit));
  }
  return *list ? list : "nothing";
}

static void fail(struct resolving *resolving, struct place place, const char *text)
{
  diagnostics_error(resolving->diagnostics, place, "%s", text);
}

static const char *who(struct resolving *resolving, const struct pipeline_node *node)
{
  return config_format(resolving->memory, "%s '%s'", evp_kind_name(node->kind), node->name);
}

/* Where item i of a list option is written. */
static struct place item_place(const struct pipeline_node *node, const char *key, size_t i)
{
  const struct config_pair *pair = tree_find(node->yaml, key);
  if (!pair) return node->yaml_name->place;
  if (pair->value.kind == CONFIG_SEQUENCE && i < pair->value.n) return pair->value.items[i].place;
  return pair->value.place;
}

/* ------------------------------------------------------------------------------------------------------- signals */

static uint32_t wanted_signals(struct resolving *resolving, const struct edge_request *request)
{
  const char *names[N_KNOWN_SIGNALS + 1] = {NULL};
  for (unsigned k = 0; k < N_KNOWN_SIGNALS; k++) names[k] = evp_signal_name(1u << k);
  uint32_t signals = 0;
  for (size_t i = 0; i < request->signals.n; i++) {
    const char *word = request->signals.items[i];
    uint32_t bit = 0;
    for (unsigned k = 0; names[k]; k++)
      if (!strcmp(word, names[k])) bit = 1u << k;
    if (!bit) {
      const char *near = nearest_word(word, names);
      fail(resolving, item_place(request->node, "signals", i),
        config_format(resolving->memory, "%s: '%s' is no signal; there are bytes, events, metrics and logs%s%s%s",
          who(resolving, request->node), word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ""));
    } else if (request->node->plugin && !(request->node->plugin->accepts & bit)) {
      fail(resolving, item_place(request->node, "signals", i),
        config_format(resolving->memory, "%s: %s takes no %s, only %s", who(resolving, request->node),
          request->node->plugin->name, word, signal_list(resolving->memory, request->node->plugin->accepts)));
    }
    signals |= bit;
  }
  return signals;
}

/* From a source of bytes: the bytes, if the consumer takes them, else events; `signals` overrides. */
static uint32_t edge_signals(const struct pipeline_node *from, const struct evp_plugin *to, uint32_t wanted)
{
  uint32_t common = from->plugin->emits & to->accepts & KNOWN_SIGNALS;
  if (wanted) return common & wanted;
  if (common & EVP_BYTES) return EVP_BYTES;
  return common;
}

/* A filter that could stand between, for the hint. */
struct bridge {
  struct plugin_finder *finder;
  uint32_t from, to;
  const char *names[4];
  unsigned n;
};

static void look_for_bridge(void *context, const char *path, const char *file)
{
  struct bridge *bridge = context;
  const char *error;
  if (strncmp(file, "filter-", 7) || bridge->n == 4) return;
  const struct evp_plugin *plugin = plugin_load(bridge->finder, path, &error);
  if (!plugin || !(plugin->accepts & bridge->from) || !(plugin->emits & bridge->to) || plugin->emits & bridge->from)
    return;
  bridge->names[bridge->n++] = plugin->name;
}

/* `takes`: what the consumer accepts, less what its `signals` leave out. */
static void no_common_signal(struct resolving *resolving, const struct pipeline_node *from,
  const struct pipeline_node *to, uint32_t takes, struct place place)
{
  struct bridge bridge = {.finder = resolving->finder, .from = from->plugin->emits, .to = takes};
  plugin_visit_all(resolving->finder, look_for_bridge, &bridge);
  const char *hint = "";
  for (unsigned i = 0; i < bridge.n; i++)
    hint = config_format(resolving->memory, "%s%s%s", hint,
      !i                 ? ""
      : i + 1 < bridge.n ? ", "
                         : " or ",
      bridge.names[i]);
  fail(resolving, place,
    config_format(resolving->memory, "%s takes %s, and '%s' gives %s%s%s", who(resolving, to),
      signal_list(resolving->memory, takes), from->name, signal_list(resolving->memory, from->plugin->emits),
      *hint ? "; put a filter between: " : "", hint));
}

/* --------------------------------------------------------------------------------------------------------- edges */

static const struct pipeline_node *find_node(const struct pipeline *pipeline, const char *name)
{
  for (uint32_t i = 0; i < pipeline->n_nodes; i++)
    if (!strcmp(pipeline->nodes[i].name, name)) return &pipeline->nodes[i];
  return NULL;
}

static void unknown_name(
  struct resolving *resolving, const struct pipeline_node *node, const char *name, struct place place)
{
  const char **words = config_alloc(resolving->memory, (resolving->pipeline->n_nodes + 1) * sizeof *words);
  uint32_t n = 0;
  for (uint32_t i = 0; i < resolving->pipeline->n_nodes; i++)
    if (resolving->pipeline->nodes[i].kind != EVP_SINK) words[n++] = resolving->pipeline->nodes[i].name;
  const char *near = nearest_word(name, words);
  if (strchr(name, ','))
    fail(resolving, place,
      config_format(resolving->memory, "%s: 'from' names several nodes: write [%s]", who(resolving, node), name));
  else
    fail(resolving, place,
      config_format(resolving->memory, "%s: there is no node '%s'%s%s%s", who(resolving, node), name,
        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ""));
}

static bool resolve_edge(struct resolving *resolving, const struct edge_request *request, size_t i, uint32_t wanted,
  struct pipeline_edge *edge)
{
  struct pipeline_node *node = request->node;
  struct place place = item_place(node, "from", i);
  const char *name = request->from.items[i];
  if (name == option_broken_item) return false;
  const struct pipeline_node *from = find_node(resolving->pipeline, name);
  if (!from) {
    unknown_name(resolving, node, name, place);
    return false;
  }
  if (from->kind == EVP_SINK) {
    fail(resolving, place,
      config_format(resolving->memory, "%s: '%s' is a sink: nothing comes out of it", who(resolving, node), name));
    return false;
  }
  for (size_t k = 0; k < i; k++)
    if (!strcmp(request->from.items[k], name)) {
      fail(
        resolving, place, config_format(resolving->memory, "%s: 'from' names '%s' twice", who(resolving, node), name));
      return false;
    }
  edge->from = (uint32_t)(from - resolving->pipeline->nodes);
  if (!from->plugin || !node->plugin) return false; /* that they did not load is the error */
  edge->signals = edge_signals(from, node->plugin, wanted);
  if (edge->signals) return true;
  uint32_t takes = wanted & node->plugin->accepts;
  no_common_signal(resolving, from, node, takes ? takes : node->plugin->accepts, place);
  return false;
}

static void resolve_node(struct resolving *resolving, const struct edge_request *request)
{
  struct pipeline_node *node = request->node;
  if (node->kind == EVP_SOURCE) return;
  size_t errors = diagnostics_errors(resolving->diagnostics);
  uint32_t wanted = wanted_signals(resolving, request);
  struct pipeline_edge *edges = config_alloc(resolving->memory, (request->from.n + 1) * sizeof *edges);
  const struct config_pair *from = tree_find(node->yaml, "from"); /* that it is missing was said by the binder */
  if (from && from->value.kind == CONFIG_SEQUENCE && !from->value.n)
    fail(resolving, from->value.place, config_format(resolving->memory, "%s: 'from' is empty", who(resolving, node)));
  for (size_t i = 0; i < request->from.n; i++)
    if (resolve_edge(resolving, request, i, wanted, &edges[node->n_edges]))
      node->input |= edges[node->n_edges++].signals;
  node->edges = edges;
  bool known = node->n_edges == request->from.n && diagnostics_errors(resolving->diagnostics) == errors;
  node->sound = node->sound && known;
}

static void collect_outputs(struct pipeline *pipeline)
{
  for (uint32_t i = 0; i < pipeline->n_nodes; i++)
    for (uint32_t k = 0; k < pipeline->nodes[i].n_edges; k++) {
      const struct pipeline_edge *edge = &pipeline->nodes[i].edges[k];
      pipeline->nodes[edge->from].output |= edge->signals;
    }
}

/* Was this node meant by a 'from' item that names no node? That item is the error then, not the node. */
static bool is_meant(const struct resolving *resolving, const char *item, const char *name)
{
  if (find_node(resolving->pipeline, item)) return false;
  const char *const words[] = {name, NULL};
  return nearest_word(item, words) || (strchr(item, ',') && strstr(item, name));
}

/* By name and not by edge: what is taken from in vain has an error of its own. */
static bool is_named(const struct resolving *resolving, const char *name)
{
  for (uint32_t i = 0; i < resolving->pipeline->n_nodes; i++)
    for (size_t k = 0; k < resolving->requests[i].from.n; k++) {
      const char *item = resolving->requests[i].from.items[k];
      if (!strcmp(item, name) || is_meant(resolving, item, name)) return true;
    }
  return false;
}

static void find_dead_ends(struct resolving *resolving)
{
  for (uint32_t i = 0; i < resolving->pipeline->n_nodes; i++) {
    const struct pipeline_node *node = &resolving->pipeline->nodes[i];
    if (node->kind == EVP_SINK || is_named(resolving, node->name)) continue;
    fail(resolving, node->yaml_name->place,
      config_format(resolving->memory, "%s leads nowhere: no 'from' names it", who(resolving, node)));
  }
}

/* --------------------------------------------------------------------------------------------------------- order */

enum visit { UNSEEN, OPEN, CLOSED };

struct ordering {
  struct resolving *resolving;
  enum visit *state;
  uint32_t *order, *path;
  uint32_t n, depth;
};

static void tell_cycle(struct ordering *ordering, uint32_t again)
{
  struct pipeline_node *nodes = ordering->resolving->pipeline->nodes;
  const char *text = nodes[again].name;
  for (uint32_t i = ordering->depth; i-- > 0;) {
    text = config_format(ordering->resolving->memory, "%s -> %s", text, nodes[ordering->path[i]].name);
    if (ordering->path[i] == again) break;
  }
  fail(ordering->resolving, nodes[again].yaml_name->place,
    config_format(ordering->resolving->memory, "these nodes form a cycle: %s", text));
}

/* Depth first along the names, so that a cycle is found even where an edge of it was wrong. */
static void visit(struct ordering *ordering, uint32_t index)
{
  struct resolving *resolving = ordering->resolving;
  const struct edge_request *request = &resolving->requests[index];
  ordering->state[index] = OPEN;
  ordering->path[ordering->depth++] = index;
  for (size_t i = 0; i < request->from.n; i++) {
    const struct pipeline_node *from = find_node(resolving->pipeline, request->from.items[i]);
    if (!from || from->kind == EVP_SINK) continue;
    uint32_t next = (uint32_t)(from - resolving->pipeline->nodes);
    if (ordering->state[next] == OPEN) tell_cycle(ordering, next);
    if (ordering->state[next] == UNSEEN) visit(ordering, next);
  }
  ordering->depth--;
  ordering->state[index] = CLOSED;
  ordering->order[ordering->n++] = index;
}

static void put_in_order(struct pipeline *pipeline, const uint32_t *order, struct config_memory *memory)
{
  struct pipeline_node *sorted = config_alloc(memory, (pipeline->n_nodes + 1) * sizeof *sorted);
  uint32_t *place = config_alloc(memory, (pipeline->n_nodes + 1) * sizeof *place);
  for (uint32_t i = 0; i < pipeline->n_nodes; i++) place[order[i]] = i;
  for (uint32_t i = 0; i < pipeline->n_nodes; i++) {
    struct pipeline_node *node = &sorted[place[i]];
    *node = pipeline->nodes[i];
    for (uint32_t k = 0; k < node->n_edges; k++) {
      struct pipeline_edge *edge = (struct pipeline_edge *)(uintptr_t)&node->edges[k];
      edge->from = place[edge->from];
    }
  }
  pipeline->nodes = sorted;
}

static void order_nodes(struct resolving *resolving)
{
  uint32_t n = resolving->pipeline->n_nodes;
  struct ordering ordering = {.resolving = resolving};
  ordering.state = config_alloc(resolving->memory, (n + 1) * sizeof *ordering.state);
  ordering.order = config_alloc(resolving->memory, (n + 1) * sizeof *ordering.order);
  ordering.path = config_alloc(resolving->memory, (n + 1) * sizeof *ordering.path);
  for (uint32_t i = 0; i < n; i++)
    if (ordering.state[i] == UNSEEN) visit(&ordering, i);
  put_in_order(resolving->pipeline, ordering.order, resolving->memory);
}

static bool has_kind(const struct pipeline *pipeline, enum evp_kind kind)
{
  for (uint32_t i = 0; i < pipeline->n_nodes; i++)
    if (pipeline->nodes[i].kind == kind) return true;
  return false;
}

void edges_resolve(struct pipeline *pipeline, const struct edge_request *requests, struct config_memory *memory,
  struct plugin_finder *finder, struct diagnostics *diagnostics, struct place whole)
{
  struct resolving resolving = {pipeline, requests, memory, finder, diagnostics};
  if (!has_kind(pipeline, EVP_SOURCE))
    fail(&resolving, whole, "there is no source: `sources` names where eventlogs come from");
  if (!has_kind(pipeline, EVP_SINK)) fail(&resolving, whole, "there is no sink: `sinks` names where things go");
  for (uint32_t i = 0; i < pipeline->n_nodes; i++) resolve_node(&resolving, &requests[i]);
  collect_outputs(pipeline);
  find_dead_ends(&resolving);
  order_nodes(&resolving);
}
