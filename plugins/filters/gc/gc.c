/* gc.c: the filter `gc`: pauses and statistics of a GHC program's garbage collections as metrics. See README.md. */
#include "collections.h"
#include "figures.h"

struct gc {
  struct evp_ctx *ctx;
  struct collections collections;
  struct figures figures;
  uint64_t newest; /* greatest time seen */
  bool warned_unpaired;
  uint32_t dialect;
};

/* Few on purpose: of a log of scheduling these are one record in thousands. */
static const uint16_t wanted[] = {EVP_GC_START, EVP_GC_END, EVP_GC_STATS_GHC, /* and before GHC 7.6: */
  EVP_REQUEST_SEQ_GC, EVP_REQUEST_PAR_GC, EVP_STARTUP};

static enum evp_status gc_create(void *self, struct evp_ctx *ctx)
{
  struct gc *gc = self;
  gc->ctx = gc->figures.ctx = ctx;
  gc->collections.single = true;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) evp_want_event(ctx, wanted[i]);
  return EVP_OK;
}

static void gc_destroy(void *self)
{
  struct gc *gc = self;
  collections_free(&gc->collections);
  figures_free(&gc->figures);
}

static enum evp_status refuse(struct gc *gc, const char *reason)
{
  evp_drop(gc->ctx, 1, reason);
  return EVP_OK;
}

static enum evp_status on_startup(struct gc *gc, const struct evp_event *event)
{
  struct evp_startup startup;
  if (!evp_read_startup(event, gc->dialect, &startup)) return refuse(gc, "malformed");
  gc->collections.single = startup.caps <= 1;
  return EVP_OK;
}

/* If the event made a collection whole, how long it was. */
static enum evp_status show_pause(struct gc *gc, struct collection *collection, struct evp_out *out)
{
  struct pause pause;
  bool known = gc->collections.tells_leader;
  if (!collection_take(&gc->collections, collection, &pause)) return EVP_OK;
  if (!known && figures_collection(&gc->figures, pause.generation, known, pause.end, out) != EVP_OK) return EVP_ERROR;
  return figures_pause(&gc->figures, &pause, known, out);
}

static enum evp_status on_statistics(
  struct gc *gc, const struct evp_event *event, struct collection *collection, struct evp_out *out)
{
  struct evp_gc_stats_ghc statistics;
  if (!evp_read_gc_stats_ghc(event, gc->dialect, &statistics)) return refuse(gc, "malformed");
  if (statistics.generation >= GENERATIONS_MAX) return refuse(gc, "generation");
  collection_lead(&gc->collections, collection, statistics.generation);
  if (figures_collection(&gc->figures, statistics.generation, true, event->time, out) != EVP_OK) return EVP_ERROR;
  if (figures_statistics(&gc->figures, &statistics, event->time, out) != EVP_OK) return EVP_ERROR;
  return show_pause(gc, collection, out);
}

static enum evp_status on_collection(struct gc *gc, const struct evp_event *event, struct evp_out *out)
{
  if (event->cap >= CAPABILITIES_MAX) return refuse(gc, "capability");
  struct collection *collection = collections_of(&gc->collections, event->cap);
  if (!collection) {
    evp_error(gc->ctx, "no memory for capability %u", event->cap);
    return EVP_ERROR;
  }
  if (event->cap > 0) gc->collections.single = false;
  switch (event->type) {
  case EVP_GC_START:
    collection_begin(&gc->collections, collection, event->time);
    return EVP_OK;
  case EVP_GC_END:
    collection_end(&gc->collections, collection, event->time);
    return show_pause(gc, collection, out);
  case EVP_GC_STATS_GHC:
    return on_statistics(gc, event, collection, out);
  default:
    collection_request(collection);
    return EVP_OK;
  }
}

static void report_unpaired(struct gc *gc)
{
  if (gc->collections.unpaired == 0) return;
  evp_drop(gc->ctx, gc->collections.unpaired, "unpaired");
  if (!gc->warned_unpaired) evp_info(gc->ctx, "collections whose begin or end was not seen are not among the pauses");
  gc->warned_unpaired = true;
  gc->collections.unpaired = 0;
}

static enum evp_status gc_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct gc *gc = self;
  gc->dialect = evp_stream_dialect(batch->stream);
  gc->collections.tells_leader = evp_stream_event_type(batch->stream, EVP_GC_STATS_GHC) != NULL;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    if (event->time > gc->newest) gc->newest = event->time;
    enum evp_status status = event->type == EVP_STARTUP ? on_startup(gc, event) : on_collection(gc, event, out);
    if (status != EVP_OK) return status;
  }
  report_unpaired(gc);
  return EVP_OK;
}

/* What was shown is taken back, later than all that was shown. */
static enum evp_status gc_end(void *self, struct evp_out *out)
{
  struct gc *gc = self;
  collections_finish(&gc->collections);
  report_unpaired(gc);
  return figures_end(&gc->figures, gc->newest < INT64_MAX ? gc->newest + 1 : gc->newest, out);
}

EVP_PLUGIN(.kind = EVP_FILTER, .name = "gc",
  .summary = "Pauses and statistics of a GHC program's garbage collections as metrics.", .accepts = EVP_EVENTS,
  .emits = EVP_METRICS, .instance_size = sizeof(struct gc), .create = gc_create, .destroy = gc_destroy, .map = gc_map,
  .end = gc_end);
