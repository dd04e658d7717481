#include "engine/reader.h"
#include <string.h>

enum { LEAST_ROOM = 64 * 1024 };

void reader_free(struct reader *reader)
{
  slab_unref(reader->slab);
  reader->slab = NULL;
}

static void move_rest(struct reader *reader, struct slab *to)
{
  size_t rest = reader->used - reader->parsed;
  memmove(to->data, reader->slab->data + reader->parsed, rest);
  reader->sent = rest; /* bytes are handed on as they are read: the rest has gone out already */
  reader->parsed = 0;
  reader->used = rest;
}

bool reader_make_room(struct reader *reader)
{
  if (!reader->slab) {
    reader->slab = slab_get(reader->pool);
    return reader->slab != NULL;
  }
  if (atomic_load_explicit(&reader->slab->refs, memory_order_acquire) == 1) {
    move_rest(reader, reader->slab); /* nobody else looks: the same memory again, which is in the cache */
    return true;
  }
  if (SLAB_SIZE - reader->used >= LEAST_ROOM) return true;
  struct slab *next = slab_get(reader->pool);
  if (!next) return false;
  move_rest(reader, next);
  slab_unref(reader->slab);
  reader->slab = next;
  return true;
}
