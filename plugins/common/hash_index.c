#include "hash_index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

static size_t slot_count(const struct hash_index *index)
{
  return index->slots ? index->mask + 1 : 0;
}

/* Four fifths full at most: linear probing then looks at three slots for a hit and thirteen for a miss. */
static bool is_full(const struct hash_index *index)
{
  return index->used + 1 > slot_count(index) / 5 * 4;
}

bool hash_index_reserve(struct hash_index *index, hash_index_item_hash *hash_of, const void *owner)
{
  if (!is_full(index)) return true;
  size_t slots = index->slots ? 2 * slot_count(index) : FIRST_SLOTS;
  struct hash_index grown = {.slots = calloc(slots, sizeof *grown.slots), .mask = slots - 1};
  if (!grown.slots) return false;
  for (size_t slot = 0; slot < slot_count(index); slot++) {
    uint32_t number = hash_index_at(index, slot);
    if (number != HASH_INDEX_NONE) hash_index_add(&grown, hash_of(owner, number), number);
  }
  free(index->slots);
  *index = grown;
  return true;
}

size_t hash_index_growth(const struct hash_index *index)
{
  if (!is_full(index)) return 0;
  return (index->slots ? slot_count(index) : FIRST_SLOTS) * sizeof *index->slots;
}

void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t number)
{
  size_t slot = hash_index_slot(index, hash);
  while (index->slots[slot]) slot = (slot + 1) & index->mask;
  index->slots[slot] = number + 1;
  index->used++;
}

void hash_index_clear(struct hash_index *index)
{
  if (index->slots) memset(index->slots, 0, slot_count(index) * sizeof *index->slots);
  index->used = 0;
}

void hash_index_free(struct hash_index *index)
{
  free(index->slots);
  *index = (struct hash_index){0};
}

size_t hash_index_memory(const struct hash_index *index)
{
  return slot_count(index) * sizeof *index->slots;
}
