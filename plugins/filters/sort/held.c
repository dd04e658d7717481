#include "held.h"

#include <stdlib.h>
#include <string.h>

/* Memory of an entry: itself, half of it as scratch, half of it as what the array grows ahead. */
enum { ENTRY_CHARGE = sizeof(struct held_entry) * 2 };

void held_clear(struct held *held)
{
  for (uint32_t i = 0; i < held->n_batches; i++)
    if (held->batches[i].batch) evp_batch_unref(held->batches[i].batch);
  free(held->batches);
  free(held->entries);
  free(held->scratch);
  *held = (struct held){0};
}

/* Room for `more` entries behind the last; what lies before `head` is given up for it first. */
static bool make_room(struct held *held, size_t more)
{
  if (held->capacity - held->n >= more) return true;
  if (held->head && held->head >= held->n - held->head) {
    memmove(held->entries, held->entries + held->head, (held->n - held->head) * sizeof *held->entries);
    held->sorted -= held->head;
    held->n -= held->head;
    held->head = 0;
    if (held->capacity - held->n >= more) return true;
  }
  size_t capacity = held->capacity + held->capacity / 2 + more;
  struct held_entry *entries = reallocarray(held->entries, capacity, sizeof *entries);
  if (!entries) return false;
  held->entries = entries;
  held->capacity = capacity;
  return true;
}

static bool take_place(struct held *held, uint32_t *place)
{
  if (held->n_free) {
    *place = held->free_batch;
    held->free_batch = held->batches[*place].left;
    held->n_free--;
    return true;
  }
  if (held->n_batches == held->batch_capacity) {
    uint32_t capacity = held->batch_capacity ? 2 * held->batch_capacity : 64;
    struct held_batch *batches = reallocarray(held->batches, capacity, sizeof *batches);
    if (!batches) return false;
    held->batches = batches;
    held->batch_capacity = capacity;
  }
  *place = held->n_batches++;
  return true;
}

static void free_place(struct held *held, uint32_t place)
{
  held->batches[place] = (struct held_batch){.left = held->free_batch};
  held->free_batch = place;
  held->n_free++;
}

/* What a batch pins: the descriptors up to its last event, and the bytes from its first payload to the last. */
static uint32_t charge_of(const struct evp_batch *batch)
{
  const struct evp_event *first = &batch->events[batch->sel[0]], *last = &batch->events[batch->sel[batch->n - 1]];
  uintptr_t begin = (uintptr_t)first->data, end = (uintptr_t)last->data + last->size;
  uint64_t bytes = end > begin && end - begin < UINT32_MAX / 2 ? end - begin : 0;
  return (uint32_t)bytes + (uint32_t)((batch->sel[batch->n - 1] + 1u) * sizeof(struct evp_event));
}

bool held_add(struct held *held, const struct evp_batch *batch)
{
  uint32_t place;
  if (!batch->n) return true;
  if (!make_room(held, batch->n) || !take_place(held, &place)) return false;
  const struct evp_batch *kept = evp_batch_ref(batch);
  if (!kept) {
    free_place(held, place);
    return false;
  }
  held->batches[place] = (struct held_batch){.batch = kept, .left = kept->n, .charge = charge_of(kept)};
  held->size += held->batches[place].charge + (uint64_t)kept->n * ENTRY_CHARGE;
  for (uint32_t i = 0; i < kept->n; i++) {
    uint16_t index = kept->sel[i];
    held->entries[held->n++] = (struct held_entry){kept->events[index].time, place, index};
  }
  return true;
}

bool held_sort(struct held *held)
{
  if (held->sorted == held->n) return true;
  if (!sort_entries(held->entries + held->head, held->n - held->head, &held->scratch, &held->scratch_capacity))
    return false;
  held->sorted = held->n;
  return true;
}

void held_pop(struct held *held)
{
  uint32_t place = held->entries[held->head++].batch;
  struct held_batch *batch = &held->batches[place];
  if (held->head == held->n) held->head = held->sorted = held->n = 0;
  held->size -= ENTRY_CHARGE;
  if (--batch->left) return;
  held->size -= batch->charge;
  evp_batch_unref(batch->batch);
  free_place(held, place);
}
