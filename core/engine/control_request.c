#include "engine/control_request.h"
#include "config/diagnostics.h"
#include "engine/command.h"
#include "engine/engine_state.h"
#include "engine/time.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 4, MAX_NAMES = 256 };
#define SOURCE_WORD "source="

struct request {
  struct engine *engine;
  struct json json; /* the answer */
  const char *words[MAX_WORDS];
  size_t n_words;
  const char *source; /* the name that was given; NULL: none */
};

static void refuse(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct request *request, const char *format, ...)
{
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  json_object(&request->json, NULL);
  json_bool(&request->json, "ok", false);
  json_string(&request->json, "error", text);
  json_end(&request->json);
}

/* ----------------------------------------------------------------------------------------------------------- nodes */

static struct node *node_named(const struct engine *engine, const char *name)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (!strcmp(engine->nodes[i].config->name, name)) return &engine->nodes[i];
  return NULL;
}

static void refuse_name(struct request *request)
{
  const char *names[MAX_NAMES + 1];
  size_t n = 0;
  for (unsigned i = 0; i < request->engine->n_nodes && n < MAX_NAMES; i++)
    names[n++] = request->engine->nodes[i].config->name;
  names[n] = NULL;
  const char *near = nearest_word(request->source, names);
  refuse(request, "there is no node '%s'%s%s%s", request->source, near ? "; did you mean '" : "", near ? near : "",
    near ? "'?" : "");
}

/* --------------------------------------------------------------------------------------------------------- commands */

static bool is_controllable(const struct node *node)
{
  return node->config->kind == EVP_SOURCE && node->config->source.controllable;
}

/* In front of anything that is sent: is there somebody to send it to? False: refused. */
static bool may_be_sent(struct request *request, const struct node *only)
{
  bool any = false;
  for (unsigned i = 0; i < request->engine->n_nodes; i++) any = any || is_controllable(&request->engine->nodes[i]);
  if (only && only->config->kind != EVP_SOURCE)
    refuse(request, "'%s' is not a source: commands go to the program of a source", request->source);
  else if (only && !is_controllable(only))
    refuse(request, "source '%s' is not controllable: it wants `controllable: true` in the configuration (%s)",
      request->source, only->config->place);
  else if (!only && !any)
    refuse(request, "no source is controllable: it wants `controllable: true` in the configuration");
  else
    return true;
  return false;
}

static void refuse_unsent(struct request *request, struct commands_pushed all)
{
  const char *who = request->source ? request->source : "";
  if (all.streams)
    refuse(
      request, "%s%s%d commands wait already: the program does not read them", who, *who ? ": " : "", COMMANDS_MAX);
  else
    refuse(request, "%s%sno open stream: the program is not connected, or has sent nothing yet", who, *who ? ": " : "");
}

static void answer_command(struct request *request, const char *name_space, uint8_t id)
{
  struct command command;
  const struct node *only = request->source ? node_named(request->engine, request->source) : NULL;
  if (request->source && !only) {
    refuse_name(request);
    return;
  }
  if (!command_write(&command, name_space, id)) {
    refuse(request, "the name space has 1 to %d bytes", COMMAND_NAME_MAX);
    return;
  }
  if (!may_be_sent(request, only)) return;
  struct commands_pushed all = {0};
  for (unsigned i = 0; i < request->engine->n_nodes; i++) {
    struct node *node = &request->engine->nodes[i];
    if (!is_controllable(node) || (only && node != only)) continue;
    struct commands_pushed pushed = commands_push_all(node, &command);
    all.streams += pushed.streams;
    all.queued += pushed.queued;
  }
  if (!all.queued) {
    refuse_unsent(request, all);
    return;
  }
  json_object(&request->json, NULL);
  json_bool(&request->json, "ok", true);
  json_int(&request->json, "queued", all.queued);
  json_int(&request->json, "streams", all.streams);
  json_end(&request->json);
}

static void answer_built_in(struct request *request, uint8_t id)
{
  if (request->n_words != 1)
    refuse(request, "'%s' takes nothing but source=NAME", request->words[0]);
  else
    answer_command(request, COMMAND_BUILT_IN, id);
}

static void answer_send(struct request *request)
{
  char *end = NULL;
  const char *number = request->n_words == 3 ? request->words[2] : "";
  unsigned long id = strtoul(number, &end, 10);
  if (*number < '0' || *number > '9' || *end || id > UINT8_MAX)
    refuse(request, "it is: send NAMESPACE ID, with an ID from 0 to 255");
  else
    answer_command(request, request->words[1], (uint8_t)id);
}

/* ------------------------------------------------------------------------------------------------------- statistics */

static void put_signals(struct json *json, const char *key, uint32_t signals, const uint64_t *items)
{
  json_object(json, key);
  for (unsigned i = 0; i < EVP_SIGNALS; i++)
    if (signals & 1u << i) json_int(json, evp_signal_name(1u << i), (int64_t)items[i]);
  json_end(json);
}

static void put_seconds(struct json *json, const char *key, double seconds)
{
  char text[64];
  snprintf(text, sizeof text, "%.6f", seconds);
  json_number(json, key, text);
}

