#include "cost_centres.h"

#include "hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cost_centre {
  uint32_t id, module, label; /* the latter two in the pool */
};

void cost_centres_init(struct cost_centres *table)
{
  *table = (struct cost_centres){0};
  string_pool_init(&table->names);
}

void cost_centres_free(struct cost_centres *table)
{
  free(table->items);
  hash_index_free(&table->index);
  string_pool_free(&table->names);
}

static uint64_t hash_of_id(const struct cost_centres *table, uint32_t id)
{
  return hash_word(id, table->names.seed);
}

static uint64_t hash_of_centre(const void *owner, uint32_t number)
{
  const struct cost_centres *table = owner;
  return hash_of_id(table, table->items[number].id);
}

static struct cost_centre *find(const struct cost_centres *table, uint32_t id)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&table->index, hash_of_id(table, id));
       (number = hash_index_at(&table->index, slot)) != HASH_INDEX_NONE; slot++)
    if (table->items[number].id == id) return &table->items[number];
  return NULL;
}

static struct cost_centre *add(struct cost_centres *table, uint32_t id)
{
  if (table->n == table->capacity) {
    uint32_t capacity = table->capacity ? table->capacity + table->capacity / 2 : 256;
    if (capacity * sizeof *table->items > COST_CENTRES_MEMORY) return NULL;
    struct cost_centre *items = realloc(table->items, capacity * sizeof *items);
    if (!items) return NULL;
    table->items = items;
    table->capacity = capacity;
  }
  table->items[table->n] = (struct cost_centre){.id = id};
  if (!hash_index_reserve(&table->index, hash_of_centre, table)) return NULL;
  hash_index_add(&table->index, hash_of_id(table, id), table->n);
  return &table->items[table->n++];
}

/* A name of a label's length at most: a stack of 255 of them is put together in no time, whatever was defined. */
static bool intern(struct cost_centres *table, const char *name, size_t size, uint32_t *id)
{
  struct label clean;
  label_make(&clean, name, size);
  return string_pool_intern(&table->names, clean.text, clean.size, COST_CENTRES_MEMORY, id);
}

bool cost_centres_define(
  struct cost_centres *table, uint32_t id, const char *module, size_t module_size, const char *label, size_t label_size)
{
  struct cost_centre defined = {.id = id};
  bool fits = intern(table, module, module_size, &defined.module) && intern(table, label, label_size, &defined.label);
  struct cost_centre *item = fits ? find(table, id) : NULL;
  if (item && item->module == defined.module && item->label == defined.label) return false;
  if (fits && !item) item = add(table, id);
  if (item) *item = defined;
  if (!item) table->left_out++;
  return item != NULL;
}

static void add_text(struct label *label, const char *text)
{
  label_add(label, text, strlen(text));
}

static void add_name(const struct cost_centres *table, uint32_t id, struct label *name)
{
  const struct cost_centre *item = find(table, id);
  if (!item) {
    char number[16];
    snprintf(number, sizeof number, "%u", id);
    add_text(name, number);
    return;
  }
  if (item->module) {
    add_text(name, string_pool_text(&table->names, item->module));
    add_text(name, ".");
  }
  add_text(name, string_pool_text(&table->names, item->label));
}

void cost_centres_name(const struct cost_centres *table, struct evp_ids stack, struct label *name)
{
  if (stack.n == 0) add_text(name, "MAIN");
  for (size_t i = stack.n; i-- > 0;) {
    add_name(table, evp_id(stack, i), name);
    if (i > 0) add_text(name, ";");
  }
}
