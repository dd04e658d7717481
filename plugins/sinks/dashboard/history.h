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
  int64_t newest; /* latest time of anything that is believed; INT64_MIN: there was nothing yet */
  int64_t leap, leap_last; /* times far after it that are not believed yet, from and to; INT64_MIN: there are none */
  uint64_t leap_voice; /* who said the first of them */
};

/* Of a live stream a time is believed at once up to so many ns after now. */
#define HISTORY_AHEAD INT64_C(60000000000)

void history_init(struct history *, struct budget *);
void history_free(struct history *);
bool history_break(struct history *, int64_t time); /* false: no room */
int64_t history_first(const struct history *); /* where what is shown begins; `newest` if there is nothing */
void history_trim(struct history *, int64_t oldest);
/* Takes note of a time that came. One that would leave nothing of what there is, because it is later than `newest` by more
   than `reach`, may be damaged: it is a leap, which is believed when times go on there, or the time is `sound` anyway. True:
   times go on where they were, so that the leap was none: history_cut() is due. Only the voice that leapt shows that: times
   are in order of one voice, but metrics come behind the events that they were made of. */
bool history_note(struct history *, int64_t time, uint64_t voice, uint64_t reach, bool sound);
size_t history_cut(struct history *, int64_t latest); /* takes away what is later; how many rows, without breaks */

/* The table that takes the most memory of those that can be thinned; 0: there is none. */
size_t history_largest(const struct history *, unsigned *table);
bool history_thin(struct history *, unsigned table);

#endif
