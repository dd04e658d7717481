/* silence.h: why nothing comes (DESIGN 8). A live source that is connected and silent explains itself once for each
 * stream, as a warning, naming what to change. */
#ifndef EVPIPE_SILENCE_H
#define EVPIPE_SILENCE_H

#include "engine/node.h"

/* What the source knows of its stream; times are monotonic, 0: not yet. */
struct silence {
  uint64_t connected, header, first_event;
  uint64_t said; /* set of bits: what was said already */
};

struct silence_facts {
  bool header, events, census; /* seen */
  bool census_wanted; /* some node asked for census events */
};

/* Says what there is to say by now. `after`: how long to be patient, ns. */
void silence_look(
  struct silence *, const struct evp_ctx *source, const struct silence_facts *, uint64_t now, uint64_t after);
uint64_t silence_deadline(const struct silence *, const struct silence_facts *, uint64_t after);

#endif
