#include "config/pipeline.h"
#include "config/core_options.h"
#include "config/each.h"
#include "config/edges.h"
#include "config/file.h"
#include "config/options.h"
#include "config/settings.h"
#include "plugin/loader.h"
#include <ctype.h>
#include <libgen.h>
#include <string.h>
#include <sys/un.h>

/* What is needed while a configuration is read. */
struct loading {
  struct pipeline *pipeline;
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  struct plugin_finder *finder;
  const char *base; /* the YAML's folder */
};

static const char *const sections[] = {"", "sources", "filters", "sinks"};

static void error_at(struct loading *loading, struct place place, const char *text)
{
  diagnostics_error(loading->diagnostics, place, "%s", text);
}

/* --------------------------------------------------------------------------------------------------------- a node */

static bool is_node_name(const char *name)
{
  if (!islower((unsigned char)name[0])) return false;
  for (; *name; name++)
    if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_' && *name != '-') return false;
  return true;
}

static const struct pipeline_node *node_named(const struct pipeline *pipeline, const char *name)
{
  for (uint32_t i = 0; i < pipeline->n_nodes; i++)
    if (!strcmp(pipeline->nodes[i].name, name)) return &pipeline->nodes[i];
  return NULL;
}

static void check_name(struct loading *loading, const struct config_node *key)
{
  if (!is_node_name(key->text))
    error_at(loading, key->place,
      config_format(loading->memory,
        "'%s' is no name of a node: it begins with a letter, and has lower-case letters, digits, - and _", key->text));
  const struct pipeline_node *other = node_named(loading->pipeline, key->text);
  if (other)
    error_at(loading, key->place,
      config_format(loading->memory, "'%s' is the name of a %s already (%s); all nodes share one name space", key->text,
        evp_kind_name(other->kind), other->place));
}

static const struct evp_plugin *load_plugin(
  struct loading *loading, const struct pipeline_node *node, const struct config_node *mapping)
{
  const struct config_pair *pair = tree_find(mapping, "plugin");
  if (!pair || pair->value.kind != CONFIG_SCALAR) return NULL; /* the binder says so */
  const char *error;
  const struct evp_plugin *plugin = plugin_find(loading->finder, node->kind, pair->value.text, loading->base, &error);
  if (!plugin)
    error_at(loading, pair->value.place,
      config_format(loading->memory, "%s '%s': %s", evp_kind_name(node->kind), node->name, error));
  return plugin;
}

static struct place value_place(const struct pipeline_node *node, const char *key)
{
  const struct config_node *at = node->yaml;
  const struct config_node *found = node->yaml_name;
  char part[128];
  while (at && *key) {
    size_t length = strcspn(key, ".");
    if (length >= sizeof part) break;
    memcpy(part, key, length);
    part[length] = '\0';
    const struct config_pair *pair = tree_find(at, part);
    if (!pair) break;
    found = at = &pair->value;
    key += length + (key[length] == '.');
    if (!*key) return found->place;
  }
  return node->yaml_name->place;
}

/* The plugin's own word on the core's keys: YAML flow text, bound like the user's, before the user's. */
static void apply_plugin_defaults(
  struct loading *loading, struct pipeline_node *node, const struct option_target *targets, size_t n)
{
  const char *defaults = node->plugin ? node->plugin->defaults : NULL;
  if (!defaults) return;
  struct diagnostics *own = diagnostics_new(node->plugin->name);
  if (!own) return;
  struct config_node *tree = tree_parse(loading->memory, defaults, strlen(defaults), own);
  struct binding binding = {.memory = loading->memory, .diagnostics = own, .who = node->name};
  if (!tree || !options_bind(&binding, targets, n, tree, tree->place))
    error_at(loading, node->yaml_name->place,
      config_format(loading->memory, "%s '%s': the defaults of plugin '%s' are wrong: %s", evp_kind_name(node->kind),
        node->name, node->plugin->name, defaults));
  diagnostics_free(own);
}

