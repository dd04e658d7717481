/* budget.h: the memory that the history of all programs may take together (`max_size`).
 *
 * Whoever grows takes first. If there is no room, the owner is asked to make some, by thinning what is largest; that may be
 * the very table that wants to grow, which looks again before it goes on.
 *
 * Owner    the instance. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_BUDGET_H
#define EVPIPE_DASHBOARD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

struct budget {
  size_t limit, used;
  bool (*make_room)(void *owner); /* gives some back; false: there is nothing left to thin */
  void *owner;
  bool making_room; /* nobody grows meanwhile */
};

bool budget_take(struct budget *, size_t bytes); /* false: no room */

/* Takes it all the same, and thins what others have, if it can: for names, which are bounded by other limits, and without which nothing
   can be shown. */
void budget_charge(struct budget *, size_t bytes);

static inline void budget_give(struct budget *budget, size_t bytes)
{
  budget->used -= bytes;
}

#endif
