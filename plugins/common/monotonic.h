/* monotonic.h: the clock by which plugins measure how long something takes, in ns (CLOCK_MONOTONIC, as that of a sink's
 * ticks). Threads  any.
 */
#ifndef EVPIPE_COMMON_MONOTONIC_H
#define EVPIPE_COMMON_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline uint64_t monotonic(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
