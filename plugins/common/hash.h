/* hash.h: hashes of byte strings.
 *
 * hash_bytes() is fast and seeded, for tables in memory: what is hashed comes from a stream, and must not be able to
 * choose its collisions. hash_name() is FNV-1a (64 bits), the same for ever, for what is shown to users.
 */
#ifndef EVPIPE_COMMON_HASH_H
#define EVPIPE_COMMON_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Both halves of the 128-bit product: each bit of the result depends on each bit of both factors. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(uint64_t word, uint64_t seed)
{
  return hash_fold(word ^ seed, UINT64_C(0x9e3779b97f4a7c15));
}

/* The last bytes are read as words that overlap what was read before: no loop over single bytes. */
static inline uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
  const uint8_t *bytes = data;
  uint64_t hash = seed ^ size;
  uint64_t word = 0;
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      memcpy(&word, bytes + i, 8);
      hash = hash_word(word, hash);
    }
    memcpy(&word, bytes + size - 8, 8);
  } else if (size >= 4) {
    uint32_t first, last;
    memcpy(&first, bytes, 4);
    memcpy(&last, bytes + size - 4, 4);
    word = (uint64_t)first << 32 | last;
  } else if (size > 0) {
    word = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[size / 2] << 8 | bytes[size - 1];
  }
  return hash_word(word, hash);
}

static inline bool hash_same_8(const uint8_t *a, const uint8_t *b)
{
  uint64_t x, y;
  memcpy(&x, a, 8);
  memcpy(&y, b, 8);
  return x == y;
}

static inline bool hash_same_4(const uint8_t *a, const uint8_t *b)
{
  uint32_t x, y;
  memcpy(&x, a, 4);
  memcpy(&y, b, 4);
  return x == y;
}

/* Are both the same? For the short keys of tables, where calling memcmp would cost more than comparing. Words that overlap
   save loops over single bytes. */
static inline bool hash_same_bytes(const void *left, const void *right, size_t size)
{
  const uint8_t *a = left, *b = right;
  if (size >= 8) {
    if (!hash_same_8(a, b) || !hash_same_8(a + size - 8, b + size - 8)) return false;
    if (size <= 16) return true;
    if (!hash_same_8(a + 8, b + 8) || !hash_same_8(a + size - 16, b + size - 16)) return false;
    for (size_t i = 16; i + 16 < size; i += 8)
      if (!hash_same_8(a + i, b + i)) return false;
    return true;
  }
  if (size >= 4) return hash_same_4(a, b) && hash_same_4(a + size - 4, b + size - 4);
  return !size || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

static inline uint64_t hash_name_more(uint64_t hash, const void *data, size_t size)
{
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static inline uint64_t hash_name(const void *data, size_t size)
{
  return hash_name_more(UINT64_C(0xcbf29ce484222325), data, size);
}

uint64_t hash_seed(void); /* another one at each call */

#endif
