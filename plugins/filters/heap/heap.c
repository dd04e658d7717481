/* heap.c: the filter `heap`: heap sizes and heap censuses of a GHC program as metrics. See README.md. */
#include "census.h"
#include "gauges.h"
#include "program_info.h"
#include "rows.h"

#include <evpipe/events.h>

struct info_tables_options {
  uint64_t max_size;
};

struct heap {
  int64_t top, max_bands; /* options */
  bool addresses;
  int breakdown;
  struct info_tables_options info_tables;
  struct evp_ctx *ctx;
  struct gauges gauges;
  struct program_info program;
  struct census census;
  struct rows rows;
  uint64_t newest; /* greatest time seen or emitted */
  uint64_t orphans; /* rows outside of a census, of this batch */
  bool warned_orphans, warned_info_tables;
  bool has_end; /* the header declares SAMPLE_END: GHC 8.10 and later */
  uint32_t dialect;
};

static const uint16_t wanted[] = {EVP_PROGRAM_ARGS, EVP_HEAP_PROF_BEGIN, EVP_HEAP_PROF_COST_CENTRE,
  EVP_HEAP_PROF_SAMPLE_BEGIN, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, EVP_HEAP_PROF_SAMPLE_STRING, EVP_HEAP_PROF_SAMPLE_END,
  EVP_HEAP_BIO_PROF_SAMPLE_BEGIN,
  /* What can close a census that has no SAMPLE_END (GHC 8.2 to 8.8): the rare records of the buffer that it is in. */
  EVP_CAPSET_CREATE, EVP_CAPSET_DELETE, EVP_CAPSET_ASSIGN_CAP, EVP_CAPSET_REMOVE_CAP, EVP_WALL_CLOCK_TIME,
  EVP_CAP_CREATE, EVP_CAP_DELETE, EVP_CAP_DISABLE, EVP_CAP_ENABLE, EVP_TASK_CREATE, EVP_TASK_MIGRATE, EVP_TASK_DELETE};

static void want_events(struct heap *heap)
{
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) evp_want_event(heap->ctx, wanted[i]);
  if (heap->rows.needs_info_tables) evp_want_event(heap->ctx, EVP_IPE);
  program_info_want(heap->ctx);
}

static enum evp_status heap_create(void *self, struct evp_ctx *ctx)
{
  struct heap *heap = self;
  heap->ctx = ctx;
  struct row_settings settings = {.addresses = heap->addresses};
  settings.forced = breakdown_chosen(heap->breakdown, &settings.breakdown);
  census_init(&heap->census, ctx, (struct census_settings){(uint32_t)heap->top, (uint32_t)heap->max_bands});
  rows_init(&heap->rows, &heap->census, settings, heap->info_tables.max_size);
  gauges_init(&heap->gauges, ctx);
  want_events(heap);
  if (heap->top < 0 || heap->top > INT32_MAX) {
    evp_option_error(ctx, "top", "must be 0 (all) or the number of bands to keep");
    return EVP_ERROR;
  }
  if (heap->max_bands < 1 || heap->max_bands > INT32_MAX) {
    evp_option_error(ctx, "max_bands", "must be at least 1");
    return EVP_ERROR;
  }
  return EVP_OK;
}

static void heap_destroy(void *self)
{
  struct heap *heap = self;
  rows_free(&heap->rows);
  census_free(&heap->census);
  gauges_free(&heap->gauges);
  program_info_free(&heap->program);
}

/* -------------------------------------------------------------------------------------------------- definitions */

static bool define_profile(struct heap *heap, const struct evp_event *event)
{
  struct evp_heap_prof_begin profile;
  if (!evp_read_heap_prof_begin(event, heap->dialect, &profile)) return false;
  rows_declare(&heap->rows, profile.profile, profile.breakdown);
  return true;
}

static bool define_cost_centre(struct heap *heap, const struct evp_event *event)
{
  struct evp_heap_prof_cost_centre centre;
  if (!evp_read_heap_prof_cost_centre(event, heap->dialect, &centre)) return false;
  rows_cost_centre(&heap->rows, centre.id, centre.module, centre.label);
  return true;
}

