/* groups.h: which streams have written a part of a group, such as a census, and not yet its end: a scrape then would see half of
 * it. The rest comes at once, mostly, so that a scrape waits for it, but never long: neither for a group that stays open, nor
 * because one of many streams always has one.
 *
 * Owner    the sink. Threads  one at a time. Times are monotonic.
 */
#ifndef EVPIPE_PROMETHEUS_GROUPS_H
#define EVPIPE_PROMETHEUS_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#define GROUP_PATIENCE UINT64_C(100000000)

struct groups {
  uint32_t n_open;
  uint64_t opened; /* when the last of them was */
  uint64_t held; /* since when a scrape waits; 0: none does */
};

/* `open` is the stream's own, false at its begin: has it a group that is not all there? */
void groups_note(struct groups *, bool *open, bool more, uint64_t now);
/* Is a scrape to wait? Then ask again within GROUP_PATIENCE. */
bool groups_hold(struct groups *, uint64_t now);

#endif
