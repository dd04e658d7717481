/* string_pool.h: interned strings: each text once, in one piece of memory, named by a 32-bit id.
 *
 * Made for tables of millions of entries whose texts repeat: a string costs its bytes, a NUL and about seven bytes of
 * index. Ids stay valid as long as the pool; pointers only until the next string is added. Id 0 is the empty string.
 *
 * Threads  one at a time.
 */
#ifndef EVPIPE_COMMON_STRING_POOL_H
#define EVPIPE_COMMON_STRING_POOL_H

#include "hash_index.h"

struct string_pool {
  char *bytes; /* the strings, each with its NUL; an id is where it begins, less one */
  size_t size, capacity;
  struct hash_index index;
  uint64_t seed;
};

void string_pool_init(struct string_pool *);
void string_pool_free(struct string_pool *);

/* The id of text[0..size), which has no NUL. False: no memory, or the pool would hold more than `max_memory` bytes. */
bool string_pool_intern(struct string_pool *, const char *text, size_t size, size_t max_memory, uint32_t *id);
const char *string_pool_text(const struct string_pool *, uint32_t id);
size_t string_pool_memory(const struct string_pool *);

#endif
