/* silence.h: why nothing comes (DESIGN 8). A live source that is connected and silent explains itself once for each
 * stream, as a warning, naming what to change; as long as it lasts the node's statistics count it, too.
 *
 * Owned by its source; the lane's thread. */
#ifndef EVPIPE_SILENCE_H
#define EVPIPE_SILENCE_H

#include "engine/node.h"

/* What the source knows of its stream; times are monotonic, 0: not yet. */
struct silence {
  uint64_t connected, header, first_event;
  unsigned said; /* bits by enum evp_silence: what was said already */
  unsigned counted; /* 1 + enum evp_silence as the statistics have it; 0: none */
};

struct silence_facts {
  bool header, events, census; /* seen */
  bool census_wanted; /* some node asked for census events */
};

/* A connection, or a further stream on one, begins; `connected`: since when it is waited for. */
void silence_begin(struct silence *, const struct evp_ctx *source, uint64_t connected);
void silence_end(struct silence *, const struct evp_ctx *source); /* the connection is over */
/* Says what there is to say by now. `after`: how long to be patient, ns; EVP_NEVER: for ever. */
void silence_look(
  struct silence *, const struct evp_ctx *source, const struct silence_facts *, uint64_t now, uint64_t after);
uint64_t silence_deadline(const struct silence *, const struct silence_facts *, uint64_t after);

#endif
