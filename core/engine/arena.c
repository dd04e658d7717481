#include "engine/arena.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_CHUNK = 2048, LARGEST_STEP = 256 * 1024, ALIGNMENT = _Alignof(max_align_t) };

struct arena_chunk {
  struct arena_chunk *older;
  size_t size, used;
  _Alignas(max_align_t) unsigned char data[];
};

/* Chunks double, so that a small batch costs little and a large one few calls. A large piece leaves room for the small ones
   that go with it. */
static struct arena_chunk *grow(struct arena *arena, size_t size)
{
  size_t wanted = arena->chunks ? arena->chunks->size * 2 : SMALLEST_CHUNK;
  if (wanted > LARGEST_STEP) wanted = LARGEST_STEP;
  if (wanted < size) wanted = size + SMALLEST_CHUNK;
  if (wanted > SIZE_MAX - sizeof(struct arena_chunk)) return NULL;
  struct arena_chunk *chunk = malloc(sizeof *chunk + wanted);
  if (!chunk) return NULL;
  chunk->older = arena->chunks;
  chunk->size = wanted;
  chunk->used = 0;
  arena->chunks = chunk;
  arena->allocated += wanted;
  return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
  if (size > SIZE_MAX / 2) return NULL;
  size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  struct arena_chunk *chunk = arena->chunks;
  if (!chunk || chunk->size - chunk->used < size) chunk = grow(arena, size);
  if (!chunk) return NULL;
  void *piece = chunk->data + chunk->used;
  chunk->used += size;
  return piece;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
  void *piece = arena_alloc(arena, size);
  if (piece && size) memcpy(piece, data, size);
  return piece;
}

char *arena_string(struct arena *arena, const char *text, size_t size)
{
  char *piece = arena_alloc(arena, size + 1);
  if (!piece) return NULL;
  if (size) memcpy(piece, text, size);
  piece[size] = '\0';
  return piece;
}

void arena_reset(struct arena *arena)
{
  struct arena_chunk *chunk = arena->chunks;
  while (chunk && chunk->older) {
    struct arena_chunk *older = chunk->older;
    free(chunk);
    chunk = older;
  }
  arena->chunks = chunk;
  arena->allocated = chunk ? chunk->size : 0;
  if (chunk) chunk->used = 0;
}

void arena_free(struct arena *arena)
{
  arena_reset(arena);
  free(arena->chunks);
  *arena = (struct arena){0};
}
