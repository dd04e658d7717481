/* summary_state.h: what summary.c collects and summary_paint.c shows. Inside of print. */
#ifndef EVPIPE_PRINT_SUMMARY_STATE_H
#define EVPIPE_PRINT_SUMMARY_STATE_H

#include "summary.h"
#include "terminal.h"

enum {
  SUMMARY_SOURCES = 64,
  SUMMARY_ROWS = 32, /* of a source */
  SUMMARY_SERIES = 1024, /* of all; a power of two */
  SUMMARY_BANDS = 10,
  SUMMARY_TEXT = 192
};

struct row { /* a metric, added up over its series */
  char name[96], unit[16];
  uint16_t kind, type;
  double value, shown; /* of a histogram the sum */
  uint64_t count, count_shown; /* of a histogram */
  double bound; /* of a histogram: the greatest that something came near */
  bool beyond; /* something was above it */
  bool was_shown;
};

struct band {
  char name[SUMMARY_TEXT];
  int64_t bytes;
};

struct census {
  int64_t time, sum;
  uint64_t bands;
  char breakdown[32];
  size_t n; /* of the largest, in order */
  struct band largest[SUMMARY_BANDS];
};

struct source {
  char name[64];
  const struct evp_stream *stream; /* open; ours */
  uint64_t streams;
  char program[64], rts[64]; /* of the newest stream */
  uint32_t pid;
  bool takes_events; /* events came: their number means something */
  uint64_t events, events_shown, logs;
  char last_log[SUMMARY_TEXT];
  size_t n_rows;
  struct row rows[SUMMARY_ROWS];
  struct census next, census; /* being collected, complete */
};

struct series_value { /* the last value of a series */
  uint64_t id; /* 0: free; ids begin at 1 */
  struct row *row;
  double value;
  uint64_t count;
};

struct summary {
  size_t n_sources, n_series;
  struct source *sources[SUMMARY_SOURCES];
  struct series_value series[SUMMARY_SERIES];
  uint64_t left_out; /* items of sources, rows, series beyond the limits */
  bool changed; /* since the last painting */
  uint64_t painted; /* monotonic; 0: never */
  struct evp_buf text;
};

/* The lines of the picture, into summary->text; false: no memory. */
bool summary_compose(struct summary *, const struct terminal *, double seconds_since_last);

#endif
