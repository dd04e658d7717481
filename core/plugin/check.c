#include "plugin/check.h"
#include "config/core_options.h"
#include "config/options.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OPTIONS = 256, MAX_DEPTH = 4, MAX_INSTANCE = 1 << 28 };

struct complaint {
  char *text;
  size_t size;
  bool made;
};

static void complain(struct complaint *complaint, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct complaint *complaint, const char *format, ...)
{
  if (complaint->made) return;
  complaint->made = true;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(complaint->text, complaint->size, format, arguments);
  va_end(arguments);
}

static bool is_name(const char *name)
{
  if (!name || !islower((unsigned char)name[0])) return false;
  for (; *name; name++)
    if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_' && *name != '-') return false;
  return true;
}

static void check_needs(struct complaint *complaint, const char *callback, bool there)
{
  if (!there) complain(complaint, "it has no %s()", callback);
}

static void check_source(struct complaint *complaint, const struct evp_plugin *plugin)
{
  if (plugin->accepts) complain(complaint, "a source accepts nothing");
  if (plugin->emit) {
    if (plugin->emits & ~(uint32_t)(EVP_METRICS | EVP_LOGS) || !plugin->emits)
      complain(complaint, "a source with emit() emits metrics or logs");
    if (plugin->connect || plugin->read) complain(complaint, "a source has emit(), or connect() and read(), not both");
    if (plugin->interrupt) complain(complaint, "a source with emit() has no interrupt()");
    return;
  }
  check_needs(complaint, "connect", plugin->connect);
  check_needs(complaint, "read", plugin->read);
  if (plugin->emits != (EVP_BYTES | EVP_EVENTS)) complain(complaint, "a source of bytes emits bytes and events");
}

static void check_filter(struct complaint *complaint, const struct evp_plugin *plugin)
{
  if (!plugin->accepts || !plugin->emits) complain(complaint, "a filter accepts and emits something");
  if ((plugin->accepts | plugin->emits) & EVP_BYTES) complain(complaint, "bytes do not go through filters");
  if (!plugin->select == !plugin->map) complain(complaint, "a filter has either select() or map()");
  if (plugin->select && plugin->emits & ~plugin->accepts) complain(complaint, "select() emits only what it accepts");
  if (plugin->start || plugin->stop) complain(complaint, "a filter has no start() and stop()");
}

static void check_sink(struct complaint *complaint, const struct evp_plugin *plugin)
{
  if (!plugin->accepts || plugin->emits) complain(complaint, "a sink accepts something and emits nothing");
  if (plugin->deliver || plugin->encode) {
    check_needs(complaint, "encode", plugin->encode);
    check_needs(complaint, "deliver", plugin->deliver);
    if (plugin->write) complain(complaint, "a sink has write(), or encode() and deliver(), not both");
  } else {
    check_needs(complaint, "write", plugin->write);
  }
}

static size_t member_size(uint32_t type)
{
  switch (type) {
  case EVP_T_BOOL:
    return sizeof(bool);
  case EVP_T_CHOICE:
    return sizeof(int);
  case EVP_T_STRINGS:
    return sizeof(struct evp_strings);
  case EVP_T_MAP:
    return sizeof(struct evp_map);
  default:
    return 8;
  }
}

static void check_options(
  struct complaint *complaint, const struct evp_option *table, size_t base, size_t size, unsigned depth)
{
  if (depth > MAX_DEPTH) complain(complaint, "its option groups are too deep");
  for (size_t i = 0; table && table[i].key && !complaint->made; i++) {
    const struct evp_option *option = &table[i];
    if (i == MAX_OPTIONS) complain(complaint, "its option table has no end: EVP_OPTIONS_END is missing");
    if (!is_name(option->key))
      complain(complaint, "its option '%.64s' must be lower-case letters, digits and _", option->key);
    if (option->type < EVP_T_BOOL || option->type > EVP_T_GROUP)
      complain(
        complaint, "its option '%s' is of a type (%u) that this evpipe does not know", option->key, option->type);
    if (!option->help) complain(complaint, "its option '%s' has no help", option->key);
    if (option->type == EVP_T_CHOICE && !option->choices)
      complain(complaint, "its option '%s' has no choices", option->key);
    if (option->type == EVP_T_GROUP && !option->group) complain(complaint, "its option '%s' has no group", option->key);
    if (base + option->offset + (option->type == EVP_T_GROUP ? 0 : member_size(option->type)) > size)
      complain(complaint, "its option '%s' lies outside of its instance", option->key);
    if (option->type == EVP_T_GROUP) check_options(complaint, option->group, base + option->offset, size, depth + 1);
  }
}

/* A node's keys are the core's and its plugin's: neither may hide the other. */
static void check_core_keys(struct complaint *complaint, const struct evp_plugin *plugin)
{
  const struct evp_option *tables[MAX_CORE_TABLES];
  size_t n = core_tables((enum evp_kind)plugin->kind, NULL, tables);
  for (const struct evp_option *option = plugin->options; option && option->key; option++)
    for (size_t i = 0; i < n; i++)
      for (const struct evp_option *core = tables[i]; core->key; core++)
        if (!strcmp(core->key, option->key)) complain(complaint, "its option '%s' is a key of the core", option->key);
}

static void check_defaults(struct complaint *complaint, const struct evp_plugin *plugin)
{
  struct config_memory *memory = config_memory_new();
  const char *problem;
  if (!options_set_defaults(memory, plugin->options, config_alloc(memory, plugin->instance_size), &problem))
    complain(complaint, "%s", problem);
  config_memory_free(memory);
}

const char *plugin_check(const struct evp_plugin *plugin, char *text, size_t size)
{
  struct complaint complaint = {.text = text, .size = size};
  uint32_t known = EVP_BYTES | EVP_EVENTS | EVP_METRICS | EVP_LOGS;
  if (!is_name(plugin->name)) complain(&complaint, "its name must be lower-case letters, digits, - and _");
  if (!plugin->summary) complain(&complaint, "it has no summary");
  if ((plugin->accepts | plugin->emits) & ~known)
    complain(&complaint, "it names signals that this evpipe does not know");
  switch (plugin->kind) {
  case EVP_SOURCE:
    check_source(&complaint, plugin);
    break;
  case EVP_FILTER:
    check_filter(&complaint, plugin);
    break;
  case EVP_SINK:
    check_sink(&complaint, plugin);
    break;
  default:
    complain(&complaint, "it is of a kind (%u) that this evpipe does not know", plugin->kind);
  }
  if (plugin->instance_size > MAX_INSTANCE || plugin->stream_size > MAX_INSTANCE)
    complain(&complaint, "its instance or stream is larger than %d bytes", MAX_INSTANCE);
  check_options(&complaint, plugin->options, 0, plugin->instance_size, 0);
  if (!complaint.made) check_core_keys(&complaint, plugin);
  if (!complaint.made) check_defaults(&complaint, plugin);
  return complaint.made ? text : NULL;
}
