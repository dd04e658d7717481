/* log_ring.h: what a program said: the newest entries, bounded in number and in bytes.
 *
 * Owner    a program's history; its memory is taken from the budget. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_LOG_RING_H
#define EVPIPE_DASHBOARD_LOG_RING_H

#include "column.h"

#include <evpipe.h>

enum { LOGS_MAX = 2000, LOGS_MAX_BYTES = 2 << 20 };

struct log_entry {
  int64_t time;
  uint64_t id, thread;
  char *text; /* the name with its NUL, then the body */
  uint32_t name_size, body_size;
  uint16_t severity, cap;
  uint32_t reserved;
};

struct log_ring {
  struct column column; /* of struct log_entry */
  size_t text_memory;
  uint64_t last_id;
};

void log_ring_init(struct log_ring *, struct budget *);
void log_ring_free(struct log_ring *);
/* NULL: no room. */
const struct log_entry *log_ring_add(struct log_ring *, const struct evp_log *);
void log_ring_trim(struct log_ring *, int64_t oldest);
size_t log_ring_cut(struct log_ring *, int64_t latest); /* how many left */
bool log_ring_thin(struct log_ring *); /* the older half leaves; false: there is but one */
size_t log_ring_memory(const struct log_ring *);

static inline const struct log_entry *log_ring_at(const struct log_ring *ring, size_t i)
{
  return column_at(&ring->column, i);
}

#endif
