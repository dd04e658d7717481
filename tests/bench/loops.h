/* loops.h: for benches: bare loops over the records of a log that lies in memory, to measure the decoder against.
 *
 * Each validates every record as the decoder must: type known, time within its block, size within its block, capability of
 * the block; and knows nothing else: no damage, no cuts, no definitions. They return the number of records, 0 if one is bad.
 */
#ifndef EVPIPE_BENCH_LOOPS_H
#define EVPIPE_BENCH_LOOPS_H

#include "eventlog/eventlog.h"

struct bare_log {
  const uint8_t *data;
  size_t size; /* without the end marker, which may lie in the last block */
  size_t begin; /* of the records */
  uint32_t lengths[256]; /* of a record; 12 and `variable`; 0: not declared */
  bool variable[256];
};

/* What one can do with so few bytes: 16 for an event, as offset into the data and number of the type. */
struct small_event {
  uint64_t time;
  uint32_t offset;
  uint16_t size, type;
};

void bare_log_make(struct bare_log *, const struct eventlog *, const uint8_t *data, size_t size, size_t begin);
uint64_t loop_plain(const struct bare_log *);
/* The same with the commonest lengths guessed by branches. */
uint64_t loop_guessed(const struct bare_log *);
/* The same, and each event described in 24 or in 16 bytes, in batches; each batch is read once: events per type. */
uint64_t loop_fill_24(const struct bare_log *, uint32_t batch, uint64_t counts[256]);
uint64_t loop_fill_16(const struct bare_log *, uint32_t batch, uint64_t counts[256]);

#endif
