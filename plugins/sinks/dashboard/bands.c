#include "bands.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, IDLE_MIN = 64 };

/* Beside its key: its place here, in the list of free numbers, in the index, and in the maps of series of runs. */
enum { BAND_COST = sizeof(struct band) + sizeof(uint32_t) + 2 * sizeof(uint32_t) + 16 };

static const char *const part_labels[BAND_PARTS] = {"breakdown", "band", "module", "type", "srcloc"};

void bands_init(struct bands *bands, struct budget *budget)
{
  *bands = (struct bands){.budget = budget, .seed = hash_seed()};
}

static void forget_memory(struct bands *bands, size_t bytes)
{
  bands->memory -= bytes;
  budget_give(bands->budget, bytes);
}

void bands_free(struct bands *bands)
{
  for (uint32_t i = 0; i < bands->n; i++) free(bands->items[i].key);
  for (unsigned i = 0; i < bands->n_breakdowns; i++) free(bands->breakdowns[i]);
  free(bands->items);
  free(bands->free_numbers);
  hash_index_free(&bands->index);
  forget_memory(bands, bands->memory);
  bands_init(bands, bands->budget);
}

/* ------------------------------------------------------------------------------------------------------------ breakdowns */

uint8_t bands_breakdown(struct bands *bands, const char *name)
{
  for (unsigned i = 0; i < bands->n_breakdowns; i++)
    if (strcmp(bands->breakdowns[i], name) == 0) return (uint8_t)i;
  if (bands->n_breakdowns == BREAKDOWNS_MAX) return BREAKDOWNS_MAX - 1;
  char *copy = strdup(name);
  if (!copy) return 0;
  bands->breakdowns[bands->n_breakdowns] = copy;
  return (uint8_t)bands->n_breakdowns++;
}

const char *bands_breakdown_name(const struct bands *bands, uint8_t breakdown)
{
  return breakdown < bands->n_breakdowns ? bands->breakdowns[breakdown] : NULL;
}

/* ------------------------------------------------------------------------------------------------------------------ keys */

static const char *label_of(const struct evp_series *series, const char *key)
{
  for (uint32_t i = 0; i < series->n_labels; i++)
    if (strcmp(series->labels[i].key, key) == 0) return series->labels[i].value;
  return "";
}

static char *make_key(const struct evp_series *series, uint32_t *size)
{
  const char *parts[BAND_PARTS];
  size_t total = 0;
  for (unsigned i = 0; i < BAND_PARTS; i++) {
    parts[i] = label_of(series, part_labels[i]);
    total += strlen(parts[i]) + 1;
  }
  char *key = total <= UINT32_MAX ? malloc(total) : NULL, *end = key;
  for (unsigned i = 0; key && i < BAND_PARTS; i++) end = stpcpy(end, parts[i]) + 1;
  *size = (uint32_t)total;
  return key;
}

const char *band_part(const struct band *band, enum band_part part)
{
  const char *text = band->key;
  for (unsigned i = 0; i < part; i++) text += strlen(text) + 1;
  return *text ? text : NULL;
}

static uint64_t hash_of(const void *owner, uint32_t number)
{
  const struct bands *bands = owner;
  return hash_bytes(bands->items[number].key, bands->items[number].key_size, bands->seed);
}

static uint32_t find(const struct bands *bands, const char *key, uint32_t size)
{
  uint32_t number;
  size_t slot = hash_index_slot(&bands->index, hash_bytes(key, size, bands->seed));
  for (; (number = hash_index_at(&bands->index, slot)) != HASH_INDEX_NONE; slot++) {
    const struct band *band = &bands->items[number];
    if (band->key_size == size && memcmp(band->key, key, size) == 0) return number;
  }
  return BAND_NONE;
}

/* ------------------------------------------------------------------------------------------------------------------- add */

static bool grow(struct bands *bands)
{
  uint32_t capacity = bands->capacity ? 2 * bands->capacity : FIRST_CAPACITY;
  struct band *items = realloc(bands->items, capacity * sizeof *items);
  if (!items) return false;
  bands->items = items;
  uint32_t *numbers = realloc(bands->free_numbers, capacity * sizeof *numbers);
  if (!numbers) return false;
  bands->free_numbers = numbers;
  bands->capacity = capacity;
  return true;
}

static bool make_place(struct bands *bands)
{
  if (!hash_index_reserve(&bands->index, hash_of, bands)) return false;
  return bands->n_free > 0 || bands->n < bands->capacity || grow(bands);
}

static uint32_t add(struct bands *bands, char *key, uint32_t size)
{
  size_t cost = BAND_COST + size;
  if (!budget_take(bands->budget, cost)) return BAND_NONE;
  if (!make_place(bands)) {
    budget_give(bands->budget, cost);
    return BAND_NONE;
  }
  bands->memory += cost;
  uint32_t number = bands->n_free ? bands->free_numbers[--bands->n_free] : bands->n++;
  bands->items[number] = (struct band){.id = ++bands->last_id, .key = key, .key_size = size};
  bands->items[number].breakdown = bands_breakdown(bands, key);
  bands->idle++;
  hash_index_add(&bands->index, hash_of(bands, number), number);
  return number;
}

uint32_t bands_get(struct bands *bands, const struct evp_series *series)
{
  uint32_t size;
  char *key = make_key(series, &size);
  if (!key) return BAND_NONE;
  uint32_t number = find(bands, key, size);
  if (number == BAND_NONE && (number = add(bands, key, size)) != BAND_NONE) return number;
  free(key);
  return number;
}

/* ----------------------------------------------------------------------------------------------------------------- sweep */

void bands_sweep(struct bands *bands)
{
  if (bands->idle < IDLE_MIN || bands->idle < (bands->n - bands->n_free) / 4) return;
  hash_index_clear(&bands->index);
  bands->idle = 0;
  for (uint32_t i = 0; i < bands->n; i++) {
    struct band *band = &bands->items[i];
    if (band->references) {
      hash_index_add(&bands->index, hash_of(bands, i), i);
      continue;
    }
    if (!band->id) continue;
    forget_memory(bands, BAND_COST + band->key_size);
    free(band->key);
    *band = (struct band){0};
    bands->free_numbers[bands->n_free++] = i;
  }
}
