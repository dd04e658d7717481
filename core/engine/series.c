#include "engine/series.h"
#include "text.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct interned {
  struct evp_series series; /* first: a pointer to the series is a pointer to this */
  unsigned holders; /* under the lock; 0: in the dead list of an era */
  bool listed; /* it is in a dead list, maybe of an older era than that of its death, maybe alive again */
  uint64_t hash;
  struct interned *next; /* in its bucket */
  struct interned *next_dead;
  struct series_era *died; /* the era at which the last holder let go */
};

/* Blocks made between two deaths or so. A series that died in an era may be named by its blocks and by older ones. */
struct series_era {
  struct series_era *newer;
  atomic_size_t blocks;
  atomic_bool closed; /* somebody waits for its last block to leave */
  struct interned *dead;
};

struct series_table {
  pthread_mutex_t lock;
  struct interned **buckets;
  size_t n_buckets, n_series; /* n_buckets is a power of two */
  uint64_t last_id;
  struct series_era *oldest, *newest; /* never NULL */
};

enum { FIRST_BUCKETS = 256 };

static void collect(struct series_table *table);

struct series_table *series_table_new(void)
{
  struct series_table *table = calloc(1, sizeof *table);
  if (!table) return NULL;
  table->buckets = calloc(FIRST_BUCKETS, sizeof *table->buckets);
  table->oldest = table->newest = calloc(1, sizeof *table->newest);
  table->n_buckets = FIRST_BUCKETS;
  pthread_mutex_init(&table->lock, NULL);
  if (table->buckets && table->newest) return table;
  series_table_free(table);
  return NULL;
}

void series_table_free(struct series_table *table)
{
  if (!table) return;
  if (table->newest) collect(table);
  pthread_mutex_destroy(&table->lock);
  free(table->oldest);
  free(table->buckets);
  free(table);
}

/* FNV-1a, over the text and its end, so that ("a", "bc") differs from ("ab", "c"). */
static uint64_t hash_text(uint64_t hash, const char *text)
{
  for (;; text++) {
    hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    if (!*text) return hash;
  }
}

static uint64_t hash_series(const struct evp_series *series)
{
  uint64_t hash = hash_text(UINT64_C(14695981039346656037), series->name);
  for (uint32_t i = 0; i < series->n_labels; i++)
    hash = hash_text(hash_text(hash, series->labels[i].key), series->labels[i].value);
  return hash ^ (uint64_t)series->start * UINT64_C(0x9e3779b97f4a7c15);
}

static bool same_series(const struct evp_series *a, const struct evp_series *b)
{
  if (strcmp(a->name, b->name) || strcmp(a->unit, b->unit) || a->kind != b->kind || a->type != b->type ||
      a->start != b->start || a->n_labels != b->n_labels || a->n_bounds != b->n_bounds)
    return false;
  if (a->n_bounds && memcmp(a->bounds, b->bounds, a->n_bounds * sizeof *a->bounds)) return false;
  for (uint32_t i = 0; i < a->n_labels; i++)
    if (strcmp(a->labels[i].key, b->labels[i].key) || strcmp(a->labels[i].value, b->labels[i].value)) return false;
  return true;
}

static void grow_buckets(struct series_table *table)
{
  size_t n = table->n_buckets * 2;
  struct interned **buckets = calloc(n, sizeof *buckets);
  if (!buckets) return; /* longer chains, nothing worse */
  for (size_t i = 0; i < table->n_buckets; i++)
    for (struct interned *entry = table->buckets[i], *next; entry; entry = next) {
      next = entry->next;
      entry->next = buckets[entry->hash & (n - 1)];
      buckets[entry->hash & (n - 1)] = entry;
    }
  free(table->buckets);
  table->buckets = buckets;
  table->n_buckets = n;
}

static void free_interned(struct interned *entry)
{
  for (uint32_t i = 0; i < entry->series.n_labels; i++) {
    free((char *)(uintptr_t)entry->series.labels[i].key);
    free((char *)(uintptr_t)entry->series.labels[i].value);
  }
  free((void *)(uintptr_t)entry->series.labels);
  free((void *)(uintptr_t)entry->series.bounds);
  free((char *)(uintptr_t)entry->series.name);
  free((char *)(uintptr_t)entry->series.unit);
  free((char *)(uintptr_t)entry->series.help);
  free(entry);
}

