/* Filter `sort`: events in the order of their times; of equal times, in the order of the stream. That is the order of
 * `ghc-events show`, which sorts a whole file stably.
 *
 * Without a window everything waits for the end of the stream: whatever the disorder, the order is exact. With one, events
 * go out as soon as the block markers say that nothing older can come, or, when these stall, a window after they came. */
#include "arrivals.h"
#include "held.h"
#include "part.h"
#include "spill.h"
#include "watermark.h"

#include <errno.h>
#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
/* GC_END is stamped before the records in front of it (by up to 190 us in real logs), so it may come in the next block. */
#define MARGIN (SECOND / 100)
#define LIVE_WINDOW (2 * SECOND)
#define LONGEST_TICK (SECOND / 4)

struct sort {
  uint64_t window, max_memory; /* options */
  struct evp_ctx *ctx;
  bool started;
  struct held held;
  struct spill spill; /* older than what is held */
  struct watermark watermark;
  struct arrivals arrivals;
  struct part *part;
  uint64_t release; /* events before this time go out */
  bool release_all;
  bool pending; /* not all that may go out has gone out */
  uint64_t emitted; /* greatest time of the events that went out */
};

static enum evp_status sort_create(void *self, struct evp_ctx *ctx)
{
  struct sort *sort = self;
  sort->ctx = ctx;
  evp_want_event(ctx, EVP_BLOCK_MARKER);
  evp_want_event(ctx, EVP_CAP_CREATE);
  evp_want_event(ctx, EVP_CAP_DELETE);
  evp_want_event(ctx, EVP_STARTUP);
  return EVP_OK;
}

static void sort_destroy(void *self)
{
  struct sort *sort = self;
  held_clear(&sort->held);
  spill_clear(&sort->spill);
  watermark_clear(&sort->watermark);
  arrivals_clear(&sort->arrivals);
  free(sort->part);
}

static enum evp_status no_memory(struct sort *sort)
{
  evp_error(sort->ctx, "no memory for the events that are held; they take %llu MiB: lower max_memory",
    (unsigned long long)(sort->held.size >> 20));
  return EVP_ERROR;
}

static enum evp_status no_disk(struct sort *sort)
{
  evp_error(sort->ctx, "the temporary file: %s; raise max_memory, or let $TMPDIR name a folder with more room",
    strerror(errno));
  return EVP_ERROR;
}

static bool waits_for_the_end(const struct sort *sort)
{
  return sort->window == EVP_NEVER;
}

static bool start(struct sort *sort, const struct evp_stream *stream)
{
  sort->started = true;
  if (!sort->window) sort->window = evp_stream_live(stream) ? LIVE_WINDOW : EVP_NEVER;
  if (!waits_for_the_end(sort))
    evp_tick_every(sort->ctx, sort->window / 8 < LONGEST_TICK ? sort->window / 8 + 1 : LONGEST_TICK);
  sort->part = calloc(1, sizeof *sort->part);
  return sort->part;
}

/* ------------------------------------------------------------------------------------------------ output */

static bool may_go(const struct sort *sort, uint64_t time)
{
  return sort->release_all || time < sort->release;
}

/* Puts the next event into the part; *done if there is none, or it has to wait. What was spilled is older than what is
   held, so it goes first if times are equal. */
static bool take_next(struct sort *sort, struct evp_out *out, bool *done)
{
  struct held *held = &sort->held;
  bool is_held = held->head < held->n, is_spilled;
  struct evp_event spilled;
  if (!spill_peek(&sort->spill, &spilled, &is_spilled)) return false;
  if (is_spilled && (!is_held || spilled.time <= held->entries[held->head].time)) {
    *done = !may_go(sort, spilled.time);
    if (*done) return true;
    part_copy(sort->part, &spilled);
    return spill_pop(&sort->spill);
  }
  *done = !is_held || !may_go(sort, held->entries[held->head].time);
  if (!*done) part_take_held(sort->part, held, out);
  return true;
}

