/* next_random.h: numbers that look random and are the same at each run, for tests that send what nobody thought of. */
#ifndef EVPIPE_TEST_NEXT_RANDOM_H
#define EVPIPE_TEST_NEXT_RANDOM_H

#include <stdint.h>

static inline uint32_t next_random(uint32_t *state)
{
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

#endif
