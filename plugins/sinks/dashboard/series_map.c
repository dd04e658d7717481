#include "series_map.h"

#include "gauges.h"
#include "hash.h"
#include "pauses.h"
#include "programs.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

static uint64_t hash_of(const void *owner, uint32_t number)
{
  return hash_word(((const struct series_map *)owner)->items[number].series, 0); /* the core's own numbers */
}

static uint32_t number_label(const struct evp_series *series, const char *key, uint32_t limit)
{
  for (uint32_t i = 0; i < series->n_labels; i++) {
    if (strcmp(series->labels[i].key, key) != 0) continue;
    char *end;
    unsigned long number = strtoul(series->labels[i].value, &end, 10);
    return *end || number >= limit ? limit : (uint32_t)number;
  }
  return 0;
}

static void classify_integer(struct series_entry *entry, const struct evp_series *series)
{
  for (unsigned i = 0; i < GAUGE_COUNT; i++) {
    if (strcmp(series->name, gauge_names[i]) != 0) continue;
    entry->kind = SERIES_GAUGE;
    entry->target = i;
  }
  if (strcmp(series->name, "ghc_heap_census_bytes") == 0) entry->kind = SERIES_BAND;
  if (strcmp(series->name, "ghc_heap_profiled_bytes") == 0) entry->kind = SERIES_PROFILED;
  if (strcmp(series->name, "ghc_heap_allocated_bytes_total") == 0) {
    entry->target = number_label(series, "capability", CAPABILITIES_MAX);
    entry->kind = entry->target < CAPABILITIES_MAX ? SERIES_ALLOCATED : SERIES_OTHER;
  }
}

static void classify(struct series_entry *entry, const struct evp_series *series)
{
  if (series->type == EVP_INT64) classify_integer(entry, series);
  if (series->type == EVP_BUCKETS && strcmp(series->name, "ghc_gc_pause_seconds") == 0) {
    entry->target = number_label(series, "generation", GENERATIONS_MAX);
    entry->kind = entry->target < GENERATIONS_MAX ? SERIES_PAUSE : SERIES_OTHER;
  }
}

static size_t memory_of(const struct series_map *map)
{
  return map->capacity * sizeof *map->items + hash_index_memory(&map->index);
}

static bool resize(struct series_map *map, uint32_t capacity)
{
  struct series_entry *items = realloc(map->items, capacity * sizeof *items);
  if (!items) return false;
  map->items = items;
  map->capacity = capacity;
  return true;
}

static bool reserve(struct series_map *map)
{
  uint32_t capacity = map->n < map->capacity ? map->capacity : map->capacity ? 2 * map->capacity : FIRST_CAPACITY;
  size_t before = memory_of(map);
  size_t more = (capacity - map->capacity) * sizeof *map->items + hash_index_growth(&map->index);
  if (!budget_take(map->budget, more)) return false;
  bool ok = hash_index_reserve(&map->index, hash_of, map) && (capacity == map->capacity || resize(map, capacity));
  budget_give(map->budget, more - (memory_of(map) - before));
  return ok;
}

struct series_entry *series_map_get(struct series_map *map, const struct evp_series *series, bool *made)
{
  uint64_t hash = hash_word(series->id, 0);
  uint32_t number;
  *made = false;
  for (size_t slot = hash_index_slot(&map->index, hash); (number = hash_index_at(&map->index, slot)) != HASH_INDEX_NONE;
       slot++)
    if (map->items[number].series == series->id) return &map->items[number];
  if (!reserve(map)) return NULL;
  struct series_entry *entry = &map->items[map->n];
  *entry = (struct series_entry){.series = series->id};
  classify(entry, series);
  hash_index_add(&map->index, hash, map->n++);
  *made = true;
  return entry;
}

/* It was as large as a census was, perhaps, that had more bands than any before and after it: what is cleared is given back. */
void series_map_clear(struct series_map *map)
{
  struct series_map old = *map;
  *map = (struct series_map){.budget = old.budget};
  for (uint32_t i = 0; i < old.n && map->n < CAPABILITIES_MAX; i++) {
    if (old.items[i].kind != SERIES_ALLOCATED) continue;
    if (!reserve(map)) break;
    map->items[map->n] = old.items[i];
    hash_index_add(&map->index, hash_of(map, map->n), map->n);
    map->n++;
  }
  series_map_free(&old);
}

void series_map_free(struct series_map *map)
{
  if (map->budget) budget_give(map->budget, memory_of(map));
  free(map->items);
  hash_index_free(&map->index);
  *map = (struct series_map){.budget = map->budget};
}