static void put_silence(struct json *json, const struct evp_node_statistics *read)
{
  json_object(json, "silent");
  for (unsigned i = 0; i < EVP_SILENCES; i++)
    if (read->silent[i]) json_int(json, evp_silence_name(i), (int64_t)read->silent[i]);
  json_end(json);
}

static void put_source(struct json *json, const struct node *node, const struct evp_node_statistics *read)
{
  json_int(json, "connected", (int64_t)read->connected);
  json_int(json, "connects", (int64_t)read->connects);
  json_bool(json, "controllable", is_controllable(node));
  put_silence(json, read);
  if (read->last_event)
    put_seconds(json, "last_event", (double)read->last_event / 1e9);
  else
    json_string(json, "last_event", NULL);
  json_string(json, "clock", read->clock == EVP_CLOCK_NONE ? NULL : evp_clock_name(read->clock));
  json_int(json, "decode_errors", (int64_t)read->decode_errors);
  json_int(json, "skipped_bytes", (int64_t)read->skipped_bytes);
}

static void put_sink(struct json *json, const struct evp_node_statistics *read)
{
  json_int(json, "delivered", (int64_t)read->delivered);
  json_int(json, "rejected", (int64_t)read->rejected);
  json_int(json, "retries", (int64_t)read->retries);
  json_int(json, "queue_bytes", (int64_t)read->queue_bytes);
  json_int(json, "queue_limit_bytes", (int64_t)read->queue_limit);
  json_int(json, "recovered", (int64_t)read->recovered);
  json_int(json, "spool_items", (int64_t)read->spool_items);
  json_int(json, "spool_bytes", (int64_t)read->spool_bytes);
  put_seconds(json, "lag_seconds", (double)read->lag / 1e9);
}

static void put_node(struct json *json, struct node *node)
{
  struct evp_node_statistics read = {.size = sizeof read};
  node_read(node, &read);
  json_object(json, NULL);
  json_string(json, "name", read.name);
  json_string(json, "kind", evp_kind_name(read.kind));
  put_signals(json, "in", read.inputs, read.in);
  if (read.kind != EVP_SINK) put_signals(json, "out", read.outputs, read.out);
  json_int(json, "bytes_in", (int64_t)read.bytes_in);
  json_int(json, "bytes_out", (int64_t)read.bytes_out);
  json_object(json, "dropped");
  for (uint32_t i = 0; i < read.n_drops; i++) json_int(json, read.drops[i].reason, (int64_t)read.drops[i].items);
  json_end(json);
  json_int(json, "errors", (int64_t)read.errors);
  put_seconds(json, "busy_seconds", (double)read.busy / 1e9);
  if (node_reads(node)) put_source(json, node, &read);
  if (read.kind == EVP_FILTER) json_int(json, "late", (int64_t)read.late);
  if (read.kind == EVP_SINK) put_sink(json, &read);
  json_end(json);
}

static void answer_stats(struct request *request)
{
  struct json *json = &request->json;
  struct node *only = request->source ? node_named(request->engine, request->source) : NULL;
  if (request->source && !only) {
    refuse_name(request);
    return;
  }
  if (request->n_words != 1) {
    refuse(request, "'stats' takes nothing but source=NAME");
    return;
  }
  json_object(json, NULL);
  json_bool(json, "ok", true);
  json_string(json, "version", evp_version());
  put_seconds(json, "time", (double)time_unix() / 1e9);
  put_seconds(json, "begin_time", (double)request->engine->begin_time / 1e9);
  json_array(json, "nodes");
  for (unsigned i = 0; i < request->engine->n_nodes; i++)
    if (!only || only == &request->engine->nodes[i]) put_node(json, &request->engine->nodes[i]);
  json_end(json);
  json_end(json);
}

/* ------------------------------------------------------------------------------------------------------------ lines */

/* Into words; a last word source=NAME is taken apart. False: there are too many. */
static bool split(struct request *request, char *line)
{
  char *rest = NULL;
  for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
    if (request->source || request->n_words == MAX_WORDS) return false;
    bool named = request->n_words && !strncmp(word, SOURCE_WORD, strlen(SOURCE_WORD));
    bool argument = request->n_words && request->n_words < 3 && !strcmp(request->words[0], "send");
    if (named && !argument)
      request->source = word + strlen(SOURCE_WORD);
    else
      request->words[request->n_words++] = word;
  }
  return true;
}

static void answer(struct request *request, char *line)
{
  if (!line) {
    refuse(request, "a request is too long");
    return;
  }
  bool good = split(request, line);
  const char *verb = request->n_words ? request->words[0] : "";
  uint8_t built_in = command_built_in(verb);
  if (!good)
    refuse(request, "too many words");
  else if (built_in)
    answer_built_in(request, built_in);
  else if (!strcmp(verb, "send"))
    answer_send(request);
  else if (!strcmp(verb, "stats"))
    answer_stats(request);
  else
    refuse(request, "unknown request '%s'", verb);
}

char *control_answer(struct engine *engine, char *line, size_t *size)
{
  char *text = NULL;
  FILE *file = open_memstream(&text, size);
  if (!file) return NULL;
  struct request request = {.engine = engine, .json = {.file = file, .compact = true}};
  answer(&request, line);
  bool failed = ferror(file);
  if (!fclose(file) && !failed) return text;
  free(text);
  return NULL;
}
