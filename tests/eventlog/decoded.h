/* decoded.h: for Check tests: a hand-made log, decoded in one piece, byte by byte and in random cuts, which must agree. */
#ifndef EVPIPE_TESTS_DECODED_H
#define EVPIPE_TESTS_DECODED_H

#include "feeder.h"
#include "log_builder.h"

struct decoded {
  struct outcome outcome;
  char *lines; /* "TIME CAP TYPE FLAGS PAYLOAD" for an event, CAP -1: none; "header at ...", ... */
};

struct decoded *decode(const struct log_builder *);
struct decoded *decode_bytes(const void *data, size_t size);
void decoded_free(struct decoded *);
/* The lines of events only, without payloads: "1000:-1:18 1500:0:1". */
void assert_events(const struct decoded *, const char *expected);
/* All bytes are accounted for; so many are lost. */
void assert_skipped(const struct decoded *, uint64_t skipped, uint64_t cut);

#endif
