#include "table.h"
#include "hash.h"
#include "names.h"
#include <stdlib.h>

void table_init(struct table *table)
{
  *table = (struct table){.seed = hash_seed()};
}

static void free_shown(struct shown *shown)
{
  free(shown->counts);
  free(shown);
}

static void free_family(struct family *family)
{
  free(family->name);
  free(family->help);
  free(family->unit);
  free(family->bounds);
  free(family->shown);
  free(family);
}

void table_free(struct table *table)
{
  for (size_t i = 0; i < table->n; i++) free_shown(table->shown[i]);
  for (struct family *family = table->families, *next; family; family = next) {
    next = family->next;
    free_family(family);
  }
  free(table->shown);
  hash_index_free(&table->by_series);
  hash_index_free(&table->by_key);
  text_free(&table->scratch);
}

/* ------------------------------------------------------------------------------------------------------------- indices */

/* Ids are the core's own numbers: nobody chooses their collisions. */
static uint64_t id_hash(uint64_t series)
{
  return hash_word(series, 0);
}

static uint64_t hash_of_series(const void *owner, uint32_t number)
{
  return id_hash(((const struct table *)owner)->shown[number]->series);
}

static uint64_t hash_of_key(const void *owner, uint32_t number)
{
  return ((const struct table *)owner)->shown[number]->key;
}

static struct shown *find_series(const struct table *table, uint64_t series)
{
  uint32_t number;
  for (size_t slot = hash_index_slot(&table->by_series, id_hash(series));
       (number = hash_index_at(&table->by_series, slot)) != HASH_INDEX_NONE; slot++)
    if (table->shown[number]->series == series) return table->shown[number];
  return NULL;
}

static bool find_key(const struct table *table, const struct family *family, uint64_t key, const void *labels,
  size_t size, uint32_t *found)
{
  for (size_t slot = hash_index_slot(&table->by_key, key);
       (*found = hash_index_at(&table->by_key, slot)) != HASH_INDEX_NONE; slot++) {
    const struct shown *shown = table->shown[*found];
    if (shown->key == key && shown->family == family && shown->labels_size == size &&
        !memcmp(shown->labels, labels, size))
      return true;
  }
  return false;
}

static void make_indices(struct table *table)
{
  hash_index_clear(&table->by_series);
  hash_index_clear(&table->by_key);
  table->rebound = 0;
  for (uint32_t i = 0; i < table->n; i++) {
    hash_index_add(&table->by_series, hash_of_series(table, i), i);
    hash_index_add(&table->by_key, hash_of_key(table, i), i);
  }
}

/* The core's series of that number is another one from now on. The old id stays in the index, where it leads to nothing. */
static bool rebind(struct table *table, uint32_t number, uint64_t series)
{
  if (!hash_index_reserve(&table->by_series, hash_of_series, table)) return false;
  table->shown[number]->series = series;
  hash_index_add(&table->by_series, id_hash(series), number);
  if (++table->rebound > table->n) make_indices(table);
  return true;
}

/* ------------------------------------------------------------------------------------------------------------ families */

static struct family *new_family(const char *name, const struct evp_series *series)
{
  struct family *family = calloc(1, sizeof *family);
  if (!family) return NULL;
  family->kind = series->kind;
  family->type = series->type;
  family->n_bounds = series->n_bounds;
  family->name = strdup(name);
  family->help = strdup(series->help ? series->help : "");
  family->unit = strdup(series->unit);
  family->bounds = calloc(series->n_bounds + 1u, sizeof *family->bounds);
  if (!family->name || !family->help || !family->unit || !family->bounds) {
    free_family(family);
    return NULL;
  }
  if (series->n_bounds) memcpy(family->bounds, series->bounds, series->n_bounds * sizeof *family->bounds);
  return family;
}

static bool fits(const struct family *family, const struct evp_series *series)
{
  return family->kind == series->kind && family->type == series->type && family->n_bounds == series->n_bounds &&
         (!series->n_bounds || !memcmp(family->bounds, series->bounds, series->n_bounds * sizeof *family->bounds));
}

