/* pending.h: what came since the last push to a program's visitors, bounded: of more the larger ones are left.
 *
 * Owner    the program, as long as it has visitors. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_PENDING_H
#define EVPIPE_DASHBOARD_PENDING_H

#include "history.h"

#include <evpipe.h>

enum {
  PENDING_SAMPLES = 16,
  PENDING_CENSUSES = 4,
  PENDING_LOGS = 500,
  PENDING_LOG_BYTES = 256 << 10,
  PENDING_CENSUS_BYTES = 1 << 20
};

struct pending_samples {
  struct sample items[PENDING_SAMPLES];
  unsigned n;
};

struct pending_pauses {
  struct pause items[PENDING_SAMPLES];
  unsigned n;
};

struct pending_census {
  int64_t time;
  uint64_t total;
  uint8_t breakdown;
  struct evp_buf rows; /* JSON: [id,bytes],... */
};

struct pending {
  struct pending_samples gauges[GAUGE_COUNT];
  struct pending_pauses pauses[GENERATIONS_MAX];
  struct pending_census censuses[PENDING_CENSUSES];
  unsigned n_censuses;
  bool many_censuses; /* more than that came: the one with the largest total is left */
  struct evp_buf new_bands, logs; /* JSON: objects with commas between */
  unsigned n_logs;
  int64_t breaks[PENDING_SAMPLES];
  unsigned n_breaks;
  int64_t events_time, allocated_time; /* the newest; 0: nothing came */
  bool any, lost; /* no memory, or too much for a push: visitors have to load the history anew */
};

struct pending *pending_new(void);
void pending_free(struct pending *);
void pending_clear(struct pending *);

/* All take NULL for `pending`: nobody listens. */
void pending_gauge(struct pending *, enum gauge, int64_t time, int64_t value);
void pending_pause(struct pending *, unsigned generation, const struct pause *);
void pending_allocated(struct pending *, int64_t time);
void pending_events(struct pending *, int64_t time);
void pending_census(struct pending *, struct bands *, const struct census *);
void pending_log(struct pending *, const struct log_entry *);
void pending_break(struct pending *, int64_t time);

/* The event's data: what is pending, and then nothing is. False: no memory. */
bool pending_write(struct pending *, const struct history *, uint64_t sequence, struct evp_buf *);

#endif
