#include "rows.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Longer rows, and rows beyond this many bytes of them, are worked out again each time. */
enum { KEY_MAX = 2048 };
#define KEYS_MAX ((size_t)64 << 20)

void rows_init(struct rows *rows, struct census *census, struct row_settings settings, uint64_t max_info_tables)
{
  *rows = (struct rows){.settings = settings, .census = census, .seed = hash_seed()};
  cost_centres_init(&rows->cost_centres);
  info_tables_init(&rows->info_tables, max_info_tables);
  rows->needs_info_tables = !settings.forced || settings.breakdown == BREAKDOWN_INFO_TABLE;
}

void rows_free(struct rows *rows)
{
  cost_centres_free(&rows->cost_centres);
  info_tables_free(&rows->info_tables);
  free(rows->items);
  free(rows->keys);
  hash_index_free(&rows->index);
}

/* ------------------------------------------------------------------------------------------------- breakdown */

enum breakdown rows_breakdown(const struct rows *rows, uint8_t profile)
{
  if (rows->settings.forced) return rows->settings.breakdown;
  if (rows->declared[profile]) return (enum breakdown)rows->breakdowns[profile];
  return rows->of_arguments != BREAKDOWN_UNKNOWN ? rows->of_arguments : rows->of_labels;
}

static bool need_info_tables(const struct rows *rows)
{
  if (rows->settings.forced) return rows->settings.breakdown == BREAKDOWN_INFO_TABLE;
  bool declared = false;
  for (unsigned profile = 0; profile < 256; profile++) {
    if (rows->declared[profile] && rows->breakdowns[profile] == BREAKDOWN_INFO_TABLE) return true;
    declared = declared || rows->declared[profile];
  }
  if (declared) return false;
  if (rows->of_arguments != BREAKDOWN_UNKNOWN) return rows->of_arguments == BREAKDOWN_INFO_TABLE;
  return !rows->inferred || rows->of_labels == BREAKDOWN_INFO_TABLE;
}

/* Something about the breakdown was learnt: maybe that the map is not needed, which takes most of the memory. */
static void learnt(struct rows *rows)
{
  rows->needs_info_tables = need_info_tables(rows);
  if (!rows->needs_info_tables) info_tables_free(&rows->info_tables);
}

void rows_info_table(struct rows *rows, const struct evp_ipe *ipe)
{
  if (!rows->needs_info_tables) return;
  if (info_tables_define(&rows->info_tables, ipe)) rows->stale = true;
}

void rows_cost_centre(struct rows *rows, uint32_t id, struct evp_text module, struct evp_text label)
{
  if (cost_centres_define(&rows->cost_centres, id, module.data, module.size, label.data, label.size))
    rows->stale = true;
}

void rows_declare(struct rows *rows, uint8_t profile, uint32_t code)
{
  enum breakdown breakdown = breakdown_of_code(code);
  if (rows->declared[profile] && rows->breakdowns[profile] == breakdown) return;
  rows->declared[profile] = true;
  rows->breakdowns[profile] = (uint8_t)breakdown;
  rows->stale = true;
  learnt(rows);
}

void rows_arguments(struct rows *rows, struct evp_text arguments)
{
  enum breakdown breakdown = breakdown_of_arguments(arguments);
  if (breakdown == BREAKDOWN_UNKNOWN || breakdown == rows->of_arguments) return;
  rows->of_arguments = breakdown;
  rows->stale = true;
  learnt(rows);
}

static void infer(struct rows *rows, const char *label, size_t size)
{
  if (rows->inferred) return;
  rows->inferred = true;
  rows->of_labels = breakdown_of_label(label, size);
  learnt(rows);
}

/* -------------------------------------------------------------------------------------------- work out a band */

static void set_part(struct label *label, struct evp_text text)
{
  label_make(label, text.data, text.size);
}

static void set_label(struct band_name *name, const char *text, size_t size)
{
  label_make(&name->parts[BAND_LABEL], text, size);
}

static void name_info_table(struct band_name *name, const struct info_table *table)
{
  set_part(&name->parts[BAND_LABEL], table->name);
  set_part(&name->parts[BAND_MODULE], table->module);
  set_part(&name->parts[BAND_TYPE], table->type);
  struct label *place = &name->parts[BAND_SRCLOC];
  label_begin(place);
  label_add(place, table->file.data, table->file.size);
  if (table->span.size) label_add(place, ":", 1);
  label_add(place, table->span.data, table->span.size);
  label_end(place);
}

