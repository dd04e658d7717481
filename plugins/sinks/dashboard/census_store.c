#include "census_store.h"

#include "memory.h"

enum { CHUNK_MIN = 4 << 10, CHUNK_MAX = 256 << 10 };

/* The more there is the larger they are: at most an eighth is not used yet. */
static size_t chunk_size(const struct census_store *store, size_t piece)
{
  size_t size = store->memory / 8, needed = sizeof(struct chunk) + piece;
  if (size < CHUNK_MIN) size = CHUNK_MIN;
  if (size > CHUNK_MAX) size = CHUNK_MAX;
  return size < needed ? needed : size;
}

static void free_chunk(struct census_store *store, struct chunk *chunk)
{
  budget_give(store->budget, chunk->size);
  store->memory -= chunk->size;
  memory_resize(chunk, chunk->size, 0);
}

void census_store_close(struct census_store *store)
{
  struct chunk *open = store->open;
  store->open = NULL;
  if (open && open->pieces == 0) free_chunk(store, open);
}

static bool take(struct budget *budget, size_t size, bool moving)
{
  if (!moving) return budget_take(budget, size);
  budget->used += size;
  return true;
}

/* Making room may thin these censuses, too, and open another chunk. */
static bool open_chunk(struct census_store *store, size_t piece, bool moving)
{
  size_t size = chunk_size(store, piece);
  if (!take(store->budget, size, moving)) return false;
  struct chunk *chunk = memory_resize(NULL, 0, size);
  if (!chunk) {
    budget_give(store->budget, size);
    return false;
  }
  *chunk = (struct chunk){.size = size};
  census_store_close(store);
  store->open = chunk;
  store->memory += size;
  return true;
}

bool census_store_put(struct census_store *store, size_t size, bool moving, struct piece *piece)
{
  *piece = (struct piece){0};
  if (size == 0) return true;
  if (size > UINT32_MAX / 2) return false;
  struct chunk *open = store->open;
  bool fits = open && open->size - sizeof *open - open->used >= size;
  if (!fits && !open_chunk(store, size, moving)) return false;
  open = store->open;
  *piece = (struct piece){open, open->used, (uint32_t)size};
  open->used += (uint32_t)size;
  open->pieces++;
  return true;
}

void census_store_remove(struct census_store *store, const struct piece *piece)
{
  struct chunk *chunk = piece->chunk;
  if (chunk && --chunk->pieces == 0 && chunk != store->open) free_chunk(store, chunk);
}
