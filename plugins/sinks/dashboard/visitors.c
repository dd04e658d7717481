#include "visitors.h"

#include "describe.h"
#include "hash.h"
#include "health.h"
#include "pending.h"
#include "text.h"

/* What may wait for one visitor; a push is mostly some KiB. */
enum { BACKLOG_MAX = 1 << 20, TICKS_PER_SECOND = (int)(1000000000 / PUSH_EVERY) };

unsigned visitors_count(const struct dashboard *dashboard)
{
  unsigned n = dashboard->lobby ? http_channel_readers(dashboard->lobby) : 0;
  for (const struct program *program = dashboard->programs.first; program; program = program->next)
    if (program->channel) n += http_channel_readers(program->channel);
  return n;
}

/* ---------------------------------------------------------------------------------------------------------------- push */

void visitors_lose(struct program *program)
{
  if (!program->channel) return;
  if (program->pending) pending_clear(program->pending);
  program->sequence++;
  http_channel_send(program->channel, program->sequence, "lost", "{}", 2);
}

void visitors_push(struct dashboard *dashboard, struct program *program)
{
  struct evp_buf text = {0};
  (void)dashboard;
  if (!program->pending || !program->pending->any) return;
  if (program->pending->lost) {
    visitors_lose(program);
    return;
  }
  if (pending_write(program->pending, &program->history, program->sequence + 1, &text))
    http_channel_send(program->channel, ++program->sequence, "samples", text.data, text.size);
  else
    visitors_lose(program);
  text_free(&text);
}

/* An event for all, encoded once. */
static void send_all(struct dashboard *dashboard, const char *name, const struct evp_buf *text)
{
  struct http_event *event = http_event_new(0, name, text->data, text->size);
  if (!event) return; /* it comes again, or is fetched */
  if (dashboard->lobby) http_channel_put(dashboard->lobby, event);
  for (struct program *program = dashboard->programs.first; program; program = program->next)
    if (program->channel) http_channel_put(program->channel, event);
  http_event_unref(event);
}

static void push_programs(struct dashboard *dashboard)
{
  struct evp_buf text = {0};
  if (dashboard->told_changes == dashboard->programs.changes) return;
  dashboard->told_changes = dashboard->programs.changes;
  if (describe_ids(&dashboard->programs, &text)) send_all(dashboard, "programs", &text);
  text_free(&text);
}

/* The program itself, if it is not what visitors were told last. */
static void push_program(struct dashboard *dashboard, struct program *program)
{
  struct evp_buf text = {0};
  if (program->open) program_learn(program, program_newest_stream(program));
  if (describe_identity(dashboard, program, &text)) {
    uint64_t hash = hash_name(text.data, text.size);
    text.size = 0;
    if (hash != program->told && describe_program(dashboard, program, &text)) {
      program->told = hash;
      http_channel_send(program->channel, 0, "program", text.data, text.size);
    }
  }
  text_free(&text);
}

static void push_health(struct dashboard *dashboard)
{
  struct evp_buf text = {0};
  if (health_write(dashboard, visitors_count(dashboard), &text)) send_all(dashboard, "health", &text);
  text_free(&text);
}

/* -------------------------------------------------------------------------------------------------------- come and go */

static void forget_visitors(struct program *program)
{
  http_channel_free(program->channel);
  pending_free(program->pending);
  program->channel = NULL;
  program->pending = NULL;
}

void visitors_leave(struct dashboard *dashboard, struct program *program)
{
  (void)dashboard;
  forget_visitors(program);
}

/* Those who left are not collected for. */
static bool sweep(struct dashboard *dashboard)
{
  bool any = dashboard->lobby && http_channel_readers(dashboard->lobby) > 0;
  for (struct program *program = dashboard->programs.first; program; program = program->next) {
    if (!program->channel) continue;
    if (http_channel_readers(program->channel) == 0)
      forget_visitors(program);
    else
      any = true;
  }
  return any;
}

void visitors_tick(struct dashboard *dashboard)
{
  if (!sweep(dashboard)) {
    dashboard->ticking = false;
    evp_tick_every(dashboard->ctx, 0);
    return;
  }
  push_programs(dashboard);
  for (struct program *program = dashboard->programs.first; program; program = program->next) {
    if (!program->channel) continue;
    visitors_push(dashboard, program);
    push_program(dashboard, program);
  }
  if (dashboard->ticks++ % TICKS_PER_SECOND == 0) push_health(dashboard);
}

/* False: no memory (said). */
static bool collect(struct dashboard *dashboard, struct program *program)
{
  if (!program->channel)
    program->channel = http_channel_new(dashboard->server, (unsigned)dashboard->http.max_connections, BACKLOG_MAX);
  if (!program->pending) program->pending = pending_new();
  return program->channel && program->pending;
}

static struct http_channel *channel_of(struct dashboard *dashboard, struct program *program)
{
  if (program) return collect(dashboard, program) ? program->channel : NULL;
  if (!dashboard->lobby)
    dashboard->lobby = http_channel_new(dashboard->server, (unsigned)dashboard->http.max_connections, BACKLOG_MAX);
  return dashboard->lobby;
}

void visitors_join(struct dashboard *dashboard, struct program *program, struct http_request *request)
{
  struct evp_buf hello = {0};
  struct http_channel *channel = channel_of(dashboard, program);
  uint64_t sequence = program ? program->sequence : 0;
  if (program) program->told = 0; /* the new one does not know it yet */
  if (channel && text_printf(&hello, "{\"seq\":%llu}", (unsigned long long)sequence))
    http_channel_join(channel, request, sequence, "hello", hello.data, hello.size);
  else
    http_answer_error(request, 503, "evpipe has no memory for another visitor");
  text_free(&hello);
  if (dashboard->ticking) return;
  dashboard->ticking = true;
  dashboard->ticks = 0;
  dashboard->told_changes = dashboard->programs.changes;
  evp_tick_every(dashboard->ctx, PUSH_EVERY);
}
