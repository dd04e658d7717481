/* time.h: the two clocks of the engine, in nanoseconds. */
#ifndef EVPIPE_TIME_H
#define EVPIPE_TIME_H

#include <stdint.h>
#include <time.h>

enum { NS_PER_MS = 1000000 };
#define NS_PER_S UINT64_C(1000000000)

static inline uint64_t time_monotonic(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline int64_t time_unix(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)((uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec);
}

/* A deadline: `delay` after `time`; UINT64_MAX, never, if that is beyond all times, as after a delay of `never` (EVP_NEVER). */
static inline uint64_t time_after(uint64_t time, uint64_t delay)
{
  return delay > UINT64_MAX - time ? UINT64_MAX : time + delay;
}

/* What poll(2) and epoll_wait(2) want: milliseconds until a monotonic deadline, rounded up; -1 for UINT64_MAX. */
static inline int time_poll_timeout(uint64_t deadline)
{
  if (deadline == UINT64_MAX) return -1;
  uint64_t now = time_monotonic();
  if (deadline <= now) return 0;
  uint64_t ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
  return ms > 1000000 ? 1000000 : (int)ms;
}

#endif
