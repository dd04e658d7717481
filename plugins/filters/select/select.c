/* Filter `select`: lets events pass by type, capability, thread, and between two markers. All that is given must hold. */
#include "event_format.h"
#include "event_pattern.h"
#include "ranges.h"
#include "running.h"

#include <evpipe/events.h>
#include <stdlib.h>

struct select {
  struct evp_strings events, capabilities, threads, between; /* options */
  struct evp_ctx *ctx;
  struct type_set types;
  struct ranges cap_ranges, thread_ranges;
  struct running running; /* if threads are given */
  bool inside; /* of `between` */
  bool complained;
};

/* ------------------------------------------------------------------------------------------------ options */

static bool read_events(struct select *select)
{
  if (!select->events.n) return event_pattern_add(&select->types, "*");
  for (size_t i = 0; i < select->events.n; i++) {
    const char *pattern = select->events.items[i];
    if (event_pattern_add(&select->types, pattern)) continue;
    char suggestion[EVENT_PATTERN_MAX];
    event_pattern_suggest(pattern, suggestion);
    if (suggestion[0])
      evp_option_error(select->ctx, "events", "no event is called '%s'; did you mean '%s'?", pattern, suggestion);
    else
      evp_option_error(
        select->ctx, "events", "no event is called '%s'; docs/events.md lists them; a number is taken, too", pattern);
    return false;
  }
  return true;
}

/* `none`, if there is such a word, stands for the number `largest`. */
static bool read_ranges(struct select *select, const char *key, const struct evp_strings *list, uint32_t largest,
  const char *none, struct ranges *ranges)
{
  if (!list->n) return true;
  ranges->items = calloc(list->n, sizeof *ranges->items);
  if (!ranges->items) {
    evp_option_error(select->ctx, key, "no memory");
    return false;
  }
  for (size_t i = 0; i < list->n; i++) {
    struct range *range = &ranges->items[ranges->n++];
    if (range_parse(list->items[i], none ? largest - 1 : largest, range)) continue;
    if (none && strcmp(list->items[i], none) == 0) {
      *range = (struct range){largest, largest};
      continue;
    }
    evp_option_error(select->ctx, key, "'%s' is neither a number nor a range such as 0-3%s", list->items[i],
      none ? " nor 'none'" : "");
    return false;
  }
  return true;
}

static bool read_between(const struct select *select)
{
  if (!select->between.n || select->between.n == 2) return true;
  evp_option_error(select->ctx, "between", "takes two markers, [FIRST, LAST]; there %s %zu",
    select->between.n == 1 ? "is" : "are", select->between.n);
  return false;
}

/* What can not pass need not be decoded for those behind. */
static void limit_events(const struct select *select)
{
  if (!select->events.n) return;
  for (uint32_t type = 0; type < EVP_EVERY_EVENT; type++)
    if (type_set_has(&select->types, (uint16_t)type)) evp_pass_event(select->ctx, (uint16_t)type);
}

static enum evp_status select_create(void *self, struct evp_ctx *ctx)
{
  struct select *select = self;
  select->ctx = ctx;
  bool good = read_events(select);
  good &= read_ranges(select, "capabilities", &select->capabilities, EVP_NO_CAP, "none", &select->cap_ranges);
  good &= read_ranges(select, "threads", &select->threads, UINT32_MAX, NULL, &select->thread_ranges);
  good &= read_between(select);
  if (!good) return EVP_ERROR;
  limit_events(select);
  if (select->between.n) evp_want_event(ctx, EVP_USER_MARKER); /* what it needs to know itself */
  if (select->threads.n) {
    evp_want_event(ctx, EVP_RUN_THREAD);
    evp_want_event(ctx, EVP_STOP_THREAD);
  }
  return EVP_OK;
}

static void select_destroy(void *self)
{
  struct select *select = self;
  free(select->cap_ranges.items);
  free(select->thread_ranges.items);
  running_clear(&select->running);
}

