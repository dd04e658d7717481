/* feeder.h: for tests: feeds an eventlog in any cuts, over all the streams in it, and keeps what came out. */
#ifndef EVPIPE_TESTS_FEEDER_H
#define EVPIPE_TESTS_FEEDER_H

#include "eventlog/eventlog.h"

#include <stdio.h>

struct feeding {
  const uint8_t *data;
  size_t size;
  enum { CUT_WHOLE, CUT_RANDOM, CUT_FIXED } cut;
  uint64_t parameter; /* CUT_RANDOM: the seed; CUT_FIXED: bytes of a piece */
  uint32_t room; /* events a step may give; 0: 1024, or random with CUT_RANDOM */
  bool no_walk, no_events;
  uint64_t prologue_size; /* keep a prologue of at most this size for each stream; 0: none */
  FILE *lines; /* one for each event and each thing learnt; NULL: none */
};

struct outcome {
  uint64_t streams, events, headers, syncs;
  uint64_t digest; /* of all events, offsets of headers, clocks, facts, restarts */
  uint64_t by_type[65536];
  uint64_t decoded_bytes; /* headers, records, end markers: with the skipped and the cut ones, all there are */
  uint64_t resyncs, malformed; /* events with these flags */
  struct eventlog_state state; /* of the last stream, its texts gone; damages, skipped and cut bytes are sums */
  uint64_t first_damage;
  char program[256], rts[256], damage[200];
  uint64_t clock_at, newest_prologue;
  bool ended;
};

/* Exits with a message if the eventlog breaks its promises (consumes what is not there, goes nowhere). */
void feed(const struct feeding *, struct outcome *);
/* True if all that must not depend on the cuts is the same. */
bool outcome_equal(const struct outcome *, const struct outcome *);
void outcome_print(const struct outcome *, FILE *);

uint64_t random_next(uint64_t *state);
/* The whole of a file, or of standard input ("-"); the caller frees it. NULL: it can not be read. */
uint8_t *read_whole(const char *path, size_t *size);

#endif
