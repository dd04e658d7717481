/* held.h: the events that a sort holds back in memory, in the order of their times; of equal times, of their arrival.
 *
 * Events stay in their batches, which are kept by reference; what is sorted are 16 bytes for each.
 * Owner    the filter's instance; its thread. Errors: false: no memory.
 */
#ifndef EVPIPE_SORT_HELD_H
#define EVPIPE_SORT_HELD_H

#include <evpipe.h>

struct held_entry {
  uint64_t time;
  uint32_t batch; /* index into `batches` */
  uint32_t index; /* of the event in the batch */
};

struct held_batch {
  const struct evp_batch *batch; /* NULL: a free place, `left` is the next one */
  uint32_t left; /* events that are held */
  uint32_t charge;
  uint64_t part; /* the last part of the output that holds it, too */
};

struct held {
  struct held_entry *entries; /* those from `head` on are held, up to `sorted` in order */
  size_t head, sorted, n, capacity;
  struct held_entry *scratch;
  size_t scratch_capacity;
  struct held_batch *batches;
  uint32_t n_batches, batch_capacity;
  uint32_t free_batch; /* a free place, if `n_free` */
  uint32_t n_free;
  uint64_t size; /* bytes that all this takes, as far as one can tell from outside of the batches */
};

void held_clear(struct held *); /* lets all batches go, frees all memory */

bool held_add(struct held *, const struct evp_batch *); /* keeps it */
bool held_sort(struct held *); /* what was added since takes its place */

/* After held_sort(): the events are held.entries[head .. n). */
static inline const struct evp_event *held_event(const struct held *held, const struct held_entry *entry)
{
  return &held->batches[entry->batch].batch->events[entry->index];
}

/* Lets the event at `head` go, and its batch if it was the last of it. */
void held_pop(struct held *);

/* sort_entries.c: a stable natural merge sort. Logs are long ascending runs: it takes time n log(runs), memory n/2. */
bool sort_entries(struct held_entry *, size_t n, struct held_entry **scratch, size_t *scratch_capacity);

#endif
