/* spill.h: events that a sort has no memory for: sorted runs in an unlinked temporary file ($TMPDIR, else /tmp).
 *
 * Runs are added in the order in which their events arrived. Of equal times an older run's events come first. So that the
 * merge stays narrow, as many runs as SPILL_FAN_IN of one size are made one when they are there.
 *
 * Owner    the filter's instance; its thread. Memory: a buffer for each run, at most some ten MiB.
 * Errors   false, and errno says why. Then the spill can only be cleared.
 */
#ifndef EVPIPE_SORT_SPILL_H
#define EVPIPE_SORT_SPILL_H

#include <evpipe.h>

enum { SPILL_FAN_IN = 32, SPILL_BUFFER = 128 * 1024 };

struct spill_run {
  uint64_t start; /* its place in the file */
  uint64_t begin, end; /* of what was not read yet */
  unsigned level; /* how often it was merged */
  uint8_t *buffer; /* from the file; NULL until it is needed */
  size_t at, filled; /* the event at hand begins at buffer[at]; at == filled: the run is over */
};

struct spill {
  int fd; /* when `open` */
  bool open;
  uint64_t end; /* of the file */
  struct spill_run *runs; /* in the order of arrival */
  size_t n_runs, capacity;
  size_t *heap; /* the runs that are not over, by the time of their event at hand */
  size_t n_heap;
  bool ready; /* the heap is made, of all runs */
  uint8_t *writing; /* what was not written yet, SPILL_BUFFER bytes */
  size_t n_writing;
};

void spill_clear(struct spill *);

/* A run: begin, its events in order, end. */
bool spill_begin(struct spill *);
bool spill_add(struct spill *, const struct evp_event *);
bool spill_end(struct spill *);

/* The next event of all runs, if *there is one; spill_pop() goes on to the one behind it. Its payload is good until then. */
bool spill_peek(struct spill *, struct evp_event *event, bool *there);
bool spill_pop(struct spill *);

#endif
