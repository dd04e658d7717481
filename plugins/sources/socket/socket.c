/* socket: reads the eventlog that a running program serves on a Unix or TCP socket (eventlog-socket). */
#include "complaint.h"
#include "resolver.h"
#include <errno.h>
#include <evpipe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef unix /* which gnu17 defines as 1; here it is the key of an option */

struct socket_source {
  const char *unix, *tcp;
  struct evp_ctx *ctx;
  struct sockaddr_un unix_address;
  socklen_t unix_size;
  struct tcp_address tcp_address;
  struct resolver resolver;
  const struct addrinfo *next; /* tcp: the address to be tried next; NULL: ask for addresses */
  int last_error; /* tcp: of this round */
  int fd;
  bool connecting;
  struct complaint complaint;
};

/* ---------------------------------------------------------------------------------------------------------------- life */

static enum evp_status parse_address(struct socket_source *source)
{
  const char *key = source->unix ? "unix" : "tcp";
  const char *wrong = source->unix ? unix_address_parse(&source->unix_address, &source->unix_size, source->unix)
                                   : tcp_address_parse(&source->tcp_address, source->tcp);
  if (!wrong) return EVP_OK;
  evp_option_error(source->ctx, key, "%s", wrong);
  return EVP_ERROR;
}

static enum evp_status socket_create(void *self, struct evp_ctx *ctx)
{
  struct socket_source *source = self;
  source->ctx = ctx;
  source->fd = -1;
  source->resolver.address = &source->tcp_address;
  if (source->unix && !*source->unix) source->unix = NULL; /* ${NAME:-} */
  if (source->tcp && !*source->tcp) source->tcp = NULL;
  if (source->unix && source->tcp) {
    evp_option_error(ctx, "tcp", "does not go with unix: a source reads one socket; make two sources");
    return EVP_ERROR;
  }
  if (source->unix || source->tcp) return parse_address(source);
  evp_option_error(ctx, "unix", "needs either unix: PATH or tcp: HOST:PORT");
  return EVP_ERROR;
}

/* On the main thread a name may take a moment: the first connect() then mostly knows the address. */
static enum evp_status socket_start(void *self)
{
  enum { PATIENCE_MS = 500 };
  struct socket_source *source = self;
  const char *why;
  if (source->tcp) resolver_ask(&source->resolver, PATIENCE_MS, &why); /* connect() says what fails */
  return EVP_OK;
}

static void close_socket(struct socket_source *source)
{
  if (source->fd >= 0) close(source->fd);
  source->fd = -1;
  source->connecting = false;
}

static void socket_stop(void *self)
{
  struct socket_source *source = self;
  close_socket(source);
}

static void socket_destroy(void *self)
{
  struct socket_source *source = self;
  close_socket(source);
  resolver_free(&source->resolver);
}

/* ------------------------------------------------------------------------------------------------- why it does not work */

static const char *where(const struct socket_source *source)
{
  return source->unix ? source->unix : source->tcp;
}

/* connect(2) says ECONNREFUSED for what is no socket, too. */
static bool is_no_socket(const struct socket_source *source)
{
  struct stat stat_;
  return *source->unix != '@' && !stat(source->unix, &stat_) && !S_ISSOCK(stat_.st_mode);
}

static const char *explain_unix(const struct socket_source *source, int error)
{
  switch (error) {
  case ENOENT:
    return "there is no socket yet: has the program started?";
  case ENOTDIR:
    return "a part of the path is not a directory";
  case ECONNREFUSED:
    return is_no_socket(source) ? "is not a socket; a recorded eventlog is read with the plugin file"
                                : "nobody listens: the socket was left behind by a program that has ended";
  case EACCES:
  case EPERM:
    return "permission denied: the user evpipe runs as must be allowed to write to the socket";
  case EAGAIN:
    return "its queue is full: other readers are waiting already, and eventlog-socket serves one";
  case EPROTOTYPE:
    return "is a socket, but not a stream socket";
  default:
    return strerror(error);
  }
}

static const char *explain_tcp(int error)
{
  switch (error) {
  case ECONNREFUSED:
    return "connection refused: nobody listens on that port (yet)";
  case EHOSTUNREACH:
  case ENETUNREACH:
    return "there is no way to that host";
  case ETIMEDOUT:
    return "no answer from that host: it is off, or something between drops the packets";
  case EACCES:
  case EPERM:
    return "permission denied: something on this machine forbids the connection";
  default:
    return strerror(error);
  }
}

/* Who waits does not repair itself: said as a warning. */
static bool wants_a_human(int error)
{
  return error == EACCES || error == EPERM || error == ENOTDIR || error == EPROTOTYPE;
}

static enum evp_status back_off(struct socket_source *source, int *fd, const char *why, bool warn)
{
  uint64_t unsaid;
  close_socket(source);
  *fd = -1;
  if (!complaint_is_due(&source->complaint, why, &unsaid)) return EVP_AGAIN;
  if (warn)
    evp_warn(source->ctx, "%s: %s; trying again until it works", where(source), why);
  else
    evp_info(source->ctx, "%s: %s; waiting for it", where(source), why);
  return EVP_AGAIN;
}

/* ------------------------------------------------------------------------------------------------------------- connect */

static enum evp_status connected(struct socket_source *source, int *fd)
{
  source->connecting = false;
  source->next = NULL; /* the next connection begins with the first address */
  complaint_over(&source->complaint);
  evp_source_can_wait(source->ctx, false); /* what we do not read piles up in the program's memory */
  *fd = source->fd;
  return EVP_OK;
}