static void name_string(struct rows *rows, uint8_t profile, const char *text, size_t size)
{
  infer(rows, text, size);
  struct band_name *name = &rows->name;
  band_name_init(name, rows_breakdown(rows, profile));
  uint64_t address;
  struct info_table table;
  if (name->breakdown != BREAKDOWN_INFO_TABLE || !breakdown_address(text, size, &address))
    set_label(name, text, size);
  else if (info_tables_find(&rows->info_tables, address, &table))
    name_info_table(name, &table);
  else if (rows->settings.addresses)
    set_label(name, text, size);
  else
    set_label(name, "(unresolved)", strlen("(unresolved)"));
}

/* Whatever the arguments say: rows of this kind are written for a profile by cost centre only. */
static enum breakdown breakdown_of_stack(const struct rows *rows, uint8_t profile)
{
  bool said = rows->settings.forced || rows->declared[profile];
  return said ? rows_breakdown(rows, profile) : BREAKDOWN_COST_CENTRE;
}

static void name_stack(struct rows *rows, uint8_t profile, struct evp_ids stack)
{
  struct band_name *name = &rows->name;
  band_name_init(name, breakdown_of_stack(rows, profile));
  if (!rows->inferred) {
    rows->inferred = true;
    rows->of_labels = BREAKDOWN_COST_CENTRE;
    learnt(rows);
  }
  struct label *label = &name->parts[BAND_LABEL];
  label_begin(label);
  cost_centres_name(&rows->cost_centres, stack, label);
  label_end(label);
}

/* Reads the row with all checks; false: it is malformed. */
static bool name_row(struct rows *rows, const struct evp_event *event, uint32_t dialect)
{
  struct evp_heap_prof_sample_string string;
  struct evp_heap_prof_sample_cost_centre stack;
  if (event->type == EVP_HEAP_PROF_SAMPLE_COST_CENTRE) {
    if (!evp_read_heap_prof_sample_cost_centre(event, dialect, &stack)) return false;
    name_stack(rows, stack.profile, stack.stack);
  } else {
    if (!evp_read_heap_prof_sample_string(event, dialect, &string)) return false;
    name_string(rows, string.profile, string.label.data, string.label.size);
  }
  struct label *label = &rows->name.parts[BAND_LABEL];
  if (label->size == 0) set_label(&rows->name, "(empty)", strlen("(empty)"));
  return true;
}

/* --------------------------------------------------------------------------------------------- remember bands */

static void clear(struct rows *rows)
{
  rows->n = 0;
  rows->last = 0;
  rows->keys_size = 0;
  hash_index_clear(&rows->index);
}

void rows_begin(struct rows *rows, bool renumbered)
{
  if (rows->stale || renumbered) clear(rows);
  rows->stale = false;
}

static inline uint32_t head_of(const struct evp_event *event)
{
  uint32_t head;
  memcpy(&head, &event->size, sizeof head);
  return head;
}
_Static_assert(offsetof(struct evp_event, type) == offsetof(struct evp_event, size) + sizeof(uint16_t), "one head");

static inline size_t name_size(const struct evp_event *event)
{
  return event->size - (size_t)ROW_KEY;
}

static uint64_t hash_of_name(const struct rows *rows, uint32_t head, uint8_t profile, const uint8_t *name, size_t size)
{
  return hash_bytes(name, size, rows->seed ^ ((uint64_t)head << 8 | profile));
}

static uint64_t hash_of_row(const void *owner, uint32_t number)
{
  const struct rows *rows = owner;
  const struct row *row = &rows->items[number];
  const uint8_t *key = rows->keys + row->key;
  uint16_t size;
  memcpy(&size, &row->head, sizeof size);
  return hash_of_name(rows, row->head, key[0], key + 1, size - (size_t)ROW_KEY);
}

/* False of an event that is no row, too. */
static inline bool row_is(const struct row *row, const uint8_t *keys, const struct evp_event *event)
{
  if (row->head != head_of(event)) return false;
  const uint8_t *key = keys + row->key;
  return key[0] == event->data[0] && hash_same_bytes(key + 1, event->data + ROW_KEY, name_size(event));
}