/* The family of that name; made if there is none. */
static enum table_answer find_family(
  struct table *table, const char *name, const struct evp_series *series, struct family **found)
{
  struct family **link = &table->families;
  int order = 1;
  while (*link && (order = strcmp((*link)->name, name)) < 0) link = &(*link)->next;
  if (!*link || order) {
    struct family *family = new_family(name, series);
    if (!family) return TABLE_NO_MEMORY;
    family->next = *link;
    *link = family;
  }
  *found = *link;
  return fits(*found, series) ? TABLE_OK : TABLE_CONFLICT;
}

static bool add_to_family(struct family *family, struct shown *shown)
{
  if (family->n == family->room) {
    size_t room = family->room ? 2 * family->room : 8;
    struct shown **larger = reallocarray(family->shown, room, sizeof *larger);
    if (!larger) return false;
    family->shown = larger;
    family->room = room;
  }
  family->shown[family->n++] = shown;
  return true;
}

/* -------------------------------------------------------------------------------------------------------------- leaving */

static bool stays(const struct shown *shown)
{
  return shown->series != 0;
}

/* Those without a series id leave. */
static void close_ranks(struct table *table)
{
  for (struct family **link = &table->families, *family; (family = *link);) {
    size_t kept = 0;
    for (size_t i = 0; i < family->n; i++)
      if (stays(family->shown[i])) family->shown[kept++] = family->shown[i];
    family->n = kept;
    if (kept) {
      link = &family->next;
    } else {
      *link = family->next;
      free_family(family);
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < table->n; i++) {
    if (stays(table->shown[i]))
      table->shown[kept++] = table->shown[i];
    else
      free_shown(table->shown[i]);
  }
  table->n = kept;
  make_indices(table);
}

static void mark_ended(struct table *table, struct shown *shown, uint64_t now)
{
  if (shown->ended) return;
  shown->ended = now;
  shown->was_shown = false;
  table->n_ended++;
}

static void remove_ended(struct table *table, uint64_t now, uint64_t linger, bool all)
{
  size_t removed = 0;
  for (size_t i = 0; i < table->n; i++) {
    struct shown *shown = table->shown[i];
    if (!shown->ended || (!all && (!shown->was_shown || now - shown->ended < linger))) continue;
    shown->series = 0;
    removed++;
  }
  table->n_ended -= removed;
  if (removed) close_ranks(table);
}

void table_was_shown(struct table *table)
{
  for (size_t i = 0; table->n_ended && i < table->n; i++) table->shown[i]->was_shown = true;
}

void table_sweep(struct table *table, uint64_t now, uint64_t linger)
{
  if (table->n_ended) remove_ended(table, now, linger, false);
}

void table_end_stream(struct table *table, uint64_t stream, uint64_t now)
{
  for (size_t i = 0; i < table->n; i++) {
    if (table->shown[i]->stream != stream) continue;
    table->shown[i]->stream = 0;
    mark_ended(table, table->shown[i], now);
  }
}

/* --------------------------------------------------------------------------------------------------------------- adding */

static bool reserve(struct table *table)
{
  if (table->n == table->room) {
    size_t room = table->room ? 2 * table->room : 64;
    struct shown **larger = reallocarray(table->shown, room, sizeof *larger);
    if (!larger) return false;
    table->shown = larger;
    table->room = room;
  }
  return hash_index_reserve(&table->by_series, hash_of_series, table) &&
         hash_index_reserve(&table->by_key, hash_of_key, table);
}

static struct shown *new_shown(struct family *family, const void *labels, size_t size)
{
  struct shown *shown = calloc(1, sizeof *shown + size);
  if (!shown) return NULL;
  shown->family = family;
  shown->labels_size = size;
  memcpy(shown->labels, labels, size);
  if (family->kind == EVP_HISTOGRAM) shown->counts = calloc(family->n_bounds + 1u, sizeof *shown->counts);
  shown->buckets.counts = shown->counts;
  if (family->kind != EVP_HISTOGRAM || shown->counts) return shown;
  free_shown(shown);
  return NULL;
}

static enum table_answer add(struct table *table, struct family *family, uint64_t key, const void *labels, size_t size,
  uint64_t series, uint32_t *number)
{
  struct shown *shown = reserve(table) ? new_shown(family, labels, size) : NULL;
  if (!shown) return TABLE_NO_MEMORY;
  if (!add_to_family(family, shown)) {
    free_shown(shown);
    return TABLE_NO_MEMORY;
  }
  shown->series = series;
  shown->key = key;
  *number = (uint32_t)table->n;
  table->shown[table->n++] = shown;
  hash_index_add(&table->by_series, id_hash(series), *number);
  hash_index_add(&table->by_key, key, *number);
  return TABLE_OK;
}

/* A family of which nothing could be shown does not stay. */
static void drop_if_empty(struct table *table, struct family *family)
{
  struct family **link = &table->families;
  if (family->n) return;
  while (*link != family) link = &(*link)->next;
  *link = family->next;
  free_family(family);
}

/* A series that the table does not know by its id: new, or one of a stream before that goes on. */
static enum table_answer meet(struct table *table, size_t max_series, uint64_t stream, const struct evp_series *series,
  uint64_t now, struct shown **met)
{
  struct evp_buf *scratch = &table->scratch;
  struct family *family = NULL;
  scratch->size = 0;
  if (!name_family(scratch, series) || !text_put_char(scratch, 0)) return TABLE_NO_MEMORY;
  size_t begin = scratch->size;
  if (!name_labels(scratch, series)) return TABLE_NO_MEMORY;
  /* No series is removed once the family is looked up: it would leave with its last one. */
  if (table->n >= max_series && table->n_ended && !find_series(table, series->id)) remove_ended(table, now, 0, true);
  enum table_answer answer = find_family(table, (const char *)scratch->data, series, &family);
  if (answer != TABLE_OK) return answer;
  uint64_t key = hash_bytes(scratch->data, scratch->size, table->seed);
  uint32_t number;
  if (find_key(table, family, key, scratch->data + begin, scratch->size - begin, &number)) {
    *met = table->shown[number];
    if ((*met)->stream && (*met)->stream != stream) return TABLE_DUPLICATE;
    return rebind(table, number, series->id) ? TABLE_OK : TABLE_NO_MEMORY;
  }
  answer = table->n < max_series
             ? add(table, family, key, scratch->data + begin, scratch->size - begin, series->id, &number)
             : TABLE_FULL;
  if (answer == TABLE_OK)
    *met = table->shown[number];
  else
    drop_if_empty(table, family);
  return answer;
}

/* --------------------------------------------------------------------------------------------------------------- values */

static void store(struct shown *shown, const struct evp_metric *metric)
{
  switch (shown->family->type) {
  case EVP_BUCKETS:
    shown->buckets.count = metric->value.buckets->count;
    shown->buckets.sum = metric->value.buckets->sum;
    memcpy(shown->counts, metric->value.buckets->counts, (shown->family->n_bounds + 1u) * sizeof *shown->counts);
    return;
  case EVP_DOUBLE:
    shown->value.d = metric->value.d;
    return;
  default:
    shown->value.i = metric->value.i;
  }
}

static bool falls(const struct shown *shown, const struct evp_metric *metric)
{
  switch (shown->family->type) {
  case EVP_BUCKETS:
    return metric->value.buckets->count < shown->buckets.count;
  case EVP_DOUBLE:
    return metric->value.d < shown->value.d;
  default:
    return metric->value.i < shown->value.i;
  }
}

enum table_answer table_set(
  struct table *table, size_t max_series, uint64_t stream, const struct evp_metric *metric, uint64_t now)
{
  const struct evp_series *series = metric->series;
  struct shown *shown = find_series(table, series->id);
  bool known = shown != NULL; /* a counter of that id may not fall; one of another stream has another id */
  if (!shown) {
    enum table_answer answer = meet(table, max_series, stream, series, now, &shown);
    if (answer != TABLE_OK) return answer;
  }
  if (shown->stream && shown->stream != stream) return TABLE_DUPLICATE;
  if (known && series->kind != EVP_GAUGE && falls(shown, metric)) return TABLE_FALLING;
  store(shown, metric);
  shown->stream = stream;
  if (shown->ended) table->n_ended--;
  shown->ended = 0;
  if (metric->flags & EVP_METRIC_LAST) mark_ended(table, shown, now);
  return TABLE_OK;
}
