/* clock.h: what Unix time an event time of one stream is (DESIGN 3, "Time").
 *
 *   exact      from the first WALL_CLOCK_TIME on.
 *   estimated  live: the smallest (arrival - block end) seen, for that is where the delay was least. For a recording:
 *              its modification time minus the newest block's end. Used when what waits for the exact one may wait no
 *              longer; flagged, and said once.
 *   re-anchored  live: the arrival clock is compared with the epoch; when the least lag of a while has moved by more
 *              than a second (the machine was suspended, a clock was set or drifts), the epoch follows it.
 *
 * Nothing that was stamped is stamped again, and after a change of epoch time goes on from where it was: an item that
 * would fall behind gets the next free nanosecond.
 *
 * Owner    the flow of the stream; lane thread only.
 */
#ifndef EVPIPE_CLOCK_H
#define EVPIPE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
  bool live;
  bool known; /* `epoch` may be used to stamp */
  bool exact;
  int64_t epoch;
  int64_t modified; /* of a recording; 0: not known */
  int64_t least_lag; /* live: smallest (arrival - block end), INT64_MAX: no block yet */
  int64_t base_lag; /* the least lag that the epoch was checked against */
  int64_t window_begin, window_least; /* of the comparison under way */
  uint64_t newest_block_end;
  uint64_t claimed_block_end; /* of the newest block, believed or not: good enough for a guess, which binds nobody */
  int64_t newest_stamp; /* greatest Unix time given out */
  int64_t floor; /* items up to here would run backwards: INT64_MIN: no change of epoch yet */
  uint64_t last_raised; /* event time of the item that was last lifted over the floor */
  unsigned anchored; /* times the epoch was moved */
};

void clock_init(struct clock *, bool live, int64_t modified);
void clock_set_exact(struct clock *, int64_t epoch);
/* A block says that it ends at `end`, which nothing else confirms so far. */
void clock_claim(struct clock *, uint64_t end);
/* A block that ends at event time `end` arrived at Unix time `arrival`. True: the epoch was moved (log it). */
bool clock_block(struct clock *, int64_t arrival, uint64_t end);
/* Makes do with an estimate; `now` and `newest_time` serve where no block has been seen. */
void clock_estimate(struct clock *, int64_t now, uint64_t newest_time);
/* The best guess at the moment, for batches of events that can not wait. */
int64_t clock_guess(const struct clock *, int64_t now, uint64_t newest_time);
/* The next free Unix time for an item that would fall behind what was given out before a change of epoch. */
int64_t clock_raise(struct clock *, uint64_t event_time);

/* Unix time of an item. Called for every item: so it is here. */
static inline int64_t clock_stamp(struct clock *clock, uint64_t event_time)
{
  int64_t stamp;
  if (event_time > INT64_MAX || __builtin_add_overflow(clock->epoch, (int64_t)event_time, &stamp)) stamp = INT64_MAX;
  if (stamp <= clock->floor) stamp = clock_raise(clock, event_time);
  if (stamp > clock->newest_stamp) clock->newest_stamp = stamp;
  return stamp;
}

#endif
