#include "arrivals.h"

#include <stdlib.h>
#include <string.h>

void arrivals_clear(struct arrivals *arrivals)
{
  free(arrivals->items);
  *arrivals = (struct arrivals){0};
}

void arrivals_see(struct arrivals *arrivals, uint64_t time)
{
  if (!arrivals->any || time > arrivals->newest) arrivals->newest = time;
  arrivals->any = true;
}

static bool push(struct arrivals *arrivals, struct arrival arrival)
{
  if (arrivals->first && arrivals->first + arrivals->n == arrivals->capacity) {
    memmove(arrivals->items, arrivals->items + arrivals->first, arrivals->n * sizeof *arrivals->items);
    arrivals->first = 0;
  }
  if (arrivals->n == arrivals->capacity) {
    size_t capacity = arrivals->capacity ? 2 * arrivals->capacity : 32;
    struct arrival *items = reallocarray(arrivals->items, capacity, sizeof *items);
    if (!items) return false;
    arrivals->items = items;
    arrivals->capacity = capacity;
  }
  arrivals->items[arrivals->first + arrivals->n++] = arrival;
  return true;
}

bool arrivals_tick(struct arrivals *arrivals, uint64_t now, uint64_t window, uint64_t *newest)
{
  if (arrivals->any && !push(arrivals, (struct arrival){now, arrivals->newest})) return false;
  arrivals->any = false;
  while (arrivals->n) {
    const struct arrival *oldest = &arrivals->items[arrivals->first];
    if (oldest->when > now || now - oldest->when < window) break;
    uint64_t time = oldest->newest < now ? oldest->newest : now;
    if (time > *newest) *newest = time;
    arrivals->first++;
    arrivals->n--;
  }
  return true;
}
