#include "string_pool.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

void string_pool_init(struct string_pool *pool)
{
  *pool = (struct string_pool){.seed = hash_seed()};
}

void string_pool_free(struct string_pool *pool)
{
  free(pool->bytes);
  hash_index_free(&pool->index);
}

const char *string_pool_text(const struct string_pool *pool, uint32_t id)
{
  return id ? pool->bytes + id - 1 : "";
}

size_t string_pool_memory(const struct string_pool *pool)
{
  return pool->capacity + hash_index_memory(&pool->index);
}

static uint64_t hash_of_string(const void *owner, uint32_t id)
{
  const struct string_pool *pool = owner;
  const char *text = string_pool_text(pool, id);
  return hash_bytes(text, strlen(text), pool->seed);
}

/* By a quarter, and not beyond what is left of `max_memory`: a pool that is nearly full is filled to the last byte. */
static bool make_room(struct string_pool *pool, size_t more, size_t max_memory)
{
  if (pool->capacity - pool->size >= more) return true;
  size_t used = string_pool_memory(pool);
  size_t left = max_memory > used ? max_memory - used : 0;
  size_t needed = pool->size + more - pool->capacity;
  size_t wanted = FIRST_CAPACITY + pool->capacity / 4;
  if (wanted > left) wanted = left;
  if (wanted < needed) wanted = needed;
  if (wanted > left || pool->capacity + wanted >= UINT32_MAX) return false;
  char *bytes = realloc(pool->bytes, pool->capacity + wanted);
  if (!bytes) return false;
  pool->bytes = bytes;
  pool->capacity += wanted;
  return true;
}

/* 0: it is not there. The text has no NUL, so a shorter string in the pool differs from it at its own NUL. */
static uint32_t find(const struct string_pool *pool, uint64_t hash, const char *text, size_t size)
{
  uint32_t id;
  for (size_t slot = hash_index_slot(&pool->index, hash); (id = hash_index_at(&pool->index, slot)) != HASH_INDEX_NONE;
       slot++) {
    const char *candidate = pool->bytes + id - 1;
    bool fits = size < pool->size - (id - 1);
    if (fits && memcmp(candidate, text, size) == 0 && candidate[size] == '\0') return id;
  }
  return 0;
}

bool string_pool_intern(struct string_pool *pool, const char *text, size_t size, size_t max_memory, uint32_t *id)
{
  *id = 0;
  if (size == 0) return true;
  uint64_t hash = hash_bytes(text, size, pool->seed);
  *id = find(pool, hash, text, size);
  if (*id) return true;
  size_t growth = hash_index_growth(&pool->index);
  if (growth && string_pool_memory(pool) + growth > max_memory) return false;
  if (!hash_index_reserve(&pool->index, hash_of_string, pool) || !make_room(pool, size + 1, max_memory)) return false;
  memcpy(pool->bytes + pool->size, text, size);
  pool->bytes[pool->size + size] = '\0';
  *id = (uint32_t)pool->size + 1;
  pool->size += size + 1;
  hash_index_add(&pool->index, hash, *id);
  return true;
}
