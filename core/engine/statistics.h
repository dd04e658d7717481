/* statistics.h: what each node did, counted by the engine and not by the plugin.
 *
 * Threads  any; counters are relaxed atomics, drops by reason take a lock (they are rare).
 * Rule     for every sink that was not ended by its reader, when all is over: items
 *          in + recovered = delivered + dropped + rejected + spool_items
 *          where `in` counts what was offered, whether the queue took it or not. Without a spool both its terms are 0.
 */
#ifndef EVPIPE_STATISTICS_H
#define EVPIPE_STATISTICS_H

#include "log.h"
#include <evpipe.h>
#include <pthread.h>
#include <stdatomic.h>

enum { SIGNALS = 4, DROP_REASONS = EVP_DROP_REASONS };

struct drop_count {
  const char *reason;
  uint64_t items, told; /* told: how many of them the log knows of */
  uint64_t next_line; /* monotonic: not said again before */
};

struct statistics {
  _Atomic uint64_t in[SIGNALS], out[SIGNALS]; /* items by signal: bytes, events, metrics, logs */
  _Atomic uint64_t rejected, delivered, errors, retries, late;
  _Atomic uint64_t queue_bytes, busy_ns;
  _Atomic uint64_t recovered; /* items that an earlier process left in the spool */
  _Atomic uint64_t spool_items, spool_bytes; /* what waits there now */
  _Atomic uint64_t messages, message_bytes; /* that wait for their delivery: how many; bytes of those in memory */
  _Atomic int64_t messages_since; /* monotonic: when the oldest of them was sealed, less than 0: before a reboot */
  _Atomic uint64_t delivered_bytes; /* written to a sink that takes bytes, or in messages that were accepted */
  _Atomic uint64_t connects, connected, decode_errors, skipped_bytes;
  _Atomic uint64_t silent[EVP_SILENCES]; /* connections, by enum evp_silence */
  _Atomic int64_t last_event; /* Unix ns of the newest event of a source; 0: none */
  atomic_uint clock; /* enum evp_clock_state of the stream that a source read last */
  pthread_mutex_t lock; /* of what follows */
  struct drop_count drops[DROP_REASONS];
  unsigned n_drops;
};

static inline unsigned signal_index(uint32_t signal)
{
  return (unsigned)__builtin_ctz(signal);
}

static inline void statistics_add(_Atomic uint64_t *counter, uint64_t n)
{
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* To `value`, if that is greater. */
static inline void statistics_raise(_Atomic int64_t *most, int64_t value)
{
  int64_t before = atomic_load_explicit(most, memory_order_relaxed);
  while (before < value &&
         !atomic_compare_exchange_weak_explicit(most, &before, value, memory_order_relaxed, memory_order_relaxed)) {}
}

static inline uint64_t statistics_get(const _Atomic uint64_t *counter)
{
  return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)counter, memory_order_relaxed);
}

void statistics_init(struct statistics *);
void statistics_free(struct statistics *);
/* What of it others may see; not `name`, `kind`, and what queues hold. */
void statistics_read(struct statistics *, struct evp_node_statistics *);

/* Counts and, at most every ten seconds for each reason, logs a drop of this node. `reason` must be a literal or live
   as long as the node. */
void statistics_drop(struct statistics *, const char *node, const char *place, uint64_t items, const char *reason);
uint64_t statistics_dropped(struct statistics *);
/* At the end: the drops that the log does not know of yet, and a line of totals, at `level` or, if anything was lost,
   as information. */
void statistics_report(struct statistics *, const char *node, const char *place, enum log_level level);

#endif
