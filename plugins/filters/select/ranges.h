/* ranges.h: lists of numbers as options give them: "3", "4-7".
 *
 * Owner    the filter's instance. Threads: any, after it is made.
 */
#ifndef EVPIPE_SELECT_RANGES_H
#define EVPIPE_SELECT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
  uint32_t first, last;
};

struct ranges {
  struct range *items; /* NULL: no list was given */
  size_t n;
};

/* "3" or "4-7", of numbers up to `largest`, first <= last. */
bool range_parse(const char *text, uint32_t largest, struct range *);
bool ranges_have(const struct ranges *, uint32_t number);

#endif