static bool define_info_table(struct heap *heap, const struct evp_event *event)
{
  struct evp_ipe table;
  if (!evp_read_ipe(event, heap->dialect, &table)) return false;
  rows_info_table(&heap->rows, &table);
  if (heap->rows.info_tables.left_out == 0 || heap->warned_info_tables) return true;
  heap->warned_info_tables = true;
  evp_warn(heap->ctx,
    "the info table map needs more than %llu bytes: what does not fit is shown as (unresolved); see "
    "`info_tables: {max_size}`",
    (unsigned long long)heap->info_tables.max_size);
  return true;
}

static bool define_arguments(struct heap *heap, const struct evp_event *event)
{
  struct evp_program_args program;
  if (!evp_read_program_args(event, heap->dialect, &program)) return false;
  rows_arguments(&heap->rows, program.arguments);
  return true;
}

/* ------------------------------------------------------------------------------------------------------ census */

static enum evp_status finish_census(struct heap *heap, bool complete, struct evp_out *out)
{
  evp_emit_group_end(out); /* what came before is not of this group */
  if (heap->census.time > heap->newest) heap->newest = heap->census.time;
  return census_finish(&heap->census, rows_breakdown(&heap->rows, 0), complete, out);
}

static enum evp_status begin_census(struct heap *heap, uint64_t time, struct evp_out *out)
{
  if (heap->census.open && finish_census(heap, true, out) != EVP_OK) return EVP_ERROR;
  bool renumbered = census_begin(&heap->census, time);
  rows_begin(&heap->rows, renumbered);
  return EVP_OK;
}

/* Biographies are written when the program ends: the record says when the census was. */
static enum evp_status begin_biography(struct heap *heap, const struct evp_event *event, struct evp_out *out)
{
  struct evp_heap_bio_prof_sample_begin begin;
  if (!evp_read_heap_bio_prof_sample_begin(event, heap->dialect, &begin)) begin.sample_time = event->time;
  return begin_census(heap, begin.sample_time, out);
}

static enum evp_status end_census(struct heap *heap, struct evp_out *out)
{
  return heap->census.open ? finish_census(heap, true, out) : EVP_OK;
}

static enum evp_status malformed(struct heap *heap)
{
  evp_drop(heap->ctx, 1, "malformed");
  return EVP_OK;
}

static bool is_row(const struct evp_event *event)
{
  return event->type == EVP_HEAP_PROF_SAMPLE_STRING || event->type == EVP_HEAP_PROF_SAMPLE_COST_CENTRE;
}

static enum evp_status add_row(struct heap *heap, const struct evp_event *event)
{
  uint32_t band = rows_band(&heap->rows, event, heap->dialect);
  if (band == ROW_MALFORMED) return malformed(heap);
  if (band == BAND_NONE) {
    evp_error(heap->ctx, "no memory for the bands of a heap census");
    return EVP_ERROR;
  }
  census_add(&heap->census, band, evp_u64(event->data + 1));
  return EVP_OK;
}

/* The rows from item *i on: they come one after the other, and are most of what a heap profile is. */
static enum evp_status add_rows(struct heap *heap, const struct evp_batch *batch, uint32_t *i)
{
  enum evp_status status = EVP_OK;
  while (status == EVP_OK) {
    if (heap->census.open) *i = rows_add_expected(&heap->rows, batch, *i, &heap->newest);
    if (*i == batch->n) break;
    const struct evp_event *event = &batch->events[batch->sel[*i]];
    if (!is_row(event)) break;
    ++*i;
    if (event->time > heap->newest) heap->newest = event->time;
    if (heap->census.open)
      status = add_row(heap, event);
    else
      heap->orphans++;
  }
  return status;
}

/* Before GHC 8.10 nothing says that a census is over but that something else follows in its buffer. */
static bool ends_census(const struct heap *heap, const struct evp_event *event)
{
  return heap->census.open && !heap->has_end && event->cap == EVP_NO_CAP;
}

