/* table.h: the last value of each series, grouped as Prometheus wants it: what a scrape shows.
 *
 * A series here is a name with its labels. The core's series are more: a counter is another one after each reconnect. So one
 * here belongs to a stream, the one that it had a value from, until that stream has ended; a value of another stream is
 * then no longer a second answer to the same question but the next one.
 *
 * A series that ends (its stream has, or the core says so: a band that vanished) is shown for `linger`, and at least by one
 * scrape, and leaves. When there is no room, series that have ended leave first.
 *
 * Owner    the sink. Threads  one at a time. Bounds  max_series.
 */
#ifndef EVPIPE_PROMETHEUS_TABLE_H
#define EVPIPE_PROMETHEUS_TABLE_H

#include "hash_index.h"
#include "text.h"

struct family;

struct shown {
  struct family *family;
  uint64_t series; /* the core's id */
  uint64_t stream; /* the stream's id; 0: it has ended */
  uint64_t key; /* hash of the family and the labels */
  uint64_t ended; /* monotonic; 0: it has not */
  bool was_shown; /* since it ended */
  union {
    int64_t i;
    double d;
  } value;
  struct evp_buckets buckets; /* of histograms: `counts` is a copy */
  uint64_t *counts;
  size_t labels_size;
  char labels[]; /* as they are shown, without braces */
};

struct family {
  struct family *next; /* in the order of the names */
  char *name, *help, *unit;
  uint16_t kind, type;
  uint32_t n_bounds; /* the same for all of a family */
  double *bounds;
  struct shown **shown;
  size_t n, room;
};

struct table {
  struct family *families;
  struct shown **shown; /* all of them; the numbers in the indices */
  size_t n, room, n_ended;
  struct hash_index by_series, by_key;
  size_t rebound; /* numbers in by_series that lie under an id of the past */
  uint64_t seed;
  struct evp_buf scratch;
};

/* What became of a value. */
enum table_answer {
  TABLE_OK,
  TABLE_FULL, /* more than max_series */
  TABLE_DUPLICATE, /* another stream, which is not over, has a series of the same name and labels */
  TABLE_CONFLICT, /* the name is that of another kind of metric */
  TABLE_FALLING, /* a counter that falls */
  TABLE_NO_MEMORY
};

void table_init(struct table *);
void table_free(struct table *);
enum table_answer table_set(
  struct table *, size_t max_series, uint64_t stream, const struct evp_metric *metric, uint64_t now);
void table_end_stream(struct table *, uint64_t stream, uint64_t now);
void table_was_shown(struct table *); /* by a scrape */
/* Lets those go that have ended, were shown, and lingered. */
void table_sweep(struct table *, uint64_t now, uint64_t linger);

#endif