static enum evp_status emit(struct sort *sort, struct evp_out *out)
{
  if (!sort->part) return EVP_OK; /* a stream without events */
  if (!held_sort(&sort->held)) return no_memory(sort);
  struct part *part = sort->part;
  part_begin(part);
  bool done = false;
  while (!done && !part_is_full(part))
    if (!take_next(sort, out, &done)) return no_disk(sort);
  if (!part_emit(part, out)) return EVP_ERROR;
  if (part->n && part->events[part->n - 1].time > sort->emitted) sort->emitted = part->events[part->n - 1].time;
  sort->pending = !done;
  return done ? EVP_OK : EVP_AGAIN;
}

/* ------------------------------------------------------------------------------------------------ input */

/* Counts what comes too late, and takes notice of what tells how far the stream is complete. True if events that are
   held may go out now. */
static bool see(struct sort *sort, const struct evp_batch *batch, bool *good)
{
  uint64_t late = 0;
  bool may_go_at_once = false;
  uint32_t dialect = evp_stream_dialect(batch->stream);
  for (uint32_t i = 0; i < batch->n && *good; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    late += event->time < sort->emitted;
    may_go_at_once |= event->time < sort->release;
    arrivals_see(&sort->arrivals, event->time);
    *good = watermark_see(&sort->watermark, dialect, event);
  }
  if (late) evp_late(sort->ctx, late);
  uint64_t complete = watermark_time(&sort->watermark);
  if (complete < MARGIN || complete - MARGIN <= sort->release) return may_go_at_once;
  sort->release = complete - MARGIN;
  return true;
}

static enum evp_status spill_held(struct sort *sort)
{
  struct held *held = &sort->held;
  if (!held_sort(held)) return no_memory(sort);
  if (!spill_begin(&sort->spill)) return no_disk(sort);
  while (held->head < held->n) {
    if (!spill_add(&sort->spill, held_event(held, &held->entries[held->head]))) return no_disk(sort);
    held_pop(held);
  }
  return spill_end(&sort->spill) ? EVP_OK : no_disk(sort);
}

static enum evp_status sort_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct sort *sort = self;
  bool good = sort->started || start(sort, batch->stream);
  bool can_go = good && !waits_for_the_end(sort) && see(sort, batch, &good);
  if (!good || !held_add(&sort->held, batch)) return no_memory(sort);
  enum evp_status status = can_go || sort->pending ? emit(sort, out) : EVP_OK;
  if (status == EVP_ERROR || sort->held.size <= sort->max_memory) return status;
  return spill_held(sort) == EVP_OK ? status : EVP_ERROR;
}

static enum evp_status sort_tick(void *self, uint64_t now, struct evp_out *out)
{
  struct sort *sort = self;
  if (!sort->started || waits_for_the_end(sort)) return EVP_OK;
  uint64_t newest = 0;
  if (!arrivals_tick(&sort->arrivals, now, sort->window, &newest)) return no_memory(sort);
  if (newest >= sort->release && newest < UINT64_MAX)
    sort->release = newest + 1;
  else if (!sort->pending)
    return EVP_OK;
  return emit(sort, out);
}

static enum evp_status sort_more(void *self, struct evp_out *out)
{
  return emit(self, out);
}

static enum evp_status sort_end(void *self, struct evp_out *out)
{
  struct sort *sort = self;
  sort->release_all = true;
  return emit(sort, out);
}

static const struct evp_option options[] = {
  EVP_DURATION(struct sort, window, "0s",
    "For how long events are held at most. none: until the end, the exact order. 0s: 2s if the stream is live, else "
    "none."),
  EVP_SIZE(
    struct sort, max_memory, "256MiB", "Events beyond that go to an unlinked temporary file in $TMPDIR, else /tmp."),
  EVP_OPTIONS_END,
};

EVP_PLUGIN(.kind = EVP_FILTER, .name = "sort", .summary = "Puts events into the order of their times.",
  .accepts = EVP_EVENTS, .emits = EVP_EVENTS, .options = options, .instance_size = sizeof(struct sort),
  .create = sort_create, .destroy = sort_destroy, .map = sort_map, .tick = sort_tick, .more = sort_more,
  .end = sort_end);
