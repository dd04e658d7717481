#include "http_private.h"
#include "monotonic.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
  EVENTS = 32, /* of one look */
  RUNS = 16, /* of the daemon in one turn, as long as it has more to do */
  REQUEST_MEMORY = 32 * 1024, /* of a connection: its request line and headers must fit, and those of the answer */
  INACTIVITY = 75, /* s: longer than the usual minute between two scrapes */
  FILE_MAX = 1 << 20 /* of certificates */
};

static const uint64_t LOOK_INTERVAL = HTTP_NS_PER_S;
static const uint64_t LONG = 50 * (HTTP_NS_PER_S / 1000); /* no further run in a turn after that */

/* --------------------------------------------------------------------------------------------------------------- start */

static void log_daemon(void *ctx, const char *format, va_list arguments)
{
  char text[256];
  vsnprintf(text, sizeof text, format, arguments);
  size_t size = strlen(text);
  if (size && text[size - 1] == '\n') text[size - 1] = 0;
  evp_debug(ctx, "libmicrohttpd: %s", text);
}

/* We decode ourselves: libmicrohttpd would let NULs through, and cut the text there. */
static size_t leave_escapes(void *server, struct MHD_Connection *connection, char *text)
{
  (void)server;
  (void)connection;
  return strlen(text);
}

/* A whole file, NUL-terminated. NULL: said. */
static char *read_file(struct http_server *server, const char *option, const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  char *text = NULL;
  const char *wrong = fd < 0 || fstat(fd, &status) ? strerror(errno) : NULL;
  if (!wrong && !S_ISREG(status.st_mode)) wrong = "is no file";
  if (!wrong && status.st_size > FILE_MAX) wrong = "is too large for certificates";
  if (!wrong && !(text = calloc(1, (size_t)status.st_size + 1))) wrong = "no memory";
  if (!wrong && read(fd, text, (size_t)status.st_size) != status.st_size) wrong = "can not be read";
  if (fd >= 0) close(fd);
  if (!wrong) return text;
  free(text);
  evp_error(server->ctx, "tls.%s: %s: %s", option, path, wrong);
  return NULL;
}

static void free_secret(char *text)
{
  if (text) explicit_bzero(text, strlen(text));
  free(text);
}

struct certificates {
  char *certificate, *key, *authorities;
};

static bool read_certificates(struct http_server *server, const struct tls_options *tls, struct certificates *read)
{
  read->certificate = read_file(server, "cert_file", tls->cert_file);
  read->key = read_file(server, "key_file", tls->key_file ? tls->key_file : tls->cert_file);
  if (tls->ca_file) read->authorities = read_file(server, "ca_file", tls->ca_file);
  return read->certificate && read->key && (!tls->ca_file || read->authorities);
}

static bool start_daemon(struct http_server *server, const struct tls_options *tls)
{
  struct certificates certificates = {0};
  bool secure = tls->cert_file != NULL, ok = !secure || read_certificates(server, tls, &certificates);
  unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  struct MHD_OptionItem tls_items[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, certificates.certificate},
    {MHD_OPTION_HTTPS_MEM_KEY, 0, certificates.key},
    {certificates.authorities ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, certificates.authorities},
    {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
  if (ok)
    server->daemon = MHD_start_daemon(flags | (secure ? MHD_USE_TLS : 0), 0, NULL, NULL, http_request_go_on, server,
      MHD_OPTION_EXTERNAL_LOGGER, log_daemon, server->ctx, MHD_OPTION_URI_LOG_CALLBACK, http_request_new, server,
      MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, http_request_done, server,
      MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)REQUEST_MEMORY, MHD_OPTION_CONNECTION_LIMIT, server->max_connections + 1, MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)INACTIVITY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, secure ? tls_items : none,
      MHD_OPTION_END);
  if (ok && !server->daemon)
    evp_error(server->ctx, "%s",
      secure ? "can not start; do tls.cert_file and tls.key_file hold a certificate and its key?"
             : "can not start the HTTP server");
  free(certificates.certificate);
  free_secret(certificates.key);
  free(certificates.authorities);
  return server->daemon != NULL;
}

/* What epoll says of whom: these numbers, and pointers (of readers), which are larger. */
enum { FROM_DAEMON, FROM_TIMER, FROM_SOCKETS };

static bool watch(struct http_server *server, int fd, uint64_t from)
{
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = from};
  return !epoll_ctl(server->fd, EPOLL_CTL_ADD, fd, &event);
}

static bool start_watching(struct http_server *server)
{
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  server->fd = epoll_create1(EPOLL_CLOEXEC);
  server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  bool ok = info && server->fd >= 0 && server->timer >= 0 && watch(server, info->epoll_fd, FROM_DAEMON) &&
            watch(server, server->timer, FROM_TIMER);
  for (size_t i = 0; ok && i < server->sockets.n; i++) ok = watch(server, server->sockets.fds[i], FROM_SOCKETS + i);
  if (!ok) evp_error(server->ctx, "can not watch its connections: %s", strerror(errno));
  return ok;
}

void http_server_listen(struct http_server *server, bool on)
{
  for (size_t i = 0; i < server->sockets.n; i++) {
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.u64 = FROM_SOCKETS + i};
    epoll_ctl(server->fd, EPOLL_CTL_MOD, server->sockets.fds[i], &event);
  }
  server->deaf = !on;
}

