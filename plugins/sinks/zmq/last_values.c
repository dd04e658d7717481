#include "last_values.h"
#include "hash.h"
#include <stdlib.h>
#include <string.h>

/* Ids are the core's own numbers: nobody chooses their collisions. */
static uint64_t hash_of(uint64_t series)
{
  return hash_word(series, 0);
}

static uint64_t item_hash(const void *owner, uint32_t number)
{
  return hash_of(((const struct last_values *)owner)->items[number].series);
}

static struct last_value *find(struct last_values *values, uint64_t series)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&values->index, hash_of(series));
       (number = hash_index_at(&values->index, slot)) != HASH_INDEX_NONE; slot++)
    if (values->items[number].series == series) return &values->items[number];
  return NULL;
}

static void let_go(struct last_values *values, struct last_value *item)
{
  values->memory -= item->room;
  values->live--;
  free(item->text);
  *item = (struct last_value){0};
}

/* Items that ended are filled up by those behind them, and the index is made anew. */
static void close_ranks(struct last_values *values)
{
  size_t kept = 0;
  values->moves++;
  for (size_t i = 0; i < values->n; i++)
    if (values->items[i].series) values->items[kept++] = values->items[i];
  values->n = kept;
  hash_index_clear(&values->index);
  for (size_t i = 0; i < kept; i++) hash_index_add(&values->index, item_hash(values, (uint32_t)i), (uint32_t)i);
}

static struct last_value *add(struct last_values *values, uint64_t series)
{
  if (values->live == LAST_VALUES_MAX) return NULL;
  if (values->n > 64 && values->live < values->n / 2) close_ranks(values);
  if (values->n == values->capacity) {
    size_t capacity = values->capacity ? 2 * values->capacity : 64;
    struct last_value *larger = realloc(values->items, capacity * sizeof *larger);
    if (!larger) return NULL;
    values->items = larger;
    values->capacity = capacity;
  }
  if (!hash_index_reserve(&values->index, item_hash, values)) return NULL;
  struct last_value *item = &values->items[values->n];
  *item = (struct last_value){.series = series};
  hash_index_add(&values->index, hash_of(series), (uint32_t)values->n++);
  values->live++;
  return item;
}

static bool has_room(struct last_values *values, struct last_value *item, size_t size)
{
  if (size <= item->room) return true;
  size_t room = size + 16; /* a number may grow */
  if (values->memory - item->room + room > LAST_VALUES_MEMORY) return false;
  char *text = realloc(item->text, room);
  if (!text) return false;
  values->memory += room - item->room;
  item->text = text;
  item->room = (uint32_t)room;
  return true;
}

bool last_values_set(struct last_values *values, const struct topic *topic, uint64_t stream, uint64_t series,
  const uint8_t *text, size_t size)
{
  struct last_value *item = find(values, series);
  if (!item && !(item = add(values, series))) return false;
  if (!has_room(values, item, size)) {
    let_go(values, item); /* an old value is worse than none */
    return false;
  }
  item->topic = topic;
  item->stream = stream;
  item->size = (uint32_t)size;
  memcpy(item->text, text, size);
  return true;
}

void last_values_remove(struct last_values *values, uint64_t series)
{
  struct last_value *item = find(values, series);
  if (item) let_go(values, item);
}

void last_values_end_stream(struct last_values *values, uint64_t stream)
{
  for (size_t i = 0; i < values->n; i++)
    if (values->items[i].series && values->items[i].stream == stream) let_go(values, &values->items[i]);
}

const struct last_value *last_values_next(const struct last_values *values, const struct topic *topic, uint64_t *number)
{
  for (; *number < values->n; ++*number) {
    const struct last_value *item = &values->items[*number];
    if (item->series && item->topic == topic) return item;
  }
  return NULL;
}

void last_values_free(struct last_values *values)
{
  for (size_t i = 0; i < values->n; i++) free(values->items[i].text);
  free(values->items);
  hash_index_free(&values->index);
  *values = (struct last_values){0};
}
