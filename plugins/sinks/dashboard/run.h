/* run.h: one stream of a program on its way into the program's history: which series is what, the census that is not
 * complete yet, what its counters said last.
 *
 * Owner    the sink: it is the memory of the stream (evp_stream_local). Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_RUN_H
#define EVPIPE_DASHBOARD_RUN_H

#include "programs.h"
#include "series_map.h"

/* Rows of one or more censuses, of one time. */
struct census_draft {
  struct census_row *rows; /* they hold references to their bands */
  uint32_t n, capacity;
  int64_t time;
  bool open;
  uint32_t vanished[BREAKDOWNS_MAX]; /* rows of 0 bytes */
  bool any[BREAKDOWNS_MAX]; /* there was a census */
  int64_t last[BREAKDOWNS_MAX]; /* time of the last one */
};

/* The first events of a stream, whose time is a guess until the program has said what time it is: they are held back until it
   has, or until it seems that it will not. */
struct early_events {
  uint64_t counts[EVP_CLASS_COUNT];
  uint64_t first, last; /* event times */
  int64_t epoch;
  uint32_t n;
  bool over;
};

struct run {
  struct run *next; /* of the program's open ones */
  const struct evp_stream *stream;
  struct program *program; /* NULL: there are too many programs */
  struct programs *programs;
  uint64_t reach; /* ns: how far back history reaches */
  bool begun; /* something of it came that has a time */
  uint64_t voice; /* whose times these are: of a signal, from a node */
  int64_t sound; /* times up to this one are believed at once; INT64_MIN: it is a recording */
  bool
    anew; /* history is another one than it was, begun anew or cut: visitors have to load it; the sink takes note of it */
  struct early_events early;
  struct series_map series;
  struct census_draft draft;
  char *census_origin; /* the node whose censuses are taken: two filters would give each twice */
  struct pause_state *pauses[GENERATIONS_MAX];
  uint64_t no_room, not_newer, other_censuses, wrong_time; /* items, to be counted by the sink */
  unsigned families; /* set of enum family: what came */
};

enum family { FAMILY_HEAP = 1, FAMILY_GC = 2 };

void run_begin(struct run *, struct programs *, const struct evp_stream *);
void run_end(struct run *);
/* History reaches back by `reach` ns (EVP_NEVER: everything). */
void run_take(struct run *, const struct evp_batch *, uint64_t reach);

#endif