static enum evp_status connect_unix(struct socket_source *source, int *fd)
{
  source->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (source->fd >= 0 && !connect(source->fd, (struct sockaddr *)&source->unix_address, source->unix_size))
    return connected(source, fd);
  int error = errno;
  return back_off(
    source, fd, explain_unix(source, error), wants_a_human(error) || (error == ECONNREFUSED && is_no_socket(source)));
}

/* A host that vanishes without a word is noticed after a minute; a hanging connect() is given up after half of one. */
static void set_tcp_options(int fd)
{
  static const struct {
    int level, name, value;
  } wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
    {IPPROTO_TCP, TCP_KEEPCNT, 3}, {IPPROTO_TCP, TCP_SYNCNT, 4}, {IPPROTO_TCP, TCP_NODELAY, 1}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    setsockopt(fd, wanted[i].level, wanted[i].name, &wanted[i].value, sizeof wanted[i].value);
}

static int connect_now(struct socket_source *source, const struct addrinfo *address)
{
  if (connect(source->fd, address->ai_addr, address->ai_addrlen)) return errno;
  return tcp_is_connected_to_itself(source->fd) ? ECONNREFUSED : 0;
}

/* Tries the addresses that are left of this round. */
static enum evp_status connect_next(struct socket_source *source, int *fd)
{
  for (; source->next; source->next = source->next->ai_next) {
    const struct addrinfo *address = source->next;
    source->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (source->fd >= 0) {
      set_tcp_options(source->fd);
      int error = connect_now(source, address);
      if (!error) return connected(source, fd);
      errno = error;
    }
    source->last_error = errno;
    if (source->fd >= 0 && errno == EINPROGRESS) {
      source->connecting = true;
      *fd = source->fd;
      return EVP_AGAIN;
    }
    close_socket(source);
  }
  resolver_forget(&source->resolver);
  return back_off(source, fd, explain_tcp(source->last_error), wants_a_human(source->last_error));
}

static enum evp_status connect_tcp(struct socket_source *source, int *fd)
{
  const char *why = NULL;
  switch (resolver_ask(&source->resolver, 0, &why)) {
  case RESOLVER_FOUND:
    source->next = source->resolver.found;
    return connect_next(source, fd);
  case RESOLVER_WAITING:
    *fd = -1;
    return EVP_AGAIN;
  case RESOLVER_FAILED:
  default:
    return back_off(source, fd, why, false);
  }
}

/* A connection that was under way. */
static enum evp_status go_on_connecting(struct socket_source *source, int *fd)
{
  struct pollfd poll_fd = {.fd = source->fd, .events = POLLOUT};
  *fd = source->fd;
  if (poll(&poll_fd, 1, 0) == 0) return EVP_AGAIN;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size)) error = errno;
  if (!error && tcp_is_connected_to_itself(source->fd)) error = ECONNREFUSED;
  if (!error) return connected(source, fd);
  close_socket(source);
  source->last_error = error;
  source->next = source->next->ai_next;
  return connect_next(source, fd);
}

static enum evp_status socket_connect(void *self, int *fd)
{
  struct socket_source *source = self;
  if (source->connecting) return go_on_connecting(source, fd);
  return source->unix ? connect_unix(source, fd) : connect_tcp(source, fd);
}

/* -------------------------------------------------------------------------------------------------------------- stream */

static enum evp_status socket_read(void *self, uint8_t *buffer, size_t *size)
{
  struct socket_source *source = self;
  ssize_t got;
  do got = recv(source->fd, buffer, *size, 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    *size = (size_t)got;
    return EVP_OK;
  }
  if (!got) return EVP_END;
  if (errno == EAGAIN) return EVP_AGAIN;
  evp_warn(source->ctx, "%s: the connection broke: %s", where(source), strerror(errno));
  return EVP_ERROR;
}

/* A command is a few bytes, which a socket takes whole or not at all but in theory; half of one would spoil the next: then
   the connection is given up. If the program has gone, what it sent before is still to be read: read() finds its end. */
static enum evp_status socket_send(void *self, const uint8_t *command, size_t size)
{
  struct socket_source *source = self;
  ssize_t put;
  do put = send(source->fd, command, size, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  if (put == (ssize_t)size) return EVP_OK;
  if (put < 0 && errno == EAGAIN) return EVP_AGAIN;
  evp_warn(source->ctx, "%s: a command could not be sent: %s", where(source), put < 0 ? strerror(errno) : "cut");
  return put < 0 ? EVP_REJECT : EVP_ERROR;
}

/* Closed whole: eventlog-socket takes a half-closed connection for a lost one, or spins (shutdown() is never called). */
static void socket_disconnect(void *self)
{
  struct socket_source *source = self;
  close_socket(source);
}

static const struct evp_option options[] = {
  EVP_STRING(struct socket_source, unix, NULL,
    "Path of the program's Unix socket (GHC_EVENTLOG_UNIX_PATH); @NAME: one in the abstract name space."),
  EVP_STRING(struct socket_source, tcp, NULL, "HOST:PORT of the program's TCP socket; [::1]:PORT for IPv6."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SOURCE, .name = "socket", .summary = "Reads the eventlog of a running program from its socket.",
  .emits = EVP_BYTES | EVP_EVENTS, .options = options, .instance_size = sizeof(struct socket_source),
  .create = socket_create, .start = socket_start, .stop = socket_stop, .destroy = socket_destroy,
  .connect = socket_connect, .read = socket_read, .send = socket_send, .disconnect = socket_disconnect);