static void set_defaults(struct loading *loading, const struct option_target *targets, size_t n)
{
  const char *problem; /* there is none: plugin_check() tried them */
  for (size_t i = 0; i < n; i++) options_set_defaults(loading->memory, targets[i].table, targets[i].base, &problem);
}

/* Of a plugin that did not load the options can not be told from mistakes: only the core's keys are looked at. */
static void bind_node(struct loading *loading, struct pipeline_node *node, struct node_keys *keys)
{
  const struct evp_plugin *plugin = node->plugin;
  bool source = node->kind == EVP_SOURCE, sink = node->kind == EVP_SINK;
  bool delivers = sink && core_delivers(plugin), reads = source && core_reads(plugin);
  struct binding binding = {.memory = loading->memory,
    .diagnostics = loading->diagnostics,
    .who = config_format(loading->memory, "%s '%s'", evp_kind_name(node->kind), node->name),
    .lenient = !plugin};
  void *prototype = config_alloc(loading->memory, (plugin ? plugin->instance_size : 0) + 1);
  if (source != reads || sink != delivers) {
    binding.elsewhere = source ? reading_options : delivering_options;
    binding.elsewhere_who = config_format(loading->memory,
      source ? "sources that read eventlogs; '%s' does not"
             : "sinks that deliver messages to a back end, which accepts or refuses them; '%s' does not",
      plugin->name);
  }
  struct option_target targets[] = {{source ? source_node_options : consumer_node_options, keys},
    {source ? source_options : NULL, &node->source}, {reads ? reading_options : NULL, &node->source},
    {sink ? sink_options : NULL, &node->sink}, {delivers ? delivering_options : NULL, &node->sink},
    {plugin ? plugin->options : NULL, prototype}};
  const size_t n = sizeof targets / sizeof *targets;
  const struct option_target unread = {source && !reads ? reading_options : NULL, &node->source};
  set_defaults(loading, targets, n);
  set_defaults(loading, &unread, 1); /* the engine need not ask whether it reads */
  if (plugin) apply_plugin_defaults(loading, node, targets + 1, n - 2);
  size_t errors = diagnostics_errors(loading->diagnostics);
  bool bound = options_bind(&binding, targets, n, node->yaml, node->yaml_name->place);
  node->prototype = prototype;
  if (source) settings_check_source(node, loading->memory, loading->diagnostics);
  if (sink) settings_check_sink(loading->pipeline, node, loading->memory, loading->diagnostics);
  node->sound = plugin && bound && diagnostics_errors(loading->diagnostics) == errors;
}

/* With `each` the values are tried with a path such as the glob would match: errors are told before the first path is
   there. */
static void bind_template(struct loading *loading, struct pipeline_node *node, struct node_keys *keys)
{
  bool reads = node->kind == EVP_SOURCE && core_reads(node->plugin);
  const struct config_pair *each = reads ? tree_find(node->yaml, "each") : NULL;
  const struct config_node *template = node->yaml;
  const char *who = config_format(loading->memory, "%s '%s'", evp_kind_name(node->kind), node->name);
  size_t errors = diagnostics_errors(loading->diagnostics);
  if (!each && reads) each_check_plain(loading->memory, template, who, loading->diagnostics);
  if (each && each->value.kind == CONFIG_SCALAR) {
    each_check(loading->memory, template, who, loading->diagnostics);
    node->yaml = each_replace(loading->memory, template, each_sample(loading->memory, each->value.text));
  }
  bind_node(loading, node, keys);
  node->yaml = template;
  node->sound = node->sound && diagnostics_errors(loading->diagnostics) == errors;
}

