/* event_pattern.h: event types by name globs and numbers, as a set.
 *
 * Owner    the filter's instance. Threads: any, after it is made.
 */
#ifndef EVPIPE_SELECT_EVENT_PATTERN_H
#define EVPIPE_SELECT_EVENT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct type_set {
  uint64_t bits[1024]; /* every 16-bit number has its bit */
};

static inline bool type_set_has(const struct type_set *set, uint16_t type)
{
  return set->bits[type >> 6] >> (type & 63) & 1;
}

/* Adds what a pattern stands for: a number; or each event of the catalogue whose name matches it, in any case of letters;
   "*": all, also those that the catalogue does not know. False: it stands for nothing. */
bool event_pattern_add(struct type_set *, const char *pattern);

/* A pattern near to one that stands for nothing, "" if none is near. */
enum { EVENT_PATTERN_MAX = 64 };
void event_pattern_suggest(const char *pattern, char suggestion[EVENT_PATTERN_MAX]);

#endif
