/* secrets.h: where secrets lie in the bytes of a slab that are about to be handed on, as the framer says it step by step.
 *
 * Owner    the intake; lane thread only.
 */
#ifndef EVPIPE_ENGINE_SECRETS_H
#define EVPIPE_ENGINE_SECRETS_H

#include "eventlog/eventlog.h"

struct secrets {
  struct evp_secret *found; /* offset: index into the slab */
  size_t n, room;
  struct evp_secret *part; /* of the bytes that were asked for last */
  size_t part_room;
};

void secrets_free(struct secrets *);
void secrets_clear(struct secrets *);
/* What a step says, whose data began at index `begin` of the slab. False: no memory. */
bool secrets_add(struct secrets *, const struct eventlog_step *, size_t begin);
/* What of them lies in the slab's bytes [begin, end): ascending, with indices that count from `begin`. Valid until the next
   call. False: no memory. */
bool secrets_within(struct secrets *, size_t begin, size_t end, struct evp_batch *);

#endif
