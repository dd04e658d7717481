/* arena.h: bump allocation: many small pieces, freed at once. One owner, no locks. */
#ifndef EVPIPE_ARENA_H
#define EVPIPE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
  struct arena_chunk *chunks; /* newest first; allocation is from the newest */
  size_t allocated; /* bytes of all chunks */
};

void *arena_alloc(struct arena *, size_t size); /* aligned for any type, not zeroed; NULL: no memory */
void *arena_copy(struct arena *, const void *data, size_t size);
char *arena_string(struct arena *, const char *text, size_t size); /* copies and adds a NUL */
void arena_reset(struct arena *); /* everything is free again; the oldest chunk is kept for the next round */
void arena_free(struct arena *);

#endif