static bool make_room(struct rows *rows, size_t size)
{
  if (!rows->keys || rows->keys_size + size > rows->keys_capacity) {
    size_t capacity = 2 * rows->keys_capacity + KEY_MAX;
    uint8_t *keys = realloc(rows->keys, capacity);
    if (!keys) return false;
    rows->keys = keys;
    rows->keys_capacity = capacity;
  }
  if (rows->n == rows->capacity) {
    uint32_t capacity = 2 * rows->capacity + 64;
    struct row *items = realloc(rows->items, capacity * sizeof *items);
    if (!items) return false;
    rows->items = items;
    rows->capacity = capacity;
  }
  return hash_index_reserve(&rows->index, hash_of_row, rows);
}

static void remember(struct rows *rows, uint64_t hash, const struct evp_event *event, uint32_t band)
{
  size_t size = name_size(event);
  if (size >= KEY_MAX) return;
  if (rows->keys_size + size + 1 > KEYS_MAX) clear(rows);
  if (!make_room(rows, size + 1)) return;
  uint32_t number = rows->n++;
  uint8_t *key = rows->keys + rows->keys_size;
  rows->items[number] = (struct row){.head = head_of(event), .key = (uint32_t)rows->keys_size, .band = band};
  key[0] = event->data[0];
  memcpy(key + 1, event->data + ROW_KEY, size);
  rows->keys_size += size + 1;
  hash_index_add(&rows->index, hash, number);
  rows->items[rows->last].next = number;
  rows->last = number;
}

static uint32_t find_row(const struct rows *rows, uint64_t hash, const struct evp_event *event)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&rows->index, hash);
       (number = hash_index_at(&rows->index, slot)) != HASH_INDEX_NONE; slot++)
    if (row_is(&rows->items[number], rows->keys, event)) return number;
  return HASH_INDEX_NONE;
}

static uint32_t work_out(struct rows *rows, const struct evp_event *event, uint32_t dialect, uint64_t hash)
{
  if (!name_row(rows, event, dialect)) return ROW_MALFORMED;
  uint64_t merged = rows->census->merged;
  uint32_t band = census_band(rows->census, &rows->name);
  bool is_own = rows->census->merged == merged; /* a row that found no place is looked for, and counted, again */
  if (band != BAND_NONE && is_own) remember(rows, hash, event, band);
  return band;
}

/* A row whose bytes are known needs none of the checks: they were made when it was first seen. */
uint32_t rows_band(struct rows *rows, const struct evp_event *event, uint32_t dialect)
{
  if (event->size < ROW_KEY) return ROW_MALFORMED;
  uint64_t hash = hash_of_name(rows, head_of(event), event->data[0], event->data + ROW_KEY, name_size(event));
  uint32_t number = find_row(rows, hash, event);
  if (number == HASH_INDEX_NONE) return work_out(rows, event, dialect, hash);
  rows->items[rows->last].next = number;
  rows->last = number;
  return rows->items[number].band;
}

/* Many a band is missing in one census and back in the next: is it the row behind it? HASH_INDEX_NONE: no. Apart, so that
   the loop's registers are not needed for it. */
static __attribute__((noinline)) uint32_t row_behind(
  const struct rows *rows, uint32_t missing, const struct evp_event *event)
{
  uint32_t behind = rows->items[missing].next;
  return row_is(&rows->items[behind], rows->keys, event) ? behind : HASH_INDEX_NONE;
}

/* The hottest loop of a heap profile, nearly all rows take it: what it needs is in local variables, so that they stay in
   registers. */
uint32_t rows_add_expected(struct rows *rows, const struct evp_batch *batch, uint32_t i, uint64_t *newest)
{
  if (!rows->n) return i;
  const struct row *const items = rows->items;
  const uint8_t *const keys = rows->keys;
  struct adder adder = census_adder(rows->census);
  uint64_t latest = *newest;
  uint32_t last = rows->last;
  for (; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    uint32_t expected = items[last].next;
    if (!row_is(&items[expected], keys, event)) {
      expected = row_behind(rows, expected, event);
      if (expected == HASH_INDEX_NONE) break;
    }
    if (event->time > latest) latest = event->time;
    adder_add(&adder, items[expected].band, evp_u64(event->data + 1));
    last = expected;
  }
  census_added(rows->census, &adder);
  rows->last = last;
  *newest = latest;
  return i;
}