static void read_node(
  struct loading *loading, enum evp_kind kind, const struct config_pair *pair, struct edge_request *request)
{
  struct pipeline_node *node = &loading->pipeline->nodes[loading->pipeline->n_nodes];
  check_name(loading, &pair->key);
  *node = (struct pipeline_node){.kind = kind, .name = pair->key.text, .yaml = &pair->value, .yaml_name = &pair->key};
  node->place = config_format(loading->memory, "%s:%u", loading->pipeline->path, pair->key.place.line);
  if (pair->value.kind == CONFIG_SCALAR || pair->value.kind == CONFIG_SEQUENCE) {
    error_at(loading, pair->value.place,
      config_format(loading->memory, "%s '%s': here must stand keys and values", evp_kind_name(kind), node->name));
    node->yaml = NULL;
  }
  struct node_keys keys = {0};
  node->plugin = load_plugin(loading, node, node->yaml);
  if (node->yaml) bind_template(loading, node, &keys);
  *request = (struct edge_request){.node = node, .from = keys.from, .signals = keys.signals};
  loading->pipeline->n_nodes++;
}

/* ----------------------------------------------------------------------------------------------------- the whole */

static size_t count_nodes(const struct config_node *root)
{
  size_t n = 0;
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) {
    const struct config_pair *section = tree_find(root, sections[kind]);
    if (section) n += section->value.n;
  }
  return n;
}

static void read_section(
  struct loading *loading, const struct config_node *root, enum evp_kind kind, struct edge_request *requests)
{
  const struct config_pair *section = tree_find(root, sections[kind]);
  if (!section) return;
  if (section->value.kind != CONFIG_MAPPING) {
    error_at(loading, section->key.place,
      config_format(loading->memory, "'%s' must hold nodes by name, as in %s: {NAME: {plugin: ...}}", sections[kind],
        sections[kind]));
    return;
  }
  for (size_t i = 0; i < section->value.n; i++) {
    const struct config_pair *pair = &section->value.pairs[i];
    if (strncmp(pair->key.text, "x-", 2)) read_node(loading, kind, pair, &requests[loading->pipeline->n_nodes]);
  }
}

static void check_control(struct loading *loading, const struct config_pair *pair)
{
  const char *path = loading->pipeline->control_unix;
  const struct config_pair *unix_path = pair ? tree_find(&pair->value, "unix") : NULL;
  if (!unix_path || !path) return;
  if (!*path)
    error_at(loading, unix_path->value.place, "'control.unix' is empty: it is the path of a socket");
  else if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
    error_at(
      loading, unix_path->value.place, "'control.unix' is longer than the 107 bytes that a socket's path may have");
}

static void read_top(struct loading *loading, const struct config_node *root)
{
  static const struct evp_option section_options[] = {{"sources", EVP_T_MAP, 0, 0, NULL, "", NULL, NULL, NULL},
    {"filters", EVP_T_MAP, 0, 0, NULL, "", NULL, NULL, NULL}, {"sinks", EVP_T_MAP, 0, 0, NULL, "", NULL, NULL, NULL},
    EVP_OPTIONS_END};
  struct top_keys keys = {0};
  struct config_node without = *root; /* the sections are read by themselves */
  without.pairs = config_alloc(loading->memory, (root->n + 1) * sizeof *without.pairs);
  without.n = 0;
  for (size_t i = 0; i < root->n; i++) {
    bool section = false;
    for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++)
      section = section || !strcmp(root->pairs[i].key.text, sections[kind]);
    if (!section) without.pairs[without.n++] = root->pairs[i];
  }
  struct option_target targets[] = {{top_options, &keys}, {section_options, NULL}};
  struct binding binding = {.memory = loading->memory, .diagnostics = loading->diagnostics, .who = "pipeline"};
  const char *problem;
  options_set_defaults(loading->memory, top_options, &keys, &problem);
  options_bind(&binding, targets, 2, &without, root->place);
  const struct config_pair *lanes = tree_find(root, "lanes");
  if (lanes && (keys.lanes < 0 || keys.lanes > 1024))
    error_at(loading, lanes->value.place, "'lanes' must lie between 0 (choose) and 1024");
  loading->pipeline->control_unix = keys.control.unix_path;
  check_control(loading, tree_find(root, "control"));
  loading->pipeline->lanes = keys.lanes;
  loading->pipeline->shutdown_timeout = keys.shutdown_timeout;
}

