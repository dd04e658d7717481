/* deadlines.h: who is due next, of many: a pairing heap of monotonic times whose links lie in what is due, so that it
 * never allocates.
 *
 * Owner    whoever embeds it; one thread.
 */
#ifndef EVPIPE_DEADLINES_H
#define EVPIPE_DEADLINES_H

#include <stdint.h>

struct deadline {
  uint64_t due; /* UINT64_MAX: never, and it is in no heap */
  struct deadline *child, *next;
  struct deadline *previous; /* the elder sibling; of a first child the parent; of the root NULL */
};

struct deadlines {
  struct deadline *first; /* the earliest; NULL: nothing is ever due */
};

#define DEADLINE_NEVER ((struct deadline){.due = UINT64_MAX})

void deadlines_set(struct deadlines *, struct deadline *, uint64_t due);
static inline uint64_t deadlines_earliest(const struct deadlines *deadlines)
{
  return deadlines->first ? deadlines->first->due : UINT64_MAX;
}

#endif
