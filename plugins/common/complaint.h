/* complaint.h: says what is wrong once, then rarely: for whoever tries again and again.
 *
 * A text that differs from the last one is said at once, the same one after a minute. (evp_warn() limits the rate of
 * everything; this keeps a back end that is down for a day from filling the log with one line a retry.)
 *
 * Threads  one at a time. Errors: none.
 */
#ifndef EVPIPE_COMMON_COMPLAINT_H
#define EVPIPE_COMMON_COMPLAINT_H

#include <stdbool.h>
#include <stdint.h>

enum { COMPLAINT_TEXT_MAX = 512 };

struct complaint {
  char text[COMPLAINT_TEXT_MAX]; /* the last; empty: nothing is wrong */
  uint64_t said; /* monotonic ns */
  uint64_t unsaid; /* how often it was not said since */
};

/* Is `text` to be said now? `unsaid` is then how often it was kept back before. */
bool complaint_is_due(struct complaint *, const char *text, uint64_t *unsaid);
/* All is well again; true if something was wrong before. */
bool complaint_over(struct complaint *);

#endif