static bool open_sockets(struct http_server *server, const struct http_options *options)
{
  struct tcp_address *address = &server->guard.address;
  const char *wrong = tcp_listen_parse(address, options->listen);
  if (!wrong) wrong = tcp_listen_open(&server->sockets, address);
  if (wrong) evp_error(server->ctx, "can not listen on %s: %s", options->listen, wrong);
  bool six = strchr(address->host, ':') != NULL;
  snprintf(server->address, sizeof server->address, six ? "%s://[%s]:%u" : "%s://%s:%u",
    options->tls.cert_file ? "https" : "http", address->host, server->sockets.port);
  return !wrong;
}

static void say_that_it_listens(const struct http_server *server, const struct http_options *options)
{
  const struct http_guard *guard = &server->guard;
  bool local = tcp_address_is_local(&guard->address), asks = guard->basic || guard->token;
  evp_info(server->ctx, "listens on %s", server->address);
  if (local || guard->client_certificates) return;
  if (!asks)
    evp_warn(
      server->ctx, "whoever reaches %s sees everything: neither basic, token nor tls.ca_file is set", options->listen);
  if (asks && !guard->tls) evp_warn(server->ctx, "credentials cross the network in the clear: there is no tls");
}

struct http_server *http_server_start(struct evp_ctx *ctx, const struct http_options *options,
  const struct http_route *routes, size_t n_routes, void *owner)
{
  struct http_server *server = calloc(1, sizeof *server);
  if (!server) {
    evp_error(ctx, "no memory for the HTTP server");
    return NULL;
  }
  server->ctx = ctx;
  server->owner = owner;
  server->routes = routes;
  server->n_routes = n_routes;
  server->max_connections = (unsigned)options->max_connections;
  server->fd = server->timer = -1;
  if (open_sockets(server, options) && http_guard_init(&server->guard, ctx, options, server->sockets.port) &&
      start_daemon(server, &options->tls) && start_watching(server)) {
    say_that_it_listens(server, options);
    return server;
  }
  http_server_stop(server);
  return NULL;
}

/* ---------------------------------------------------------------------------------------------------------------- turn */

static void set_timer_to(struct http_server *server, uint64_t wait)
{
  struct itimerspec at = {
    .it_value = {.tv_sec = (time_t)(wait / HTTP_NS_PER_S), .tv_nsec = (long)(wait % HTTP_NS_PER_S)}};
  timerfd_settime(server->timer, 0, &at, NULL);
}

void http_server_wake(struct http_server *server)
{
  if (!server->woken) set_timer_to(server, 1);
  server->woken = true;
}

/* When there is something to do though no socket says so. */
static void set_timer(struct http_server *server)
{
  MHD_UNSIGNED_LONG_LONG timeout;
  uint64_t wait = server->n_connections || server->deaf ? LOOK_INTERVAL : 0; /* 0: never */
  if (MHD_get_timeout(server->daemon, &timeout) == MHD_YES && timeout < LOOK_INTERVAL / 1000000)
    wait = timeout ? timeout * 1000000 : 1;
  server->woken = false;
  set_timer_to(server, wait);
}

static bool is_reader(const struct epoll_event *event)
{
  return event->data.u64 >= FROM_SOCKETS + TCP_LISTEN_SOCKETS;
}

/* Readers first: who accepts may make room by closing others, and a reader that is gone can not be told that it is. */
static void take_events(struct http_server *server, const struct epoll_event *events, int n)
{
  uint64_t expirations;
  bool looked = false, all = true;
  for (int i = 0; i < n; i++)
    if (is_reader(&events[i])) http_channels_hang_up(server, events[i].data.ptr);
  for (int i = 0; i < n; i++) {
    uint64_t from = events[i].data.u64;
    if (is_reader(&events[i]) || from == FROM_DAEMON) continue;
    if (from >= FROM_SOCKETS) {
      looked = true;
      all = http_connection_accept(server, server->sockets.fds[from - FROM_SOCKETS]) && all;
    } else if (read(server->timer, &expirations, sizeof expirations) < 0) {
      continue; /* it was set anew meanwhile */
    }
  }
  if (looked && all) complaint_over(&server->unaccepted); /* nobody waits */
}

/* Not for long: the sink has a queue to look after. */
static void run(struct http_server *server)
{
  MHD_UNSIGNED_LONG_LONG timeout = 0;
  uint64_t begin = monotonic();
  for (int i = 0; i < RUNS && !timeout && monotonic() - begin < LONG; i++) {
    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES) break;
  }
}

void http_server_turn(struct http_server *server)
{
  struct epoll_event events[EVENTS];
  int n = epoll_wait(server->fd, events, EVENTS, 0);
  take_events(server, events, n);
  run(server);
  uint64_t now = monotonic();
  if (now - server->looked >= LOOK_INTERVAL) {
    server->looked = now;
    http_connection_look(server, now);
    http_channels_beat(server, now);
  }
  set_timer(server);
}

int http_server_fd(const struct http_server *server)
{
  return server->fd;
}

const char *http_server_address(const struct http_server *server)
{
  return server->address;
}

unsigned http_server_connections(const struct http_server *server)
{
  return server->n_connections;
}

void http_server_stop(struct http_server *server)
{
  if (!server) return;
  server->stopping = true;
  tcp_listen_close(&server->sockets);
  if (server->daemon) {
    http_channels_stop(server);
    run(server); /* what is suspended must be resumed before the end */
    MHD_stop_daemon(server->daemon);
  }
  if (server->fd >= 0) close(server->fd);
  if (server->timer >= 0) close(server->timer);
  http_guard_free(&server->guard);
  free(server);
}
