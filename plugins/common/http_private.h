/* http_private.h: what the parts of the HTTP server share; nobody else includes it.
 *
 * http_server.c   the daemon and its turns      http_connection.c  accepting, who is connected, what takes too long
 * http_request.c  from libmicrohttpd's callbacks to a handler      http_target.c  path and query
 * http_guard.c    who may ask                   http_answer.c      answers
 * http_channel.c  server-sent events            http_health.c      /livez and /readyz
 */
#ifndef EVPIPE_COMMON_HTTP_PRIVATE_H
#define EVPIPE_COMMON_HTTP_PRIVATE_H

#include "complaint.h"
#include "http_channel.h"
#include "tcp_listen.h"
#include "text.h"
#include <microhttpd.h>

#define HTTP_NS_PER_S UINT64_C(1000000000)

enum http_phase {
  HTTP_NEW, /* nothing was asked yet */
  HTTP_IDLE, /* between two requests */
  HTTP_RECEIVING,
  HTTP_ANSWERING,
  HTTP_STREAMING /* server-sent events: may last */
};

struct http_connection {
  struct http_connection *next, **link; /* in the list of its server */
  int fd;
  enum http_phase phase;
  uint64_t since; /* monotonic: when the phase began */
  bool cut; /* it was shut down, and libmicrohttpd is to notice */
};

/* Credentials as they have to be sent; not NULL only if they are asked for. */
struct http_guard {
  char *basic; /* of `Authorization: Basic ...`: base64 of username:password */
  const char *token;
  char *cookie; /* name of the cookie that has the token */
  bool client_certificates, tls;
  const struct http_options *options;
  struct tcp_address address;
};

struct http_reader;
struct http_server {
  struct evp_ctx *ctx;
  void *owner;
  const struct http_route *routes;
  size_t n_routes;
  struct http_guard guard;
  struct tcp_listen sockets;
  struct MHD_Daemon *daemon;
  int fd; /* an epoll fd: the daemon's own, the timer, the sockets that listen, readers that may hang up */
  int timer;
  bool woken; /* a turn is due at once */
  bool deaf; /* no files are left: who wants to connect waits until the next look at what takes too long */
  bool stopping; /* the owner has ended: no handler is called any more */
  char address[ADDRESS_HOST_MAX + 32];
  struct http_connection *connections;
  unsigned n_connections, max_connections;
  uint64_t looked; /* monotonic: at what takes too long */
  uint64_t refused; /* connections, since it was last said */
  struct complaint full, unaccepted, stranger, denied;
  struct http_channel *channels;
  size_t unsent; /* bytes of answers that clients have not read to their end */
  struct http_reader *leavers; /* readers of channels that are gone */
};

enum { HTTP_PARAMETERS = 32 };
struct http_parameter {
  const char *name, *value;
};

struct http_request {
  struct http_server *server;
  struct MHD_Connection *connection;
  const char *method; /* as it is routed: that of HEAD is GET */
  bool head, begun, answered, authorised, has_body;
  const struct http_route *route;
  struct evp_buf body;
  size_t unsent; /* of the answer, as the server counts it */
  char *path;
  size_t n_parameters;
  struct http_parameter parameters[HTTP_PARAMETERS];
  char target[]; /* as it was sent; decoded in place: path and parameters lie in it */
};

/* http_server.c: a turn is due though no socket says so. */
void http_server_wake(struct http_server *);
void http_server_listen(struct http_server *, bool on); /* or let those wait who want to connect */

/* http_connection.c */
bool http_connection_accept(struct http_server *, int listening); /* true: nobody waits there any more */
void http_connection_notify(void *server, struct MHD_Connection *, void **context, enum MHD_ConnectionNotificationCode);
struct http_connection *http_connection_of(struct MHD_Connection *);
void http_connection_phase(struct MHD_Connection *, enum http_phase);
void http_connection_look(struct http_server *, uint64_t now); /* cuts off what takes too long */

/* http_request.c: libmicrohttpd's callbacks */
void *http_request_new(void *server, const char *target, struct MHD_Connection *);
enum MHD_Result http_request_go_on(void *server, struct MHD_Connection *, const char *url, const char *method,
  const char *version, const char *data, size_t *size, void **request);
void http_request_done(void *server, struct MHD_Connection *, void **request, enum MHD_RequestTerminationCode);

/* http_target.c: takes `target` apart. False: it is not one that we take. */
bool http_target_parse(struct http_request *);
bool http_target_decode(char *text, bool form); /* in place; form: a plus is a space */

/* http_guard.c */
bool http_guard_init(struct http_guard *, struct evp_ctx *, const struct http_options *, unsigned port);
void http_guard_free(struct http_guard *);
/* May it go on? Else it was answered. */
bool http_guard_admits(struct http_request *);
bool http_guard_knows(const struct http_request *); /* it shows credentials, or none are asked for */

/* http_answer.c: `headers` and status of a response that is made already, which is taken over. */
void http_answer_queue(struct http_request *, unsigned status, struct MHD_Response *);

/* http_channel.c */
void http_channels_hang_up(struct http_server *, void *reader); /* its client has left */
void http_channels_beat(struct http_server *, uint64_t now);
void http_channels_stop(struct http_server *);

#endif