static void read_pipeline(struct loading *loading, const struct config_node *root)
{
  struct pipeline *pipeline = loading->pipeline;
  if (root->kind == CONFIG_BROKEN) return;
  if (root->kind != CONFIG_MAPPING) {
    error_at(loading, root->place,
      root->kind == CONFIG_NULL ? "is empty; a pipeline has at least `sources` and `sinks`"
                                : "a pipeline is a map with the keys sources, filters, sinks");
    return;
  }
  size_t n = count_nodes(root);
  pipeline->nodes = config_alloc(loading->memory, (n + 1) * sizeof *pipeline->nodes);
  struct edge_request *requests = config_alloc(loading->memory, (n + 1) * sizeof *requests);
  read_top(loading, root);
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) read_section(loading, root, (enum evp_kind)kind, requests);
  edges_resolve(pipeline, requests, loading->memory, loading->finder, loading->diagnostics, root->place);
}

struct pipeline *pipeline_load(const char *path, struct plugin_finder *finder, struct diagnostics *diagnostics)
{
  struct config_memory *memory = config_memory_new();
  struct pipeline *pipeline = config_alloc(memory, sizeof *pipeline);
  pipeline->memory = memory;
  pipeline->path = config_string(memory, path, strlen(path));
  char *folder = config_string(memory, path, strlen(path));
  struct loading loading = {
    .pipeline = pipeline, .memory = memory, .diagnostics = diagnostics, .finder = finder, .base = dirname(folder)};
  size_t size;
  char *text = config_read_file(memory, path, &size, diagnostics);
  struct config_node *root = text ? tree_parse(memory, text, size, diagnostics) : NULL;
  if (root) read_pipeline(&loading, root);
  pipeline->broken = !root || diagnostics_errors(diagnostics);
  return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
  if (pipeline) config_memory_free(pipeline->memory);
}

struct pipeline_instance *pipeline_instance_new(
  const struct pipeline_node *node, const char *path, struct diagnostics *diagnostics)
{
  struct config_memory *memory = config_memory_new();
  struct pipeline_instance *instance = config_alloc(memory, sizeof *instance);
  struct loading loading = {.memory = memory, .diagnostics = diagnostics};
  struct pipeline_node bound = *node;
  struct node_keys keys = {0};
  instance->memory = memory;
  instance->path = config_string(memory, path, strlen(path));
  atomic_init(&instance->refs, 1);
  bound.source = (struct source_settings){0};
  bound.yaml = each_replace(memory, node->yaml, instance->path);
  bind_node(&loading, &bound, &keys);
  instance->prototype = bound.prototype;
  instance->source = bound.source;
  if (!diagnostics_errors(diagnostics)) return instance;
  config_memory_free(memory);
  return NULL;
}

struct pipeline_instance *pipeline_instance_ref(struct pipeline_instance *instance)
{
  atomic_fetch_add_explicit(&instance->refs, 1, memory_order_relaxed);
  return instance;
}

void pipeline_instance_unref(struct pipeline_instance *instance)
{
  if (instance && atomic_fetch_sub_explicit(&instance->refs, 1, memory_order_acq_rel) == 1)
    config_memory_free(instance->memory);
}

void pipeline_option_error(
  struct diagnostics *diagnostics, const struct pipeline_node *node, const char *key, const char *text)
{
  diagnostics_error(
    diagnostics, value_place(node, key), "%s '%s': '%s': %s", evp_kind_name(node->kind), node->name, key, text);
}

void pipeline_node_error(struct diagnostics *diagnostics, const struct pipeline_node *node, const char *text)
{
  diagnostics_error(diagnostics, node->yaml_name->place, "%s '%s': %s", evp_kind_name(node->kind), node->name, text);
}
