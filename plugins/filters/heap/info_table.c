#include "info_table.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, TEXTS = 5 };

struct info_table_entry {
  uint32_t address[2]; /* in halves: 28 bytes, without padding */
  uint32_t texts[TEXTS]; /* name, module, type, file, span; in the pool */
};

void info_tables_init(struct info_tables *tables, uint64_t max_size)
{
  *tables = (struct info_tables){.max_size = max_size < SIZE_MAX ? (size_t)max_size : SIZE_MAX};
  string_pool_init(&tables->texts);
}

void info_tables_free(struct info_tables *tables)
{
  free(tables->entries);
  hash_index_free(&tables->index);
  string_pool_free(&tables->texts);
  info_tables_init(tables, tables->max_size);
}

size_t info_tables_memory(const struct info_tables *tables)
{
  return tables->capacity * sizeof *tables->entries + hash_index_memory(&tables->index) +
         string_pool_memory(&tables->texts);
}

static uint64_t address_of(const struct info_table_entry *entry)
{
  return (uint64_t)entry->address[0] << 32 | entry->address[1];
}

static uint64_t hash_of_address(const struct info_tables *tables, uint64_t address)
{
  return hash_word(address, tables->texts.seed);
}

static uint64_t hash_of_entry(const void *owner, uint32_t number)
{
  const struct info_tables *tables = owner;
  return hash_of_address(tables, address_of(&tables->entries[number]));
}

static struct info_table_entry *find(const struct info_tables *tables, uint64_t address)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&tables->index, hash_of_address(tables, address));
       (number = hash_index_at(&tables->index, slot)) != HASH_INDEX_NONE; slot++)
    if (address_of(&tables->entries[number]) == address) return &tables->entries[number];
  return NULL;
}

/* By an eighth: the memory of what is not used yet is what a table costs above its entries. */
static bool make_room(struct info_tables *tables)
{
  if (hash_index_growth(&tables->index) + info_tables_memory(tables) > tables->max_size) return false;
  if (!hash_index_reserve(&tables->index, hash_of_entry, tables)) return false;
  if (tables->n < tables->capacity) return true;
  uint32_t more = FIRST_CAPACITY + tables->capacity / 8;
  size_t growth = more * sizeof *tables->entries;
  if (tables->capacity > UINT32_MAX - more || info_tables_memory(tables) + growth > tables->max_size) return false;
  struct info_table_entry *entries = realloc(tables->entries, (tables->capacity + more) * sizeof *entries);
  if (!entries) return false;
  tables->entries = entries;
  tables->capacity += more;
  return true;
}

static bool intern(struct info_tables *tables, const struct evp_text *text, uint32_t *id)
{
  size_t others = info_tables_memory(tables) - string_pool_memory(&tables->texts);
  size_t left = tables->max_size > others ? tables->max_size - others : 0;
  return string_pool_intern(&tables->texts, text->data, text->size, left, id);
}

/* Of a location file:span the parts repeat more often than the whole. Constructors have just ":" there: one part. */
static struct info_table split(const struct evp_ipe *ipe)
{
  struct info_table table = {ipe->table_name, ipe->module, ipe->type, ipe->location, {"", 0}};
  const char *colon = ipe->location.size ? memchr(ipe->location.data, ':', ipe->location.size) : NULL;
  if (!colon || colon + 1 == ipe->location.data + ipe->location.size) return table;
  table.file.size = (size_t)(colon - ipe->location.data);
  table.span = (struct evp_text){colon + 1, ipe->location.size - table.file.size - 1};
  return table;
}

bool info_tables_define(struct info_tables *tables, const struct evp_ipe *ipe)
{
  struct info_table table = split(ipe);
  uint64_t address = ipe->address;
  const struct evp_text *texts[TEXTS] = {&table.name, &table.module, &table.type, &table.file, &table.span};
  struct info_table_entry defined = {.address = {(uint32_t)(address >> 32), (uint32_t)address}};
  struct info_table_entry *entry = find(tables, address);
  bool fits = entry || make_room(tables);
  for (size_t i = 0; i < TEXTS && fits; i++) fits = intern(tables, texts[i], &defined.texts[i]);
  if (!fits) {
    tables->left_out++;
    return false;
  }
  if (entry) {
    bool changed = memcmp(entry, &defined, sizeof defined) != 0;
    *entry = defined;
    return changed;
  }
  tables->entries[tables->n] = defined;
  hash_index_add(&tables->index, hash_of_address(tables, address), tables->n++);
  return true;
}

static struct evp_text text_of(const struct info_tables *tables, uint32_t id)
{
  const char *text = string_pool_text(&tables->texts, id);
  return (struct evp_text){text, strlen(text)};
}

bool info_tables_find(const struct info_tables *tables, uint64_t address, struct info_table *table)
{
  const struct info_table_entry *entry = find(tables, address);
  if (!entry) return false;
  *table = (struct info_table){text_of(tables, entry->texts[0]), text_of(tables, entry->texts[1]),
    text_of(tables, entry->texts[2]), text_of(tables, entry->texts[3]), text_of(tables, entry->texts[4])};
  return true;
}
