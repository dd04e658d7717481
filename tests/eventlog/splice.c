#include "splice.h"
#include "eventlog/catalogue.h"
#include "eventlog/eventlog.h"
#include "eventlog/prologue.h"
#include "feeder.h"

#include <evpipe/events.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct place {
  uint64_t offset, prologue;
};

/* What a log defines, whatever the order. */
struct definitions {
  uint64_t n, sum;
};

static uint64_t hash_event(const struct evp_event *event)
{
  uint64_t hash = event->type * UINT64_C(0x9e3779b97f4a7c15) ^ event->time;
  hash = hash * 31 + event->cap;
  for (unsigned i = 0; i < event->size; i++) hash = (hash ^ event->data[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static void add_definition(struct definitions *definitions, const struct evp_event *event)
{
  const struct catalogue_entry *known = catalogue_find(event->type);
  if (!known || !catalogue_defines(known, event->flags & EVP_EVENT_VARIABLE)) return;
  definitions->n++;
  definitions->sum += hash_event(event);
}

/* Reads a whole log that lies in memory; the places, if asked for, are counted in *n_places, at most as many as there is
   room for. */
static struct definitions read_log(const uint8_t *data, size_t size, struct prologue *prologue, struct place *places,
  size_t room, size_t *n_places, uint64_t *damages)
{
  struct definitions definitions = {0, 0};
  struct event_set *all = malloc(sizeof *all);
  struct evp_event *events = calloc(256, sizeof *events);
  if (!all || !events) abort();
  memset(all, 0xff, sizeof *all);
  struct eventlog_settings settings = {.wanted = all, .prologue = prologue, .walk = true};
  struct eventlog *log = eventlog_new(&settings);
  struct eventlog_step step = {.reason = EVENTLOG_FULL};
  for (size_t at = 0; step.reason != EVENTLOG_MORE && step.reason != EVENTLOG_RESTART; at += step.consumed) {
    eventlog_finish(log, data + at, size - at, events, 256, &step);
    for (uint32_t i = 0; i < step.n; i++) add_definition(&definitions, &events[i]);
    if (step.sync == SIZE_MAX || !places || *n_places == room) continue;
    places[(*n_places)++] = (struct place){at + step.sync, step.prologue_at_sync};
  }
  *damages = eventlog_state(log)->damages;
  eventlog_free(log);
  free(events);
  free(all);
  return definitions;
}

static int try_splice(const struct prologue *prologue, const struct place *place, const uint8_t *data, size_t size,
  struct definitions whole)
{
  size_t rest = size - (size_t)place->offset;
  uint8_t *spliced = malloc((size_t)place->prologue + rest);
  if (!spliced) abort();
  size_t got = 0;
  while (got < place->prologue) /* in small pieces, over the border between memory and file */
    got += prologue_read(prologue, got, place->prologue, spliced + got, 1000);
  memcpy(spliced + got, data + place->offset, rest);
  uint64_t damages;
  struct definitions found = read_log(spliced, got + rest, NULL, NULL, 0, NULL, &damages);
  free(spliced);
  if (!damages && found.n == whole.n && found.sum == whole.sum) return 0;
  printf("from %" PRIu64 " with %" PRIu64 " bytes of prologue: %" PRIu64 " damages, %" PRIu64 " of %" PRIu64
         " definitions\n",
    place->offset, place->prologue, damages, found.n, whole.n);
  return 1;
}

int try_splices(const uint8_t *data, size_t size, unsigned n)
{
  enum { PLACES = 4096 };
  struct place *places = calloc(PLACES, sizeof *places);
  size_t n_places = 0;
  struct prologue *prologue = prologue_new(20000, UINT64_C(1) << 30); /* the rest is spilled */
  if (!places || !prologue) abort();
  uint64_t damages;
  struct definitions whole = read_log(data, size, prologue, places, PLACES, &n_places, &damages);
  int status = 0;
  size_t stride = n_places > n ? n_places / n : 1;
  for (size_t i = 0; i < n_places && !status && !damages; i += stride)
    status = try_splice(prologue, &places[i], data, size, whole);
  prologue_free(prologue);
  free(places);
  return status;
}
