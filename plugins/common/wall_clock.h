/* wall_clock.h: the time of day, for what is stamped with it: Unix ns. To measure how long something takes, monotonic.h.
 * Threads  any.
 */
#ifndef EVPIPE_COMMON_WALL_CLOCK_H
#define EVPIPE_COMMON_WALL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t wall_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
