/* channel.h: what one node makes of one stream, packed into messages of its topic: small batches together, large ones in
 * parts. What was packed is sent when the message is full, or when there is nothing else to do.
 *
 * Owner    the publisher, from the first batch to the end of the stream. Threads  the sink's.
 */
#ifndef EVPIPE_ZMQ_CHANNEL_H
#define EVPIPE_ZMQ_CHANNEL_H

#include "message.h"
#include "redact.h"
#include "topic.h"

struct publisher;

/* A batch as eventlog bytes. */
struct log_piece {
  const uint8_t *data; /* NULL: none is being written */
  uint32_t size, sync; /* sync: NO_SYNC if none */
  uint64_t items, offset, prologue;
};

struct channel {
  struct channel *next;
  const struct evp_stream *stream; /* as long as the channel: the core holds it */
  uint32_t signal;
  const char *origin;
  struct topic *topic;

  struct header header; /* of the message that is being packed */
  struct evp_buf pending; /* its payload */
  uint32_t *ends; /* where its parts end */
  size_t n_ends, ends_room;
  uint64_t lost; /* items that are missing behind them */

  uint64_t position; /* bytes or items that were packed so far */
  struct log_piece piece; /* bytes, events: the batch that is being packed */
  struct evp_buf built; /* events: its eventlog */
  bool begun; /* events: the header was written */
  uint32_t taken; /* of the batch: what is packed already, when it is offered again */
  uint64_t open_items,
    open_pending; /* items of such a batch that are packed, and those among them that are not sent yet */
  struct redact_stream redact;
  struct snapshot prologue; /* bytes, events: for who comes late */
};

struct channel *channel_new(struct topic *, const struct evp_batch *first); /* NULL: no memory */
void channel_free(struct channel *);

/* OK, AGAIN (push: nobody takes it now; offer it again) or ERROR (no memory, reported). */
enum evp_status channel_write(struct publisher *, struct channel *, const struct evp_batch *);
/* Sends what is packed. False: it was refused, and is kept (push). */
bool channel_send(struct publisher *, struct channel *);
void channel_gap(struct publisher *, struct channel *, uint64_t items);
/* The stream is over: the last message says so. */
void channel_end(struct publisher *, struct channel *);

#endif
