/* arrivals.h: for how long events have been held: by when they came, not by their own times.
 *
 * Owner    the filter's instance; its thread. Errors: false: no memory.
 */
#ifndef EVPIPE_SORT_ARRIVALS_H
#define EVPIPE_SORT_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arrival {
  uint64_t when; /* the tick after it */
  uint64_t newest; /* greatest time of the events that had come by then */
};

struct arrivals {
  struct arrival *items;
  size_t first, n, capacity;
  bool any; /* since the last tick */
  uint64_t newest;
};

void arrivals_clear(struct arrivals *);
void arrivals_see(struct arrivals *, uint64_t time);
/* At every tick. *newest becomes the greatest time of what came more than `window` ago, but nothing ahead of `now`:
   an event from the future, of a damaged stream, is not to drag all others with it. It is left alone if there is none. */
bool arrivals_tick(struct arrivals *, uint64_t now, uint64_t window, uint64_t *newest);

#endif
