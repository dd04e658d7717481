#include "bands.h"

#include "hash.h"
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, KEY_MAX = 1 + BAND_PARTS * (LABEL_MAX + 1) };

static const char *const part_keys[BAND_PARTS] = {"band", "module", "type", "srcloc"};

void bands_init(struct bands *bands)
{
  *bands = (struct bands){.seed = hash_seed()};
}

void bands_free(struct bands *bands)
{
  for (uint32_t i = 0; i < bands->n; i++) free(bands->items[i].key);
  free(bands->items);
  hash_index_free(&bands->index);
}

void band_name_init(struct band_name *name, enum breakdown breakdown)
{
  name->breakdown = breakdown;
  for (size_t i = 0; i < BAND_PARTS; i++) label_make(&name->parts[i], "", 0);
}

const char *band_label(const struct band *band)
{
  return band->key + 1;
}

static uint32_t make_key(const struct band_name *name, char key[KEY_MAX])
{
  char *end = key;
  *end++ = (char)name->breakdown;
  for (size_t i = 0; i < BAND_PARTS; i++) {
    memcpy(end, name->parts[i].text, name->parts[i].size + 1);
    end += name->parts[i].size + 1;
  }
  return (uint32_t)(end - key);
}

static uint64_t hash_of_band(const void *owner, uint32_t number)
{
  const struct bands *bands = owner;
  return hash_bytes(bands->items[number].key, bands->items[number].key_size, bands->seed);
}

static uint32_t find(const struct bands *bands, const char *key, uint32_t size)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&bands->index, hash_bytes(key, size, bands->seed));
       (number = hash_index_at(&bands->index, slot)) != HASH_INDEX_NONE; slot++) {
    const struct band *band = &bands->items[number];
    if (band->key_size == size && memcmp(band->key, key, size) == 0) return number;
  }
  return BAND_NONE;
}

uint32_t bands_find(const struct bands *bands, const struct band_name *name)
{
  char key[KEY_MAX];
  return find(bands, key, make_key(name, key));
}

static bool make_room(struct bands *bands)
{
  if (!hash_index_reserve(&bands->index, hash_of_band, bands)) return false;
  if (bands->n < bands->capacity) return true;
  uint32_t capacity = bands->capacity ? bands->capacity * 2 : FIRST_CAPACITY;
  struct band *items = realloc(bands->items, capacity * sizeof *items);
  if (!items) return false;
  bands->items = items;
  bands->capacity = capacity;
  return true;
}

uint32_t bands_get(struct bands *bands, const struct band_name *name)
{
  char key[KEY_MAX];
  uint32_t size = make_key(name, key);
  uint32_t number = find(bands, key, size);
  if (number != BAND_NONE) return number;
  char *copy = malloc(size);
  if (!copy || !make_room(bands)) {
    free(copy);
    return BAND_NONE;
  }
  memcpy(copy, key, size);
  bands->items[bands->n] = (struct band){.key = copy, .key_size = size, .breakdown = (uint8_t)name->breakdown};
  hash_index_add(&bands->index, hash_of_band(bands, bands->n), bands->n);
  return bands->n++;
}

const struct evp_series *band_make_series(struct band *band, struct evp_ctx *ctx)
{
  struct evp_label labels[BAND_PARTS + 1] = {{"breakdown", breakdown_name((enum breakdown)band->breakdown)}};
  uint32_t n = 1;
  const char *part = band_label(band);
  for (size_t i = 0; i < BAND_PARTS; i++) {
    if (*part) labels[n++] = (struct evp_label){part_keys[i], part};
    part += strlen(part) + 1;
  }
  band->series = metric_series(ctx, METRIC_HEAP_CENSUS, labels, n);
  return band->series;
}

static bool is_forgotten(const struct band *band, uint32_t oldest)
{
  return !band->shown && band->generation < oldest;
}

static bool any_forgotten(const struct bands *bands, uint32_t oldest)
{
  for (uint32_t i = 0; i < bands->n; i++)
    if (is_forgotten(&bands->items[i], oldest)) return true;
  return false;
}

uint32_t bands_forget(struct bands *bands, struct evp_ctx *ctx, uint32_t oldest, uint32_t *numbers)
{
  uint32_t kept = 0;
  if (!any_forgotten(bands, oldest)) return 0;
  for (uint32_t i = 0; i < bands->n; i++) {
    struct band *band = &bands->items[i];
    numbers[i] = BAND_NONE;
    if (is_forgotten(band, oldest)) {
      if (band->series) evp_series_end(ctx, band->series);
      free(band->key);
    } else {
      numbers[i] = kept;
      bands->items[kept++] = *band;
    }
  }
  uint32_t dropped = bands->n - kept;
  bands->n = kept;
  hash_index_clear(&bands->index);
  for (uint32_t i = 0; i < kept; i++) hash_index_add(&bands->index, hash_of_band(bands, i), i);
  return dropped;
}
