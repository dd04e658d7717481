/* last_values.h: the last value of every series, as the JSON object that was sent, for subscribers that come late.
 *
 * Bounds   LAST_VALUES_MAX series and LAST_VALUES_MEMORY bytes of text; what is beyond is in no snapshot, and said once.
 * Owner    the publisher. Threads  one at a time.
 */
#ifndef EVPIPE_ZMQ_LAST_VALUES_H
#define EVPIPE_ZMQ_LAST_VALUES_H

#include "hash_index.h"
#include "topic.h"

enum { LAST_VALUES_MAX = 65536, LAST_VALUES_MEMORY = 16 * 1024 * 1024 };

struct last_value {
  uint64_t series; /* its id; 0: nothing here */
  uint64_t stream;
  const struct topic *topic;
  char *text;
  uint32_t size, room;
};

struct last_values {
  struct last_value *items;
  size_t n, capacity;
  size_t memory; /* of the texts */
  size_t live; /* items that hold one */
  struct hash_index index; /* by series */
  uint64_t moves; /* how often items got other numbers */
  bool full; /* said so */
};

/* Keeps it, in place of an older one. False: there is no room for it. */
bool last_values_set(
  struct last_values *, const struct topic *, uint64_t stream, uint64_t series, const uint8_t *text, size_t size);
void last_values_remove(struct last_values *, uint64_t series); /* it has ended */
void last_values_end_stream(struct last_values *, uint64_t stream); /* so have those that it was the last to give */
/* The first one of this topic at or after *number, which is set to where it is; NULL: none. */
const struct last_value *last_values_next(const struct last_values *, const struct topic *, uint64_t *number);
void last_values_free(struct last_values *);

#endif
