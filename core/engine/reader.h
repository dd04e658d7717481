/* reader.h: the slab that a source reads into, and how far it was decoded and handed on. */
#ifndef EVPIPE_READER_H
#define EVPIPE_READER_H

#include "engine/slab.h"
#include <stdbool.h>

struct reader {
  struct slab_pool *pool;
  struct slab *slab; /* NULL: nothing read yet */
  size_t used; /* bytes that were read into it */
  size_t parsed; /* of these, decoded: what follows is an incomplete item */
  size_t sent; /* of these, handed on as bytes */
};

void reader_free(struct reader *);
/* Makes room for at least 64 KiB at data + used; moves the unparsed rest if it must. False: no memory. */
bool reader_make_room(struct reader *);
static inline size_t reader_room(const struct reader *reader)
{
  size_t room = SLAB_SIZE - reader->used;
  return room < SLAB_READ ? room : SLAB_READ;
}

#endif
