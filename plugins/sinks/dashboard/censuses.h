/* censuses.h: the heap censuses of a program: each packed to about four bytes a band, and a table of them by time.
 *
 * Bands of 0 bytes are not kept. A band without a row in a census had nothing.
 *
 * Owner    a program's history; its memory is taken from the budget. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_CENSUSES_H
#define EVPIPE_DASHBOARD_CENSUSES_H

#include "bands.h"
#include "census_store.h"
#include "column.h"

struct census_row {
  uint32_t band; /* number */
  uint64_t bytes;
};

struct census {
  int64_t time; /* first, as column.h wants it */
  uint64_t total; /* what the program says that all bands sum up to */
  struct piece packed;
  uint32_t n_rows, breakdown; /* number of the breakdown */
};

struct censuses {
  struct column column; /* of struct census */
  struct bands bands;
  struct census_store store;
};

void censuses_init(struct censuses *, struct budget *);
void censuses_free(struct censuses *);

/* Takes over the references that the rows have to their bands, and sorts the rows. NULL: no room; the references are given
   back then, too. */
const struct census *censuses_add(
  struct censuses *, int64_t time, uint8_t breakdown, uint64_t total, struct census_row *rows, uint32_t n);
static inline const struct census *censuses_at(const struct censuses *censuses, size_t i)
{
  return column_at(&censuses->column, i);
}
void censuses_trim(struct censuses *, int64_t oldest);
size_t censuses_cut(struct censuses *, int64_t latest); /* how many left */
bool censuses_thin(struct censuses *); /* the one with the larger total stays */
size_t censuses_memory(const struct censuses *);

/* The rows of a census, in order of their bands' numbers. */
struct census_reader {
  const uint8_t *at, *end;
  uint32_t band;
};
struct census_reader census_read(const struct census *);
bool census_next(struct census_reader *, struct census_row *);

#endif
