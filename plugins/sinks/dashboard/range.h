/* range.h: a range of time cut into columns of equal width, each of which shows one of the samples that lie in it.
 *
 * Threads  any; nothing is kept.
 */
#ifndef EVPIPE_DASHBOARD_RANGE_H
#define EVPIPE_DASHBOARD_RANGE_H

#include "column.h"

struct range {
  int64_t from, to; /* both within */
  uint32_t columns;
  uint64_t width; /* of a column, ns; at least 1 */
};

static inline struct range range_of(int64_t from, int64_t to, uint32_t columns)
{
  uint64_t span = to > from ? (uint64_t)to - (uint64_t)from : 0;
  return (struct range){from, to, columns, span / columns + 1};
}

static inline uint32_t range_column(const struct range *range, int64_t time)
{
  return (uint32_t)(((uint64_t)time - (uint64_t)range->from) / range->width);
}

/* The rows that lie in it: [begin, end). */
static inline void range_rows(const struct range *range, const struct column *column, size_t *begin, size_t *end)
{
  *begin = column_find(column, range->from);
  *end = range->to == INT64_MAX ? column->n : column_find(column, range->to + 1);
  if (*end < *begin) *end = *begin;
}

#endif
