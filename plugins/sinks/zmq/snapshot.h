/* snapshot.h: when what a late subscriber needs is sent: at once, but for one topic at most once a second, however many
 * subscribe; in parts, of which only a few are in flight, so that what is live is not pushed out.
 *
 *   asked ──▶ running: parts from `cursor` on ──▶ complete ──▶ over
 *     ▲          who asks meanwhile                  a prologue: once the stream comes to a place where a reader
 *     └────────── is served by the next one          can begin, and what was defined until there was sent
 *
 * Owner    a channel (prologue) or a topic (last values). Threads  one at a time.
 */
#ifndef EVPIPE_ZMQ_SNAPSHOT_H
#define EVPIPE_ZMQ_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_INTERVAL UINT64_C(1000000000)

struct snapshot {
  bool asked, running, complete;
  uint64_t cursor; /* bytes of the prologue, or number of the value, that come next */
  uint64_t not_before; /* monotonic: of the next one */
  uint64_t progress; /* monotonic: of the last part that was sent */
};

static inline void snapshot_ask(struct snapshot *snapshot)
{
  snapshot->asked = true;
}

/* Begins one if it is asked for and none is being sent. True: there are parts to send. */
static inline bool snapshot_begin(struct snapshot *snapshot, uint64_t now)
{
  bool free = !snapshot->running || snapshot->complete;
  if (snapshot->asked && free && now >= snapshot->not_before)
    *snapshot = (struct snapshot){.running = true, .not_before = now + SNAPSHOT_INTERVAL, .progress = now};
  return snapshot->running && !snapshot->complete;
}

/* Is something left to do, now or later, that nothing but time brings about? */
static inline bool snapshot_is_busy(const struct snapshot *snapshot)
{
  return snapshot->asked || (snapshot->running && !snapshot->complete);
}

#endif
