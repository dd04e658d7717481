/* hash_index.h: from a hash to the number of an item that lies elsewhere; four bytes a slot, open addressing.
 *
 * The index knows neither keys nor items: who looks up compares each candidate, who adds says how to hash an item again
 * when the index grows. Items can not be taken out one by one; hash_index_clear() and add again.
 *
 *   for (size_t slot = hash_index_slot(index, hash); (number = hash_index_at(index, slot)) != HASH_INDEX_NONE; slot++)
 *     if (items[number] is it) return number;
 *
 * Threads  one at a time. Errors: false when there is no memory; nothing is changed then.
 */
#ifndef EVPIPE_COMMON_HASH_INDEX_H
#define EVPIPE_COMMON_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_INDEX_NONE UINT32_MAX

struct hash_index {
  uint32_t *slots; /* number + 1; 0: free */
  size_t mask; /* slots - 1, a power of two less one; 0 without slots */
  size_t used;
};

static inline size_t hash_index_slot(const struct hash_index *index, uint64_t hash)
{
  return (size_t)hash & index->mask;
}

static inline uint32_t hash_index_at(const struct hash_index *index, size_t slot)
{
  return index->slots ? index->slots[slot & index->mask] - 1 : HASH_INDEX_NONE;
}

typedef uint64_t hash_index_item_hash(const void *owner, uint32_t number);

/* Room for one more. */
bool hash_index_reserve(struct hash_index *, hash_index_item_hash *, const void *owner);
/* Bytes that the next hash_index_reserve() will add to hash_index_memory(); mostly 0. */
size_t hash_index_growth(const struct hash_index *);
void hash_index_add(struct hash_index *, uint64_t hash, uint32_t number); /* there is room for it */
void hash_index_clear(struct hash_index *); /* keeps its memory */
void hash_index_free(struct hash_index *);
size_t hash_index_memory(const struct hash_index *);

#endif
