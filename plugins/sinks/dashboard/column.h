/* column.h: rows of one size in order of their time, which each begins with: a table that new rows join at its end or near
 * it, that loses its oldest rows, and whose older half can be thinned by two.
 *
 * Buffers of capabilities come one after the other, so that times go back a little again and again: a row is put where
 * its time belongs. Rows are moved by all that changes the table: a pointer to one lives until then.
 *
 * Owner    who made it; its memory is taken from a budget. Threads  one at a time.
 */
#ifndef EVPIPE_DASHBOARD_COLUMN_H
#define EVPIPE_DASHBOARD_COLUMN_H

#include "budget.h"

#include <stdint.h>

struct column {
  struct budget *budget;
  uint8_t *rows;
  size_t begin, n, capacity; /* in rows; those before `begin` are gone */
  size_t row_size;
};

/* Two neighbours, of which one is to be left: it is made of both in `first`, its time too. What the other held is freed. */
typedef void column_join(void *owner, void *first, void *second);
typedef void column_gone(void *owner, void *row); /* frees what the row holds */

void column_init(struct column *, struct budget *, size_t row_size); /* row_size: a multiple of 8 */
void column_free(struct column *);

static inline void *column_at(const struct column *column, size_t i)
{
  return column->rows + (column->begin + i) * column->row_size;
}

static inline int64_t column_time(const struct column *column, size_t i)
{
  return *(const int64_t *)column_at(column, i);
}

static inline size_t column_memory(const struct column *column)
{
  return column->capacity * column->row_size;
}

size_t column_find(const struct column *, int64_t time); /* the first row that is not before it; n if there is none */
/* A row behind those that are not later; all but its time is 0. NULL: no room, or no memory. */
void *column_insert(struct column *, int64_t time);
void column_remove(struct column *, size_t i);
/* Takes away the rows before the time, or the first ones. `gone` may be NULL. */
void column_trim(struct column *, int64_t oldest, column_gone *gone, void *owner);
/* Takes away the rows after the time; how many. */
size_t column_cut(struct column *, int64_t latest, column_gone *gone, void *owner);
void column_drop_first(struct column *, size_t n, column_gone *gone, void *owner);
/* False: there is but one row left. */
bool column_thin(struct column *, column_join *join, void *owner);

#endif
