#include "listener.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *listener_where(const struct listener *listener)
{
  return listener->unix ? listener->unix : listener->tcp;
}

static bool is_file(const struct listener *listener)
{
  return listener->unix && *listener->unix != '@';
}

/* --------------------------------------------------------------------------------------------------------------- check */

static bool parse_mode(struct listener *listener, const char *text)
{
  char *end;
  unsigned long mode = strtoul(text, &end, 8);
  listener->mode = (unsigned)mode;
  if (*text >= '0' && *text <= '7' && !*end && mode <= 0777) return true;
  evp_option_error(
    listener->ctx, "mode", "'%s' is no file mode; write it in octal and in quotes, as in \"0660\"", text);
  return false;
}

static bool parse_address(struct listener *listener)
{
  const char *wrong = listener->unix ? unix_address_parse(&listener->unix_address, &listener->unix_size, listener->unix)
                                     : tcp_address_parse(&listener->tcp_address, listener->tcp);
  if (wrong) evp_option_error(listener->ctx, listener->unix ? "unix" : "tcp", "%s", wrong);
  return !wrong;
}

bool listener_check(struct listener *listener, const char *mode)
{
  struct evp_ctx *ctx = listener->ctx;
  if (listener->unix && !*listener->unix) listener->unix = NULL; /* ${NAME:-} */
  if (listener->tcp && !*listener->tcp) listener->tcp = NULL;
  if (listener->unix && listener->tcp) {
    evp_option_error(ctx, "tcp", "does not go with unix: a relay listens on one of them; make two relays");
    return false;
  }
  if (!listener->unix && !listener->tcp) {
    evp_option_error(ctx, "unix", "needs either unix: PATH or tcp: HOST:PORT");
    return false;
  }
  if (!parse_mode(listener, mode) || !parse_address(listener)) return false;
  if (listener->unix || listener->allow_remote || tcp_address_is_local(&listener->tcp_address)) return true;
  evp_option_error(ctx, "tcp",
    "is not an address of this machine alone, and whoever reaches it reads the eventlog, with the "
    "program's arguments; say allow_remote: true if that is meant");
  return false;
}

/* ---------------------------------------------------------------------------------------------------------------- open */

static bool fail(const struct listener *listener, const char *why)
{
  evp_error(listener->ctx, "%s: %s", listener_where(listener), why);
  return false;
}

/* Takes over the socket. */
static bool listen_on(struct listener *listener, int fd)
{
  listener->sockets.fds[listener->sockets.n++] = fd;
  return !listen(fd, TCP_LISTEN_WAITING) || fail(listener, strerror(errno));
}

static bool bind_unix(struct listener *listener, int fd)
{
  const struct sockaddr *address = (const struct sockaddr *)&listener->unix_address;
  /* The file is made with the socket's own mode, less the umask: at no time it is more than that. */
  if (fchmod(fd, listener->mode)) return fail(listener, strerror(errno));
  if (!bind(fd, address, listener->unix_size)) return true;
  if (errno == ENOENT) return fail(listener, "can not listen: there is no such folder; make it first");
  if (errno != EADDRINUSE) return fail(listener, strerror(errno));
  const char *who = is_file(listener) ? socket_file_taken(listener->unix) : "somebody else listens on it";
  if (who) return fail(listener, who);
  evp_info(listener->ctx, "%s: removed, a socket that nobody listens on", listener->unix);
  if (unlink(listener->unix) && errno != ENOENT) return fail(listener, strerror(errno));
  return !bind(fd, address, listener->unix_size) || fail(listener, strerror(errno));
}

static bool open_unix(struct listener *listener)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(listener, strerror(errno));
  bool good = bind_unix(listener, fd);
  if (good && is_file(listener))
    good = (socket_file_bound(&listener->file, listener->unix) && !chmod(listener->unix, listener->mode)) ||
           fail(listener, strerror(errno));
  if (good) return listen_on(listener, fd);
  close(fd);
  return false;
}

static bool open_tcp(struct listener *listener)
{
  const char *wrong = tcp_listen_open(&listener->sockets, &listener->tcp_address);
  return !wrong || fail(listener, wrong);
}

bool listener_open(struct listener *listener)
{
  return listener->unix ? open_unix(listener) : open_tcp(listener);
}

void listener_close(struct listener *listener)
{
  socket_file_remove(&listener->file);
  tcp_listen_close(&listener->sockets);
}

/* -------------------------------------------------------------------------------------------------------------- accept */

static void name_unix_peer(int fd, char peer[PEER_MAX])
{
  struct ucred who = {0};
  socklen_t size = sizeof who;
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
  snprintf(peer, PEER_MAX, "process %d of user %u", (int)who.pid, (unsigned)who.uid);
}

static void name_tcp_peer(const struct sockaddr_storage *address, socklen_t size, char peer[PEER_MAX])
{
  char host[INET6_ADDRSTRLEN + 16] = "?", port[8] = "?";
  getnameinfo(
    (const struct sockaddr *)address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  snprintf(peer, PEER_MAX, address->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int listener_accept(struct listener *listener, int fd, char peer[PEER_MAX])
{
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  int on = 1, reader = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (reader < 0) return -1;
  if (listener->unix) {
    name_unix_peer(reader, peer);
    return reader;
  }
  name_tcp_peer(&address, size, peer);
  setsockopt(reader, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* A host that vanished without a word is noticed after a minute. */
  int idle = 30, interval = 10, probes = 3;
  setsockopt(reader, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(reader, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(reader, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(reader, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  return reader;
}
