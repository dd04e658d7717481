#include "hash.h"

#include <time.h>
#include <unistd.h>

uint64_t hash_seed(void)
{
  uint64_t seed;
  if (getentropy(&seed, sizeof seed) == 0) return seed;
  struct timespec now; /* a kernel without getrandom(2): better guessable than not at all */
  clock_gettime(CLOCK_MONOTONIC, &now);
  return hash_word((uint64_t)now.tv_nsec ^ (uintptr_t)&now, (uint64_t)now.tv_sec);
}