static enum evp_status on_other(struct heap *heap, const struct evp_event *event, struct evp_out *out)
{
  if (ends_census(heap, event) && finish_census(heap, true, out) != EVP_OK) return EVP_ERROR;
  bool understood = true;
  switch (event->type) {
  case EVP_PROGRAM_ARGS:
    understood = define_arguments(heap, event);
    break;
  case EVP_HEAP_PROF_BEGIN:
    understood = define_profile(heap, event);
    break;
  case EVP_HEAP_PROF_COST_CENTRE:
    understood = define_cost_centre(heap, event);
    break;
  case EVP_IPE:
    understood = define_info_table(heap, event);
    break;
  default:
    return gauges_event(&heap->gauges, event, heap->dialect, out);
  }
  return understood ? EVP_OK : malformed(heap);
}

static enum evp_status on_event(struct heap *heap, const struct evp_event *event, struct evp_out *out)
{
  if (event->time > heap->newest) heap->newest = event->time;
  switch (event->type) {
  case EVP_HEAP_PROF_SAMPLE_BEGIN:
    return begin_census(heap, event->time, out);
  case EVP_HEAP_BIO_PROF_SAMPLE_BEGIN:
    return begin_biography(heap, event, out);
  case EVP_HEAP_PROF_SAMPLE_END:
    return end_census(heap, out);
  default:
    return on_other(heap, event, out);
  }
}

static void report_orphans(struct heap *heap)
{
  if (heap->orphans == 0) return;
  evp_drop(heap->ctx, heap->orphans, "outside_census");
  if (!heap->warned_orphans) evp_info(heap->ctx, "rows of a heap census whose begin was not seen are left out");
  heap->warned_orphans = true;
  heap->orphans = 0;
}

static enum evp_status heap_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct heap *heap = self;
  heap->dialect = evp_stream_dialect(batch->stream);
  heap->has_end = evp_stream_event_type(batch->stream, EVP_HEAP_PROF_SAMPLE_END) != NULL;
  for (uint32_t i = 0; i < batch->n;) {
    if (add_rows(heap, batch, &i) != EVP_OK) return EVP_ERROR;
    if (i < batch->n && on_event(heap, &batch->events[batch->sel[i++]], out) != EVP_OK) return EVP_ERROR;
  }
  report_orphans(heap);
  return program_info_map(&heap->program, heap->ctx, batch, heap->newest, out);
}

/* What was shown is taken back, later than all that was shown. */
static enum evp_status heap_end(void *self, struct evp_out *out)
{
  struct heap *heap = self;
  if (heap->census.open) {
    if (heap->has_end) evp_warn(heap->ctx, "the stream ended within a heap census: its last census is incomplete");
    if (finish_census(heap, !heap->has_end, out) != EVP_OK) return EVP_ERROR;
  }
  if (heap->rows.info_tables.left_out) evp_drop(heap->ctx, heap->rows.info_tables.left_out, "info_tables");
  if (heap->rows.cost_centres.left_out) evp_drop(heap->ctx, heap->rows.cost_centres.left_out, "cost_centres");
  uint64_t time = heap->newest < INT64_MAX ? heap->newest + 1 : heap->newest;
  if (census_end(&heap->census, time, out) != EVP_OK) return EVP_ERROR;
  return program_info_end(&heap->program, heap->ctx, time, out);
}

static const struct evp_option info_tables_options[] = {
  EVP_SIZE(struct info_tables_options, max_size, "256MiB", "Memory for the info table map of one stream (-hi)."),
  EVP_OPTIONS_END};

static const struct evp_option options[] = {
  EVP_INT(struct heap, top, "0", "Keep the N largest bands of a census, add up the rest as (other); 0: all."),
  EVP_INT(struct heap, max_bands, "100000", "Bands remembered at a time; rows of further ones go into (other)."),
  EVP_BOOL(struct heap, addresses, "false", "Keep info tables without a name as bands, by their address."),
  EVP_CHOICE(
    struct heap, breakdown, "auto", "What the profile is broken down by; auto: as the stream says.", breakdown_choices),
  EVP_GROUP(struct heap, info_tables, info_tables_options, "The map from info tables to source places."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_FILTER, .name = "heap", .summary = "Heap sizes and heap censuses of a GHC program as metrics.",
  .accepts = EVP_EVENTS, .emits = EVP_METRICS, .options = options, .instance_size = sizeof(struct heap),
  .create = heap_create, .destroy = heap_destroy, .map = heap_map, .end = heap_end);