static struct interned *interned_of(const struct evp_series *series)
{
  return (struct interned *)(uintptr_t)series;
}

static void list_dead(struct series_era *era, struct interned *entry)
{
  entry->listed = true;
  entry->next_dead = era->dead;
  era->dead = entry;
}

static void forget(struct series_table *table, struct interned *entry)
{
  struct interned **link = &table->buckets[entry->hash & (table->n_buckets - 1)];
  while (*link != entry) link = &(*link)->next;
  *link = entry->next;
  table->n_series--;
  free_interned(entry);
}

/* Some of the dead are alive again, some died a second time, later: those wait for that era. */
static void bury(struct series_table *table, struct series_era *era)
{
  struct interned *entry = era->dead;
  era->dead = NULL;
  for (struct interned *next; entry; entry = next) {
    next = entry->next_dead;
    entry->listed = false;
    if (entry->holders) continue;
    if (entry->died == era)
      forget(table, entry);
    else
      list_dead(entry->died, entry);
  }
}

/* Under the lock: from the oldest era on, as long as none has blocks. */
static void collect(struct series_table *table)
{
  while (!atomic_load_explicit(&table->oldest->blocks, memory_order_acquire)) {
    struct series_era *era = table->oldest;
    bury(table, era);
    if (era == table->newest) {
      atomic_store(&era->closed, false);
      return;
    }
    table->oldest = era->newer;
    free(era);
  }
}

static bool copy_labels(struct interned *entry, const struct evp_series *from)
{
  struct evp_label *labels = calloc(from->n_labels ? from->n_labels : 1, sizeof *labels);
  if (!labels) return false;
  entry->series.labels = labels;
  entry->series.n_labels = from->n_labels;
  for (uint32_t i = 0; i < from->n_labels; i++) {
    labels[i] = (struct evp_label){strdup(from->labels[i].key), strdup(from->labels[i].value)};
    if (!labels[i].key || !labels[i].value) return false;
  }
  return true;
}

static bool copy_bounds(struct interned *entry, const struct evp_series *from)
{
  if (!from->n_bounds) return true;
  double *bounds = malloc(from->n_bounds * sizeof *bounds);
  if (!bounds) return false;
  memcpy(bounds, from->bounds, from->n_bounds * sizeof *bounds);
  entry->series.bounds = bounds;
  entry->series.n_bounds = from->n_bounds;
  return true;
}

static struct interned *copy_series(const struct evp_series *from, uint64_t hash)
{
  struct interned *entry = calloc(1, sizeof *entry);
  if (!entry) return NULL;
  entry->hash = hash;
  entry->series.kind = from->kind;
  entry->series.type = from->type;
  entry->series.start = from->start;
  entry->series.name = strdup(from->name);
  entry->series.unit = strdup(from->unit);
  entry->series.help = strdup(from->help ? from->help : "");
  if (entry->series.name && entry->series.unit && entry->series.help && copy_labels(entry, from) &&
      copy_bounds(entry, from))
    return entry;
  free_interned(entry);
  return NULL;
}

static struct interned *find(struct series_table *table, const struct evp_series *wanted, uint64_t hash)
{
  struct interned *entry = table->buckets[hash & (table->n_buckets - 1)];
  while (entry && (entry->hash != hash || !same_series(&entry->series, wanted))) entry = entry->next;
  return entry;
}

static const struct evp_series *intern(struct series_table *table, const struct evp_series *wanted)
{
  uint64_t hash = hash_series(wanted);
  pthread_mutex_lock(&table->lock);
  struct interned *entry = find(table, wanted, hash);
  if (!entry) {
    if (table->n_series >= table->n_buckets) grow_buckets(table);
    entry = copy_series(wanted, hash);
    if (entry) {
      entry->series.id = ++table->last_id;
      entry->next = table->buckets[hash & (table->n_buckets - 1)];
      table->buckets[hash & (table->n_buckets - 1)] = entry;
      table->n_series++;
    }
  }
  if (entry) entry->holders++;
  pthread_mutex_unlock(&table->lock);
  return entry ? &entry->series : NULL;
}

