#include "describe.h"

#include "json_writer.h"
#include "run.h"
#include "wall_clock.h"

#include <unistd.h>

const struct evp_stream *program_newest_stream(const struct program *program)
{
  return program->open ? program->open->stream : NULL;
}

static const char *state_word(enum evp_stream_state state)
{
  static const char *const words[] = {"open", "complete", "cut", "damaged"};
  return (unsigned)state < sizeof words / sizeof *words ? words[state] : "open";
}

void describe_find_node(struct dashboard *dashboard, struct program *program)
{
  struct evp_node_statistics node = {.size = sizeof node};
  while (evp_statistics(dashboard->ctx, program->node, &node) && strcmp(node.name, program->source) != 0)
    program->node++;
}

/* Of a program without metrics that of its source, which may have others, too. */
static enum evp_clock_state clock_of(struct dashboard *dashboard, const struct program *program)
{
  struct evp_node_statistics node = {.size = sizeof node};
  if (program->clock != EVP_CLOCK_NONE) return program->clock;
  if (!evp_statistics(dashboard->ctx, program->node, &node)) return EVP_CLOCK_NONE;
  return (enum evp_clock_state)node.clock;
}

static bool is_controllable(const struct program *program)
{
  for (const struct run *run = program->open; run; run = run->next)
    if (evp_stream_controllable(run->stream)) return true;
  return false;
}

static void write_times(struct json *json, const struct program *program)
{
  const struct history *history = &program->history;
  if (history->newest == INT64_MIN) {
    json_null(json, "first");
    json_null(json, "last");
    return;
  }
  json_seconds(json, "first", history_first(history));
  json_seconds(json, "last", history->newest);
}

static void write_labels(struct json *json, const struct program *program)
{
  json_object(json, "labels");
  for (size_t i = 0; i < program->n_labels; i++) {
    json_name(json, program->labels[i].key);
    json_string(json, NULL, program->labels[i].value);
  }
  json_end(json, '}');
}

static void write_program(struct json *json, struct dashboard *dashboard, const struct program *program, bool times)
{
  json_object(json, NULL);
  json_unsigned(json, "id", program->id);
  json_string(json, "service", program_label(program, "service"));
  json_string(json, "source", program->source);
  write_labels(json, program);
  json_string(json, "program", program->name);
  if (program->pid)
    json_unsigned(json, "pid", program->pid);
  else
    json_null(json, "pid");
  json_string(json, "rts", program->rts);
  json_bool(json, "live", program->open != NULL);
  json_bool(json, "recorded", !program->live);
  json_string(json, "state", program->open ? "open" : state_word(program->state));
  json_unsigned(json, "runs", program->n_runs);
  json_seconds(json, "begin", program->begin);
  if (times) write_times(json, program);
  json_string(json, "clock", evp_clock_name(clock_of(dashboard, program)));
  json_bool(json, "controllable", is_controllable(program));
  json_end(json, '}');
}

bool describe_program(struct dashboard *dashboard, const struct program *program, struct evp_buf *text)
{
  struct json json = {.text = text};
  write_program(&json, dashboard, program, true);
  return !json.failed;
}

bool describe_identity(struct dashboard *dashboard, const struct program *program, struct evp_buf *text)
{
  struct json json = {.text = text};
  write_program(&json, dashboard, program, false);
  return !json.failed;
}

bool describe_ids(const struct programs *programs, struct evp_buf *text)
{
  struct json json = {.text = text};
  json_object(&json, NULL);
  json_array(&json, "programs");
  for (const struct program *program = programs->first; program; program = program->next)
    json_unsigned(&json, NULL, program->id);
  json_end(&json, ']');
  json_end(&json, '}');
  return !json.failed;
}

/* What comes here at all, so that the page can say which node is missing. */
static void write_inputs(struct json *json, const struct dashboard *dashboard)
{
  uint32_t signals = evp_input_signals(dashboard->ctx);
  json_object(json, "inputs");
  json_bool(json, "events", signals & EVP_EVENTS);
  json_array(json, "metrics");
  if (dashboard->families & FAMILY_HEAP) json_string(json, NULL, "heap");
  if (dashboard->families & FAMILY_GC) json_string(json, NULL, "gc");
  json_end(json, ']');
  json_bool(json, "logs", signals & EVP_LOGS);
  json_end(json, '}');
}

bool describe_all(struct dashboard *dashboard, struct evp_buf *text)
{
  struct json json = {.text = text};
  json_object(&json, NULL);
  json_string(&json, "evpipe", evp_version());
  json_seconds(&json, "now", wall_clock());
  json_integer(&json, "pid", getpid());
  write_inputs(&json, dashboard);
  json_array(&json, "programs");
  for (struct program *program = dashboard->programs.first; program; program = program->next) {
    if (program->open) program_learn(program, program_newest_stream(program));
    write_program(&json, dashboard, program, true);
  }
  json_end(&json, ']');
  json_end(&json, '}');
  return !json.failed;
}
