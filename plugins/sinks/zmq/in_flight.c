#include "in_flight.h"
#include <stdlib.h>

struct ticket {
  struct in_flight *owner;
  unsigned wave;
  bool snapshot;
  uint64_t bytes, items;
  uint8_t header[HEADER_SIZE];
};

static void let_go(void *data, void *hint)
{
  (void)data;
  struct ticket *ticket = hint;
  struct in_flight *owner = ticket->owner;
  atomic_fetch_sub(&owner->bytes, ticket->bytes);
  atomic_fetch_sub(&owner->items, ticket->items);
  if (ticket->snapshot) atomic_fetch_sub(&owner->snapshots, 1);
  atomic_fetch_sub(&owner->waves[ticket->wave], 1);
  free(ticket);
}

bool in_flight_header(
  struct in_flight *in_flight, const struct header *header, uint64_t bytes, uint64_t items, zmq_msg_t *part)
{
  struct ticket *ticket = malloc(sizeof *ticket);
  if (!ticket) return false;
  bool snapshot = header->flags & MESSAGE_SNAPSHOT;
  *ticket = (struct ticket){
    .owner = in_flight, .wave = in_flight->wave, .snapshot = snapshot, .bytes = bytes, .items = snapshot ? 0 : items};
  header_encode(header, ticket->header);
  if (zmq_msg_init_data(part, ticket->header, HEADER_SIZE, let_go, ticket)) {
    free(ticket);
    return false;
  }
  atomic_fetch_add(&in_flight->bytes, bytes);
  atomic_fetch_add(&in_flight->items, ticket->items);
  if (snapshot) atomic_fetch_add(&in_flight->snapshots, 1);
  atomic_fetch_add(&in_flight->waves[ticket->wave], 1);
  return true;
}

bool in_flight_new_wave(struct in_flight *in_flight)
{
  for (unsigned i = 0; i < IN_FLIGHT_WAVES; i++) {
    if (i == in_flight->wave || atomic_load(&in_flight->waves[i])) continue;
    in_flight->wave = i;
    return true;
  }
  return false;
}

uint64_t in_flight_messages(const struct in_flight *in_flight)
{
  uint64_t messages = 0;
  for (unsigned i = 0; i < IN_FLIGHT_WAVES; i++) messages += atomic_load(&in_flight->waves[i]);
  return messages;
}

uint64_t in_flight_older(const struct in_flight *in_flight)
{
  uint64_t messages = 0;
  for (unsigned i = 0; i < IN_FLIGHT_WAVES; i++)
    if (i != in_flight->wave) messages += atomic_load(&in_flight->waves[i]);
  return messages;
}
