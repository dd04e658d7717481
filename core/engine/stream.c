#include "engine/stream.h"
#include "engine/command.h"
#include "engine/time.h"
#include "eventlog/prologue.h"
#include <stdlib.h>
#include <string.h>

/* Ids are unique over restarts: the microsecond at which evpipe made its first stream, and a counter. */
static uint64_t new_id(void)
{
  static _Atomic uint64_t next;
  uint64_t expected = 0;
  uint64_t first = (uint64_t)(time_unix() / 1000) << 8;
  atomic_compare_exchange_strong(&next, &expected, first);
  return atomic_fetch_add(&next, 1);
}

struct evp_stream *stream_new(const char *source, const struct evp_map *labels, bool live, bool can_wait)
{
  struct evp_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  atomic_init(&stream->refs, 1);
  stream->id = new_id();
  stream->source = source;
  stream->labels = labels;
  stream->begin_time = time_unix();
  stream->live = live;
  stream->can_wait = can_wait;
  return stream;
}

void stream_publish(struct evp_stream *stream)
{
  const struct eventlog_state *state = eventlog_state(stream->eventlog);
  if (!state->header) return;
  atomic_store(&stream->dialect, state->dialect);
  atomic_store(&stream->pid, state->pid);
  atomic_store(&stream->program, state->program);
  atomic_store(&stream->rts, state->rts);
  atomic_store(&stream->header, true);
}

void stream_set_state(struct evp_stream *stream, enum evp_stream_state state)
{
  atomic_store(&stream->state, (unsigned)state);
}

const struct evp_stream *evp_stream_ref(const struct evp_stream *stream)
{
  struct evp_stream *counted = (struct evp_stream *)(uintptr_t)stream;
  atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
  return stream;
}

void evp_stream_unref(const struct evp_stream *stream)
{
  struct evp_stream *counted = (struct evp_stream *)(uintptr_t)stream;
  if (!counted || atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel) != 1) return;
  eventlog_free(counted->eventlog);
  prologue_free(counted->prologue);
  pipeline_instance_unref(counted->instance);
  command_queue_free(counted->commands);
  free(counted);
}

uint64_t evp_stream_id(const struct evp_stream *stream)
{
  return stream->id;
}

const char *evp_stream_source(const struct evp_stream *stream)
{
  return stream->source;
}

const char *evp_stream_label(const struct evp_stream *stream, const char *key)
{
  for (size_t i = 0; i < stream->labels->n; i++)
    if (!strcmp(stream->labels->items[i].key, key)) return stream->labels->items[i].value;
  return NULL;
}

const struct evp_label *evp_stream_labels(const struct evp_stream *stream, size_t *n)
{
  *n = stream->labels->n;
  return stream->labels->items;
}

int64_t evp_stream_begin_time(const struct evp_stream *stream)
{
  return stream->begin_time;
}

bool evp_stream_live(const struct evp_stream *stream)
{
  return stream->live;
}

const char *evp_stream_program(const struct evp_stream *stream)
{
  return atomic_load(&stream->program);
}

const char *evp_stream_rts(const struct evp_stream *stream)
{
  return atomic_load(&stream->rts);
}

uint32_t evp_stream_pid(const struct evp_stream *stream)
{
  return atomic_load(&stream->pid);
}

enum evp_stream_state evp_stream_state(const struct evp_stream *stream)
{
  return (enum evp_stream_state)atomic_load(&stream->state);
}

bool evp_stream_where_ended(const struct evp_stream *stream, struct evp_stream_end *end)
{
  if (evp_stream_state(stream) == EVP_STREAM_OPEN) return false;
  *end = stream->end;
  return true;
}

uint32_t evp_stream_dialect(const struct evp_stream *stream)
{
  return atomic_load(&stream->dialect);
}

const struct evp_event_type *evp_stream_event_type(const struct evp_stream *stream, uint16_t number)
{
  return atomic_load(&stream->header) ? eventlog_type(stream->eventlog, number) : NULL;
}

const struct evp_event_type *evp_stream_event_types(const struct evp_stream *stream, size_t *n)
{
  *n = 0;
  return atomic_load(&stream->header) ? eventlog_types(stream->eventlog, n) : NULL;
}

size_t evp_prologue_read(const struct evp_stream *stream, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size)
{
  return stream->prologue ? prologue_read(stream->prologue, offset, end, buffer, size) : 0;
}

uint32_t evp_prologue_secrets(
  const struct evp_stream *stream, uint64_t begin, uint64_t end, struct evp_secret *secrets, uint32_t n)
{
  return stream->prologue ? prologue_secrets(stream->prologue, begin, end, secrets, n) : 0;
}

enum evp_status evp_control(const struct evp_stream *stream, const char *name_space, uint8_t id)
{
  struct command command;
  if (evp_stream_state(stream) != EVP_STREAM_OPEN) return EVP_END;
  if (!stream->commands || !command_write(&command, name_space, id)) return EVP_REJECT;
  return command_queue_push(stream->commands, &command);
}

bool evp_stream_controllable(const struct evp_stream *stream)
{
  return stream->commands != NULL;
}
