#include "running.h"

#include <stdlib.h>
#include <string.h>

void running_clear(struct running *running)
{
  free(running->threads);
  *running = (struct running){0};
}

bool running_set(struct running *running, uint16_t cap, uint32_t thread)
{
  if (cap == EVP_NO_CAP) return true;
  if (cap >= running->n) {
    size_t n = (size_t)cap + 1;
    uint32_t *threads = reallocarray(running->threads, n, sizeof *threads);
    if (!threads) return false;
    memset(threads + running->n, 0, (n - running->n) * sizeof *threads);
    running->threads = threads;
    running->n = n;
  }
  running->threads[cap] = thread;
  return true;
}
