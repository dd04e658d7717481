/* reader.h: one that reads from the relay: what it is still to get of its stream, and how far that was sent.
 *
 * First the prologue, as far as it is known; when it has that and a batch comes with a place to begin at, what the prologue
 * has got meanwhile and everything from that place on. What waits for it are references to pieces that all readers share.
 *
 * Owner    the relay. Threads  one at a time. Nothing in here waits.
 */
#ifndef EVPIPE_RELAY_READER_H
#define EVPIPE_RELAY_READER_H

#include "listener.h"
#include "redact.h"

/* Bytes of a batch: the batch by reference, or a copy. */
struct piece {
  unsigned references;
  const struct evp_batch *batch; /* NULL: a copy */
  const uint8_t *data;
  size_t size;
  size_t charge; /* memory that it answers for */
  uint8_t copy[];
};

/* One reference. A copy is made of few bytes, which would pin much more, and of those that must be redacted. NULL: no
   memory. */
struct piece *piece_new(const struct redaction *, const struct evp_batch *);
void piece_unref(struct piece *);

enum reader_state {
  READER_WAITING, /* there is no stream */
  READER_JOINING, /* gets the prologue, and waits for a place to begin at */
  READER_LIVE,
  READER_ENDING /* gets what is there, and no more */
};

struct slice {
  struct piece *piece;
  size_t sent; /* of it, or before the place to begin at */
};

struct reader {
  struct reader *next;
  int fd;
  char peer[PEER_MAX];
  enum reader_state state;
  const struct evp_stream *stream; /* referenced; NULL while it waits */
  uint64_t prologue_at, prologue_end; /* sent; to be sent before the slices */
  struct slice *slices; /* a ring; its room is a power of two */
  size_t room, head, n;
  uint64_t backlog; /* memory that the slices answer for */
  uint64_t ignored; /* bytes that it sent */
  uint64_t deadline; /* ENDING: monotonic */
  bool half_closed; /* it will send no more */
  bool broken; /* it has left, or can not be written to */
  uint32_t watched; /* the epoll events that are asked for */
};

struct reader *reader_new(int fd); /* NULL: no memory, and the fd is closed */
void reader_free(struct reader *); /* closes the connection */

void reader_join(struct reader *, const struct evp_stream *, uint64_t prologue);
/* Puts the piece, from index `begin` on, behind what is there. False: no memory. */
bool reader_append(struct reader *, struct piece *, size_t begin);
/* Sends what goes without waiting. */
void reader_send(struct reader *, const struct redaction *);
void reader_take_input(struct reader *); /* and throws it away */
bool reader_is_done(const struct reader *); /* nothing is left to be sent */
uint64_t reader_unsent(const struct reader *); /* bytes, those of the prologue left out */

#endif
