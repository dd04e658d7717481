/* running.h: which thread runs on which capability.
 *
 * Owner    the filter's instance; its thread.
 */
#ifndef EVPIPE_SELECT_RUNNING_H
#define EVPIPE_SELECT_RUNNING_H

#include <evpipe.h>

enum { RUNNING_NONE = 0 }; /* no thread has this number */

struct running {
  uint32_t *threads; /* by capability */
  size_t n;
};

void running_clear(struct running *);
/* Sets the thread that runs on a capability from now on. False: no memory. */
bool running_set(struct running *, uint16_t cap, uint32_t thread);

static inline uint32_t running_on(const struct running *running, uint16_t cap)
{
  return cap < running->n ? running->threads[cap] : RUNNING_NONE;
}

#endif