/* ------------------------------------------------------------------------------------------------ selecting */

static bool is_marker(const struct evp_event *event, uint32_t dialect, const char *text)
{
  struct evp_user_marker marker;
  if (event->type != EVP_USER_MARKER || !evp_read_user_marker(event, dialect, &marker)) return false;
  return marker.marker.size == strlen(text) && memcmp(marker.marker.data, text, marker.marker.size) == 0;
}

/* Both markers belong to what lies between them. If they are the same text, each second one is the last. */
static bool is_between(struct select *select, const struct evp_event *event, uint32_t dialect)
{
  if (!select->inside) return select->inside = is_marker(event, dialect, select->between.items[0]);
  if (is_marker(event, dialect, select->between.items[1])) select->inside = false;
  return true;
}

/* The thread that an event is about; RUNNING_NONE if it names none. */
static uint32_t named_thread(const struct evp_event *event)
{
  struct event_payload payload;
  const struct event_format *format = event_format_find(event->type);
  for (size_t i = 0; format && i < format->n_fields; i++) {
    if (strcmp(format->fields[i].name, "thread") != 0) continue;
    return event_payload_read(&payload, event) && payload.values[i].there ? (uint32_t)payload.values[i].number
                                                                          : RUNNING_NONE;
  }
  return RUNNING_NONE;
}

static void set_running(struct select *select, uint16_t cap, uint32_t thread)
{
  if (running_set(&select->running, cap, thread) || select->complained) return;
  select->complained = true;
  evp_warn(select->ctx, "no memory to tell which thread runs on capability %u: its events are left out", cap);
}

/* It names one of the threads, or was made while one of them ran on its capability. */
static bool is_of_threads(struct select *select, const struct evp_event *event)
{
  uint32_t thread = named_thread(event);
  if (event->type == EVP_RUN_THREAD) set_running(select, event->cap, thread);
  uint32_t runs = running_on(&select->running, event->cap);
  if (event->type == EVP_STOP_THREAD) set_running(select, event->cap, RUNNING_NONE);
  return (thread != RUNNING_NONE && ranges_have(&select->thread_ranges, thread)) ||
         (runs != RUNNING_NONE && ranges_have(&select->thread_ranges, runs));
}

/* What keeps track comes first, whatever the others say. */
static bool passes(struct select *select, const struct evp_event *event, uint32_t dialect)
{
  bool pass = !select->between.n || is_between(select, event, dialect);
  if (select->threads.n) pass &= is_of_threads(select, event);
  if (select->capabilities.n) pass &= ranges_have(&select->cap_ranges, event->cap);
  return pass && type_set_has(&select->types, event->type);
}

static uint32_t select_select(void *self, const struct evp_batch *batch, uint16_t *sel, uint32_t n)
{
  struct select *select = self;
  uint32_t kept = 0, dialect = evp_stream_dialect(batch->stream);
  for (uint32_t i = 0; i < n; i++) {
    uint16_t index = sel[i];
    sel[kept] = index;
    kept += passes(select, &batch->events[index], dialect);
  }
  return kept;
}

static const struct evp_option options[] = {
  EVP_STRINGS(
    struct select, events, "Names of events, with * and ?, or numbers: [HEAP_*, USER_MARKER, 51]. Default: all."),
  EVP_STRINGS(struct select, capabilities, "Capabilities: [0, 2-3]; none: events of no capability. Default: all."),
  EVP_STRINGS(struct select, threads, "Threads: events that name one, or were made while it ran. Default: all."),
  EVP_STRINGS(struct select, between, "Two user markers: from the first to the last, each time. Both belong."),
  EVP_OPTIONS_END,
};

EVP_PLUGIN(.kind = EVP_FILTER, .name = "select",
  .summary = "Lets some events pass: by type, capability, thread, markers.", .accepts = EVP_EVENTS, .emits = EVP_EVENTS,
  .options = options, .instance_size = sizeof(struct select), .create = select_create, .destroy = select_destroy,
  .select = select_select);