static int by_key(const void *a, const void *b)
{
  return strcmp(((const struct evp_label *)a)->key, ((const struct evp_label *)b)->key);
}

static bool has_label(const struct evp_label *labels, uint32_t n, const char *key)
{
  for (uint32_t i = 0; i < n; i++)
    if (!strcmp(labels[i].key, key)) return true;
  return false;
}

/* The series' own labels, then those of the stream that it does not set itself; sorted. */
static uint32_t merge_labels(
  struct evp_label *merged, const struct evp_series *wanted, const struct evp_map *stream_labels)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < wanted->n_labels; i++)
    if (wanted->labels[i].value && wanted->labels[i].value[0]) merged[n++] = wanted->labels[i];
  for (size_t i = 0; stream_labels && i < stream_labels->n; i++)
    if (stream_labels->items[i].value[0] && !has_label(wanted->labels, wanted->n_labels, stream_labels->items[i].key))
      merged[n++] = stream_labels->items[i];
  qsort(merged, n, sizeof *merged, by_key);
  return n;
}

const struct evp_series *series_get(
  struct series_table *table, const struct evp_series *wanted, const struct evp_map *stream_labels)
{
  size_t room = wanted->n_labels + (stream_labels ? stream_labels->n : 0);
  struct evp_label *merged = calloc(room ? room : 1, sizeof *merged);
  char **clean = calloc(room ? room : 1, sizeof *clean);
  const struct evp_series *series = NULL;
  if (merged && clean) {
    struct evp_series whole = *wanted;
    whole.labels = merged;
    whole.n_labels = merge_labels(merged, wanted, stream_labels);
    if (!whole.unit) whole.unit = "";
    bool ok = true;
    for (uint32_t i = 0; i < whole.n_labels && ok; i++) {
      size_t size = strlen(merged[i].value);
      if (text_is_utf8(merged[i].value, size)) continue;
      clean[i] = text_make_utf8(merged[i].value, size, NULL);
      if (clean[i]) merged[i].value = clean[i];
      ok = clean[i] != NULL;
    }
    if (ok) series = intern(table, &whole);
    for (uint32_t i = 0; i < whole.n_labels; i++) free(clean[i]);
  }
  free(clean);
  free(merged);
  return series;
}

void series_unref(struct series_table *table, const struct evp_series *series)
{
  struct interned *entry = interned_of(series);
  pthread_mutex_lock(&table->lock);
  if (!--entry->holders) {
    entry->died = table->newest;
    if (!entry->listed) list_dead(table->newest, entry);
    atomic_store(&table->newest->closed, true);
    collect(table);
  }
  pthread_mutex_unlock(&table->lock);
}

/* A block that comes after a death begins an era of its own, so that it does not keep the dead. */
struct series_era *series_enter(struct series_table *table)
{
  pthread_mutex_lock(&table->lock);
  if (atomic_load_explicit(&table->newest->closed, memory_order_relaxed)) {
    struct series_era *era = calloc(1, sizeof *era);
    if (era) {
      table->newest->newer = era;
      table->newest = era;
      collect(table);
    }
  }
  struct series_era *era = table->newest;
  atomic_fetch_add_explicit(&era->blocks, 1, memory_order_relaxed);
  pthread_mutex_unlock(&table->lock);
  return era;
}

/* Without the lock, mostly. An era that is closed just now is looked at again with the next death or block. */
void series_leave(struct series_table *table, struct series_era *era)
{
  bool awaited = atomic_load_explicit(&era->closed, memory_order_relaxed);
  if (atomic_fetch_sub_explicit(&era->blocks, 1, memory_order_acq_rel) != 1 || !awaited) return;
  pthread_mutex_lock(&table->lock);
  collect(table);
  pthread_mutex_unlock(&table->lock);
}
