/* history.h: what is remembered of one program: a table for each thing that it says, bounded by age (`history`) and, with
 * those of all programs, by memory (`max_size`).
 *
 * What is thinned out keeps measured values: of two neighbours the larger one stays; what counts is added up.
 *
 * Owner    a program. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_HISTORY_H
#define EVPIPE_DASHBOARD_HISTORY_H

#include "censuses.h"
#include "gauges.h"
#include "log_ring.h"
#include "pauses.h"
#include "rates.h"

enum { BREAKS_MAX = 1000 };

struct history {
  struct column gauges[GAUGE_COUNT]; /* of struct sample */
  struct rates rates;
  struct generation generations[GENERATIONS_MAX];
  struct censuses censuses;
  struct log_ring logs;
  struct column breaks; /* of int64_t: what is from then on comes from another run than what was before */
  int64_t newest; /* latest time of anything; INT64_MIN: there was nothing yet */
};

void history_init(struct history *, struct budget *);
void history_free(struct history *);
bool history_break(struct history *, int64_t time); /* false: no room */
int64_t history_first(const struct history *); /* where what is shown begins; `newest` if there is nothing */
void history_trim(struct history *, int64_t oldest);

/* The table that takes the most memory of those that can be thinned; 0: there is none. */
size_t history_largest(const struct history *, unsigned *table);
bool history_thin(struct history *, unsigned table);

#endif
