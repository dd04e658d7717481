#include "part.h"

#include <string.h>

void part_begin(struct part *part)
{
  part->number++;
  part->n = part->n_bytes = 0;
}

void part_take_held(struct part *part, struct held *held, struct evp_out *out)
{
  const struct held_entry *entry = &held->entries[held->head];
  struct held_batch *batch = &held->batches[entry->batch];
  part->events[part->n++] = *held_event(held, entry);
  if (batch->part != part->number) {
    batch->part = part->number;
    evp_emit_keep(out, batch->batch);
  }
  held_pop(held);
}

void part_copy(struct part *part, const struct evp_event *event)
{
  struct evp_event *copy = &part->events[part->n++];
  *copy = *event;
  copy->data = part->bytes + part->n_bytes;
  if (event->size) memcpy(part->bytes + part->n_bytes, event->data, event->size);
  part->n_bytes += event->size;
}

/* Payloads that lie in the part move to where they live as long as what is emitted. */
static bool move_payloads(const struct part *part, struct evp_event *events, struct evp_out *out)
{
  uint8_t *room = evp_emit_room(out, part->n_bytes);
  if (!room) return false;
  memcpy(room, part->bytes, part->n_bytes);
  uintptr_t begin = (uintptr_t)part->bytes;
  for (uint32_t i = 0; i < part->n; i++) {
    uintptr_t offset = (uintptr_t)events[i].data - begin;
    if (offset <= part->n_bytes) events[i].data = room + offset;
  }
  return true;
}

bool part_emit(const struct part *part, struct evp_out *out)
{
  if (!part->n) return true;
  struct evp_event *events = evp_emit_events(out, part->n);
  if (!events) return false;
  memcpy(events, part->events, part->n * sizeof *events);
  return !part->n_bytes || move_payloads(part, events, out);
}
