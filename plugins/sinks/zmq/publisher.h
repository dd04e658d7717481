/* publisher.h: the sink's inside: the socket, the topics, and a channel for each stream and node.
 *
 * Owner    the plugin's instance. Threads  open and close: main; else the sink's.
 */
#ifndef EVPIPE_ZMQ_PUBLISHER_H
#define EVPIPE_ZMQ_PUBLISHER_H

#include "channel.h"
#include "last_values.h"
#include "outlet.h"

/* What the sink has for each stream: items that it did not get, by signal, before there was anything else. */
struct stream_memory {
  uint64_t lost_bytes, lost_events, lost_metrics, lost_logs;
};

struct publisher {
  struct evp_ctx *ctx;
  const struct settings *settings;
  uint64_t epoch; /* Unix ns of its begin */
  size_t message_size;
  struct outlet outlet;
  struct topic *topics;
  struct channel *channels;
  struct last_values values;
  struct redaction redaction;
  struct evp_buf text; /* of one item, or a part of a snapshot */
  uint64_t flushed; /* monotonic: when all that was packed was sent last */
  bool ticking;
};

bool publisher_open(struct publisher *); /* false: reported */
void publisher_close(struct publisher *);
void publisher_free(struct publisher *);

enum evp_status publisher_write(struct publisher *, const struct evp_batch *);
void publisher_gap(struct publisher *, const struct evp_gap *);
void publisher_end(struct publisher *, const struct evp_stream *);
/* Sends all that is packed: at once, or, if much waits for subscribers already, ten times a second. */
void publisher_flush(struct publisher *);
/* What is to be done beside writing: who may come in, who subscribed, what they need. */
void publisher_work(struct publisher *);

#endif
