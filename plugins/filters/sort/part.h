/* part.h: a piece of the sorted output, put together before it is emitted, for the core wants to know its size first.
 *
 * Owner    the filter's instance; its thread. Errors: false: no memory (reported by the core).
 */
#ifndef EVPIPE_SORT_PART_H
#define EVPIPE_SORT_PART_H

#include "held.h"

enum { PART_EVENTS = 4096, PART_BYTES = 256 * 1024 };

struct part {
  uint64_t number; /* grows */
  uint32_t n;
  uint32_t n_bytes; /* of payloads that came from the file */
  struct evp_event events[PART_EVENTS];
  uint8_t bytes[PART_BYTES];
};

static inline bool part_is_full(const struct part *part)
{
  return part->n == PART_EVENTS || part->n_bytes + UINT16_MAX > PART_BYTES;
}

void part_begin(struct part *);
/* The event at the head of `held`: it stays in its batch, which the output keeps, and leaves `held`. */
void part_take_held(struct part *, struct held *, struct evp_out *);
void part_copy(struct part *, const struct evp_event *); /* with its payload */
bool part_emit(const struct part *, struct evp_out *);

#endif
