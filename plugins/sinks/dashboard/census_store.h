/* census_store.h: where packed censuses lie: one behind the other, in chunks that are freed whole.
 *
 * A piece knows its chunk, and a chunk how many pieces it has: when the last one leaves it is freed. What thinning leaves is put
 * together anew by its owner, so that no chunk stays for the sake of a few.
 *
 * Owner    a program's censuses; its memory is taken from the budget. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_CENSUS_STORE_H
#define EVPIPE_DASHBOARD_CENSUS_STORE_H

#include "budget.h"

#include <stdint.h>

struct chunk {
  size_t size; /* with this head */
  uint32_t used, pieces;
  uint8_t bytes[];
};

struct piece {
  struct chunk *chunk; /* NULL: it is empty */
  uint32_t offset, size;
};

struct census_store {
  struct budget *budget;
  struct chunk *open; /* what is new goes there; it is not freed with its last piece */
  size_t memory;
};

/* Room for so many bytes; false: there is none. `moving`: it takes the place of another piece, which leaves then; it need not
   be within the limit meanwhile. */
bool census_store_put(struct census_store *, size_t size, bool moving, struct piece *);
void census_store_remove(struct census_store *, const struct piece *);
void census_store_close(struct census_store *); /* the open chunk; what comes goes into another one */

static inline uint8_t *piece_bytes(const struct piece *piece)
{
  return piece->chunk ? piece->chunk->bytes + piece->offset : NULL;
}

#endif
