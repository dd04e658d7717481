/* http_server.h: a small HTTP/1.1 server for sinks, over libmicrohttpd: a table of routes, requests, answers, and server-sent
 * events. For whoever links `http_library` (see meson.build).
 *
 *   server = http_server_start(ctx, &options, routes, n_routes, self);      in start
 *   evp_watch(ctx, http_server_fd(server));
 *   http_server_turn(server);                                               in ready; no tick is needed
 *   http_server_stop(server);                                               in stop
 *
 * What it sees to before a handler is called: that there are at most `max_connections`; that a request arrives whole, within
 * 10 s and within the limits of its size; that its path is plain UTF-8 without dot segments; that Host is one of ours
 * (against DNS rebinding) and Origin, of requests that change something, the same; that no page of another site asks, but by a
 * link; credentials and client certificates.
 *
 * Owner    the instance. A request lives until its handler has returned.
 * Threads  one at a time: that of the sink, or the main thread in start and stop. It has no thread of its own, no locks.
 * Errors   are reported here, to the client or in the log; what a function returns says if to go on.
 */
#ifndef EVPIPE_COMMON_HTTP_SERVER_H
#define EVPIPE_COMMON_HTTP_SERVER_H

#include "http_options.h"

struct http_server;
struct http_request;

/* Answers the request, by one call of http_answer...() or http_channel_join(). */
typedef void http_handler(void *owner, struct http_request *);

enum http_route_flag {
  HTTP_PUBLIC = 1, /* no credentials are asked for, and pages of any site may ask */
  HTTP_LINKED = 2 /* pages of other sites may link to it */
};

struct http_route {
  const char *method; /* "GET" takes HEAD, too */
  const char *path; /* "/metrics"; with a `*` at its end every path that begins so */
  http_handler *handler;
  uint32_t flags; /* set of http_route_flag */
  uint32_t max_body; /* bytes; more is answered with 413 */
};

/* Listens. The routes must live as long as the server. NULL: it can not (said). */
struct http_server *http_server_start(
  struct evp_ctx *, const struct http_options *, const struct http_route *routes, size_t n_routes, void *owner);
/* To be watched: readable when http_server_turn() has something to do. */
int http_server_fd(const struct http_server *);
/* Not from a handler. Does what there is to do, within bounds: accepts, reads, calls handlers, sends, closes what takes too long. */
void http_server_turn(struct http_server *);
/* Where it listens: "http://127.0.0.1:9464". */
const char *http_server_address(const struct http_server *);
unsigned http_server_connections(const struct http_server *);
/* Closes all connections. NULL is fine. */
void http_server_stop(struct http_server *);

/* ------------------------------------------------------------------------------------------------------------ requests */

bool http_request_is_head(const struct http_request *);
const char *http_request_path(const struct http_request *); /* decoded, UTF-8; begins with a slash */
const char *http_request_query(const struct http_request *, const char *name); /* decoded, UTF-8; NULL: not there */
const char *http_request_header(const struct http_request *, const char *name); /* NULL: not there */
const uint8_t *http_request_body(const struct http_request *, size_t *size);
bool http_request_authorised(
  const struct http_request *); /* of HTTP_PUBLIC routes: did it show credentials all the same? */

/* What weight the header (Accept, Accept-Encoding; NULL: not sent) gives to `wanted`: 0 to 1000; -1: it does not name it.
   Of media types the parameters but `q` are ignored, and wildcards are names like others. */
int http_weight(const char *header, const char *wanted);

/* ------------------------------------------------------------------------------------------------------------- answers */

struct http_header {
  const char *name, *value;
};

struct http_answer {
  unsigned status; /* 0: 200 */
  const char *type; /* Content-Type; required if there is a body */
  struct evp_buf *body; /* taken over, and zeroed; compressed if that is worth it and wanted. NULL: `data` is it */
  const void *data; /* lives as long as the server: a constant */
  size_t size;
  bool gzipped; /* data is compressed: for clients that do not want it so it is decompressed */
  const char *etag; /* in its quotes; then clients may keep the answer, and ask whether it is still the same */
  const struct http_header *headers;
  size_t n_headers;
};

/* Every answer says nosniff; without an ETag it is not to be stored. */
void http_answer(struct http_request *, const struct http_answer *);
/* A line of text; `text` is copied. */
void http_answer_text(struct http_request *, unsigned status, const char *text);
/* {"error": text} */
void http_answer_error(struct http_request *, unsigned status, const char *text);

/* -------------------------------------------------------------------------------------------------------------- health */

/* Handlers for any owner. /livez: the sink's thread answers. /readyz: 200 if every source is connected ("ok") or has read all that
   there was (if all have: "finished"), or 503 with the reasons (to who has shown credentials, if such are asked for): a
   source is not connected. */
void http_livez(void *owner, struct http_request *);
void http_readyz(void *owner, struct http_request *);
#define HTTP_HEALTH_ROUTES \
  {"GET", "/livez", http_livez, HTTP_PUBLIC, 0}, \
  { \
    "GET", "/readyz", http_readyz, HTTP_PUBLIC, 0 \
  }

#endif
