/* server.h: the readers of a relay, from their first connection on: who gets what of the stream that is served, who is cut
 * off and when.
 *
 * Owner    the instance. Threads  one at a time: start and stop on the main thread, the rest on the sink's. Nothing but
 *          server_stop() waits; all that happens at the sockets makes `epoll` readable.
 */
#ifndef EVPIPE_RELAY_SERVER_H
#define EVPIPE_RELAY_SERVER_H

#include "reader.h"

/* A stream, as far as it was handed on. */
struct served {
  const struct evp_stream *stream;
  uint64_t prologue; /* its length behind the last batch */
  bool begun; /* something of it was handed on or lost: not everything can be had any more */
};

struct slow_reader {
  uint64_t max_size, linger;
};

struct server {
  /* Set before server_start(). */
  struct listener listener;
  struct redaction redaction;
  struct slow_reader slow_reader;
  int64_t max_readers;
  struct evp_ctx *ctx;
  int epoll; /* -1 */

  const struct served *served; /* NULL: none; the caller's */
  struct reader *readers;
  int64_t n_readers;
  bool full; /* max_readers was told */
  bool deaf; /* accepting failed: tried again with the next tick */
  bool ticking;
  uint64_t unsent; /* bytes that readers did not get, to be counted */
};

bool server_start(struct server *); /* false: said */
/* Readers get what is left, if they take it in time; then all is closed. */
void server_stop(struct server *);
void server_free(struct server *);

void server_look(struct server *); /* what has happened at the sockets */
void server_tick(struct server *, uint64_t now);
/* Counts what readers did not get. Never while write() is under way: the sink got it, and the other readers did. */
void server_count(struct server *);

/* From now on this stream is served, to those that wait for one and those to come. NULL: none; the readers of the one
   before get the rest of it. */
void server_serve(struct server *, const struct served *);
/* Bytes [begin, n) of a batch of the stream that is served. False: no memory; then server_break() is due. */
bool server_give(struct server *, const struct evp_batch *, uint32_t begin);
/* Bytes of it are missing: who goes on reading would take what follows for damage, and has to begin anew. */
void server_break(struct server *, const char *why);

#endif
