/* collections.h: which records of a capability are one garbage collection, and how long it stopped the program.
 *
 * Of the N capabilities that a collection stops, one leads it. Only the leader writes GC_STATS_GHC (GHC 7.6 and later);
 * a capability whose thread helps writes a GC_START and a GC_END of its own, and these are no further pause. Older
 * programs have no GC_STATS_GHC: there the leader is the one that asked for the collection (REQUEST_SEQ_GC,
 * REQUEST_PAR_GC), which a program of one capability does not need to say.
 *
 * GC_END has an earlier time than the GC_STATS_GHC in front of it, so that it comes first once somebody has sorted the
 * events: both orders are one collection. Order between capabilities does not matter.
 *
 * Owner    the filter's instance.
 */
#ifndef EVPIPE_GC_COLLECTIONS_H
#define EVPIPE_GC_COLLECTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct collection { /* what is known of the last one of a capability */
  uint64_t begin, end;
  uint16_t generation;
  bool begun, ended, led;
  bool requested; /* the next one, by this capability */
};

struct pause {
  uint64_t begin, end;
  uint16_t generation;
};

struct collections {
  struct collection *items; /* by capability */
  uint32_t n;
  bool tells_leader; /* the stream has GC_STATS_GHC */
  bool single; /* the program has one capability, as far as we know */
  uint64_t unpaired; /* collections whose begin or end was not seen, not yet reported */
};

void collections_free(struct collections *);
/* That of a capability; NULL: no memory. */
struct collection *collections_of(struct collections *, uint16_t capability);

void collection_request(struct collection *);
void collection_begin(struct collections *, struct collection *, uint64_t time);
void collection_end(struct collections *, struct collection *, uint64_t time);
void collection_lead(struct collections *, struct collection *, uint16_t generation);
/* After each of these: true, once, if a collection is known whole. */
bool collection_take(struct collections *, struct collection *, struct pause *);
/* The stream is over: what is not whole is unpaired. */
void collections_finish(struct collections *);

#endif
