/* header.h: collects a stream's header as it comes in, and reads it.
 *
 * Bounds   a header has at most 1 MiB, a description and an extension at most 64 KiB each. (GHC's have 0.6 to 3.2 KiB.)
 */
#ifndef EVPIPE_EVENTLOG_HEADER_H
#define EVPIPE_EVENTLOG_HEADER_H

#include <evpipe.h>

struct header {
  uint8_t *data; /* "hdrb" to "datb" */
  size_t size, capacity;
  size_t item; /* where the item that is being collected begins */
  struct evp_event_type *types; /* in the header's order; a number may come twice */
  size_t n, types_capacity;
  uint16_t *index; /* by number: place in types of the last one with it, plus 1 */
};

enum header_verdict { HEADER_MORE, HEADER_DONE, HEADER_DAMAGED, HEADER_NO_MEMORY };

/* Takes from data[0..size) what belongs to the header; says how much that was. *problem: what is wrong, and where. */
enum header_verdict header_feed(struct header *, const uint8_t *data, size_t size, size_t *taken, const char **problem);
const struct evp_event_type *header_type(const struct header *, uint16_t number);
void header_free(struct header *);

#endif
