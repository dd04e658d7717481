/* Temporary stand-in for the configuration, the loader and the command line until they land. */
#include "config/pipeline.h"
#include <dlfcn.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

static yaml_document_t doc;
static const char *scalar(yaml_node_t *n)
{
  const char *s = (const char *)n->data.scalar.value;
  if (!strncmp(s, "${", 2)) {
    char name[128];
    size_t len = strcspn(s + 2, ":}");
    snprintf(name, sizeof name, "%.*s", (int)len, s + 2);
    if (getenv(name)) return getenv(name);
    char *d = strstr(s, ":-");
    if (d) {
      d = strdup(d + 2);
      d[strlen(d) - 1] = 0;
      return d;
    }
  }
  return s;
}
static yaml_node_t *get(yaml_node_t *map, const char *key)
{
  if (!map || map->type != YAML_MAPPING_NODE) return NULL;
  for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
    if (!strcmp(scalar(yaml_document_get_node(&doc, p->key)), key)) return yaml_document_get_node(&doc, p->value);
  return NULL;
}
static uint64_t number(const char *s, bool time)
{
  char *u;
  double v = strtod(s, &u);
  if (!strcmp(s, "none") || !strcmp(s, "never")) return EVP_NEVER;
  if (time)
    return (uint64_t)(v * (!strcmp(u, "ms")    ? 1e6
                            : !strcmp(u, "m")  ? 60e9
                            : !strcmp(u, "h")  ? 3600e9
                            : !strcmp(u, "us") ? 1e3
                                               : 1e9));
  return (uint64_t)(v * (*u == 'K' ? 1024 : *u == 'M' ? 1048576 : *u == 'G' ? 1073741824 : 1));
}
static void set(const struct evp_option *o, char *at, const char *text, yaml_node_t *n)
{
  switch (o->type) {
  case EVP_T_BOOL:
    *(bool *)at = !strcmp(text, "true");
    break;
  case EVP_T_INT:
    *(int64_t *)at = atoll(text);
    break;
  case EVP_T_DOUBLE:
    *(double *)at = atof(text);
    break;
  case EVP_T_SIZE:
    *(uint64_t *)at = number(text, false);
    break;
  case EVP_T_DURATION:
    *(uint64_t *)at = number(text, true);
    break;
  case EVP_T_STRING:
  case EVP_T_SECRET:
    *(const char **)at = strdup(text);
    break;
  case EVP_T_CHOICE:
    for (int i = 0; o->choices[i]; i++)
      if (!strcmp(o->choices[i], text)) *(int *)at = i;
    break;
  case EVP_T_STRINGS: {
    struct evp_strings *s = (void *)at;
    size_t k =
      n && n->type == YAML_SEQUENCE_NODE ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) : 1;
    const char **items = calloc(k, sizeof *items);
    for (size_t i = 0; i < k; i++)
      items[i] = n && n->type == YAML_SEQUENCE_NODE
                   ? scalar(yaml_document_get_node(&doc, n->data.sequence.items.start[i]))
                   : text;
    *s = (struct evp_strings){items, k};
  } break;
  default:
    break;
  }
}
static void bind(const struct evp_option *o, char *base, yaml_node_t *map)
{
  for (; o && o->key; o++) {
    yaml_node_t *n = get(map, o->key);
    if (o->type == EVP_T_GROUP) {
      bind(o->group, base + o->offset, n);
      continue;
    }
    if (n)
      set(o, base + o->offset, n->type == YAML_SCALAR_NODE ? scalar(n) : "", n);
    else if (o->value)
      set(o, base + o->offset, o->value, NULL);
  }
}
static uint64_t opt(yaml_node_t *map, const char *group, const char *key, uint64_t def, bool time)
{
  yaml_node_t *n = get(get(map, group), key);
  return n ? number(scalar(n), time) : def;
}
static void load(struct pipeline_node *node, yaml_node_t *map, const char *dir, const char *yaml_dir)
{
  const char *plugin = scalar(get(map, "plugin"));
  char path[4096];
  static const char *const kinds[] = {"", "source", "filter", "sink"};
  if (strchr(plugin, '/'))
    snprintf(path, sizeof path, "%s/%s", *plugin == '/' ? "" : yaml_dir, plugin);
  else
    snprintf(path, sizeof path, "%s/%s-%s.so", dir, kinds[node->kind], plugin);
  void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!h) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  node->plugin = dlsym(h, "evp_plugin_entry");
  char *p = calloc(1, node->plugin->instance_size + 1);
  bind(node->plugin->options, p, map);
  node->prototype = p;
}
struct pipeline *pipeline_load(const char *path, struct plugin_finder *finder, struct diagnostics *d)
{
  (void)finder;
  (void)d;
  yaml_parser_t parser;
  FILE *f = fopen(path, "r");
  if (!f) {
    perror(path);
    exit(2);
  }
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_file(&parser, f);
  if (!yaml_parser_load(&parser, &doc)) {
    fprintf(stderr, "yaml %s\n", parser.problem);
    exit(2);
  }
  yaml_node_t *root = yaml_document_get_root_node(&doc);
  static struct pipeline pl;
  static struct pipeline_node nodes[64];
  static const char *const kinds[] = {"", "sources", "filters", "sinks"};
  pl.nodes = nodes;
  pl.path = path;
  pl.shutdown_timeout =
    get(root, "shutdown_timeout") ? number(scalar(get(root, "shutdown_timeout")), true) : 10000000000;
  char *dir = getenv("EVPIPE_PLUGIN_PATH");
  for (int k = 1; k <= 3; k++) {
    yaml_node_t *m = get(root, kinds[k]);
    if (!m) continue;
    for (yaml_node_pair_t *p = m->data.mapping.pairs.start; p < m->data.mapping.pairs.top; p++) {
      struct pipeline_node *n = &nodes[pl.n_nodes++];
      yaml_node_t *map = yaml_document_get_node(&doc, p->value);
      n->kind = (enum evp_kind)k;
      n->name = scalar(yaml_document_get_node(&doc, p->key));
      n->place = path;
      load(n, map, dir, dirname(strdup(path)));
      static struct evp_label service;
      service = (struct evp_label){"service", n->name};
      if (k == 1) {
        yaml_node_t *l = get(get(map, "labels"), "service");
        struct evp_label *x = calloc(1, sizeof *x);
        *x = (struct evp_label){"service", l ? scalar(l) : n->name};
        n->source.labels = (struct evp_map){x, 1};
      }
      n->source.reconnect.initial = opt(map, "reconnect", "initial", 100000000, true);
      n->source.reconnect.max = opt(map, "reconnect", "max", 10000000000, true);
      n->source.hold.max_size = 16 << 20;
      n->source.hold.max_delay = 2000000000;
      n->source.prologue.max_memory = 4 << 20;
      n->source.prologue.max_size = 1 << 30;
      n->sink.queue.max_size = opt(map, "queue", "max_size", 64 << 20, false);
      n->sink.batch.max_items = (int64_t)opt(map, "batch", "max_items", 5000, false);
      n->sink.batch.max_size = opt(map, "batch", "max_size", 4 << 20, false);
      n->sink.batch.max_delay = opt(map, "batch", "max_delay", 1000000000, true);
      n->sink.retry.initial = opt(map, "retry", "initial", 1000000000, true);
      n->sink.retry.max = opt(map, "retry", "max", 30000000000, true);
      n->sink.retry.give_up = opt(map, "retry", "give_up", EVP_NEVER, true);
      n->sink.retry.jitter = 0.2;
      n->sink.timeout = 10000000000;
      yaml_node_t *from = get(map, "from");
      if (!from) continue;
      size_t count = from->type == YAML_SEQUENCE_NODE
                       ? (size_t)(from->data.sequence.items.top - from->data.sequence.items.start)
                       : 1;
      struct pipeline_edge *edges = calloc(count, sizeof *edges);
      for (size_t i = 0; i < count; i++) {
        const char *name = scalar(
          from->type == YAML_SEQUENCE_NODE ? yaml_document_get_node(&doc, from->data.sequence.items.start[i]) : from);
        for (uint32_t j = 0; j < pl.n_nodes; j++)
          if (!strcmp(nodes[j].name, name)) {
            uint32_t s = nodes[j].plugin->emits & n->plugin->accepts;
            if (nodes[j].kind == EVP_SOURCE) s = s & EVP_BYTES ? EVP_BYTES : s & EVP_EVENTS ? EVP_EVENTS : s;
            edges[i] = (struct pipeline_edge){j, s};
            nodes[j].output |= s;
            n->input |= s;
          }
      }
      n->edges = edges;
      n->n_edges = (uint32_t)count;
    }
  }
  return &pl;
}
void pipeline_free(struct pipeline *p)
{
  (void)p;
}
void pipeline_option_error(struct diagnostics *d, const struct pipeline_node *n, const char *key, const char *text)
{
  (void)d;
  fprintf(stderr, "%s: option '%s': %s\n", n->name, key, text);
}
void pipeline_node_error(struct diagnostics *d, const struct pipeline_node *n, const char *text)
{
  (void)d;
  fprintf(stderr, "%s: %s\n", n->name, text);
}
void pipeline_print_graph(const struct pipeline *p, FILE *f)
{
  (void)p;
  (void)f;
}
