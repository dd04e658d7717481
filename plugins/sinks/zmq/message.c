#include "message.h"
#include <string.h>

/* Writes the lowest `size` bytes of the value; where the next field begins. */
static uint8_t *put(uint8_t *to, uint64_t value, unsigned size)
{
  for (unsigned i = 0; i < size; i++) to[i] = (uint8_t)(value >> 8 * (size - 1 - i));
  return to + size;
}

void header_encode(const struct header *header, uint8_t to[HEADER_SIZE])
{
  memcpy(to, "EVPZ", 4);
  to = put(to + 4, HEADER_VERSION, 2);
  to = put(to, header->flags, 2);
  to = put(to, header->publisher, 8);
  to = put(to, header->sequence, 8);
  to = put(to, header->stream, 8);
  to = put(to, header->offset, 8);
  to = put(to, header->prologue, 8);
  to = put(to, header->sync, 4);
  to = put(to, header->items, 4);
  to = put(to, (uint64_t)header->epoch, 8);
  put(to, header->lost, 8);
}
