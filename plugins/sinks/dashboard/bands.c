#include "bands.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, IDLE_MIN = 64 };

/* Of a place: in the table, and in the list of free numbers. Of a key, beside its bytes: what malloc() takes. */
enum { PLACE_COST = sizeof(struct band) + sizeof(uint32_t), KEY_COST = 16 };

static const char *const part_labels[BAND_PARTS] = {"breakdown", "band", "module", "type", "srcloc"};

void bands_init(struct bands *bands, struct budget *budget)
{
  *bands = (struct bands){.budget = budget, .seed = hash_seed()};
}

static bool take_memory(struct bands *bands, size_t bytes)
{
  if (!budget_take(bands->budget, bytes)) return false;
  bands->memory += bytes;
  return true;
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
  budget_charge(bands->budget, strlen(name) + KEY_COST);
  bands->memory += strlen(name) + KEY_COST;
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

/* Room in table and list for so many; false: no memory, and there is no less room than before. */
static bool resize(struct bands *bands, uint32_t capacity)
{
  struct band *items = realloc(bands->items, capacity * sizeof *items);
  if (!items) return false;
  bands->items = items;
  uint32_t *numbers = realloc(bands->free_numbers, capacity * sizeof *numbers);
  if (!numbers && capacity > bands->capacity) return false;
  if (numbers) bands->free_numbers = numbers;
  bands->capacity = capacity;
  return true;
}

/* Making room may sweep these bands, too: then there are free numbers. */
static bool make_place(struct bands *bands)
{
  if (bands->n_free || bands->n < bands->capacity) return true;
  uint32_t more = bands->capacity / 2 > FIRST_CAPACITY ? bands->capacity / 2 : FIRST_CAPACITY;
  if (!take_memory(bands, (size_t)more * PLACE_COST)) return false;
  if (resize(bands, bands->capacity + more)) return true;
  forget_memory(bands, (size_t)more * PLACE_COST);
  return false;
}

static bool make_index(struct bands *bands)
{
  size_t growth = hash_index_growth(&bands->index);
  if (!take_memory(bands, growth)) return false;
  size_t before = hash_index_memory(&bands->index);
  bool ok = hash_index_reserve(&bands->index, hash_of, bands);
  forget_memory(bands, growth - (hash_index_memory(&bands->index) - before));
  return ok;
}

static uint32_t add(struct bands *bands, char *key, uint32_t size)
{
  uint8_t breakdown = bands_breakdown(bands, key);
  if (!take_memory(bands, KEY_COST + (size_t)size)) return BAND_NONE;
  if (!make_index(bands) || !make_place(bands)) {
    forget_memory(bands, KEY_COST + (size_t)size);
    return BAND_NONE;
  }
  uint32_t number = bands->n_free ? bands->free_numbers[--bands->n_free] : bands->n++;
  bands->items[number] = (struct band){.id = ++bands->last_id, .key = key, .key_size = size, .breakdown = breakdown};
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

static void free_band(struct bands *bands, struct band *band)
{
  forget_memory(bands, KEY_COST + (size_t)band->key_size);
  free(band->key);
  *band = (struct band){0};
}

/* Numbers behind the last one in use are not in use, and the table need not have room for them. */
static void shrink(struct bands *bands)
{
  while (bands->n && !bands->items[bands->n - 1].id) bands->n--;
  uint32_t capacity = bands->n + bands->n / 4 + FIRST_CAPACITY, before = bands->capacity;
  if (capacity < before / 2 && resize(bands, capacity)) forget_memory(bands, (size_t)(before - capacity) * PLACE_COST);
}

void bands_sweep(struct bands *bands)
{
  if (bands->idle < IDLE_MIN || bands->idle < (bands->n - bands->n_free) / 4) return;
  for (uint32_t i = 0; i < bands->n; i++)
    if (bands->items[i].id && !bands->items[i].references) free_band(bands, &bands->items[i]);
  bands->idle = 0;
  shrink(bands);
  hash_index_clear(&bands->index);
  bands->n_free = 0;
  for (uint32_t i = 0; i < bands->n; i++) {
    if (bands->items[i].id)
      hash_index_add(&bands->index, hash_of(bands, i), i);
    else
      bands->free_numbers[bands->n_free++] = i;
  }
}
