/* monotonic.h: the clock that everything here is measured by, in ns. Threads  any. */
#ifndef EVPIPE_ZMQ_MONOTONIC_H
#define EVPIPE_ZMQ_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline uint64_t monotonic(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
