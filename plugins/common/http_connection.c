#include "http_private.h"
#include "monotonic.h"
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS = 64 /* in one turn */ };

/* How long each phase may last; streams may last for ever. */
static const uint64_t LIMITS[] = {[HTTP_NEW] = 10 * HTTP_NS_PER_S, /* it connected, and asks nothing */
  [HTTP_IDLE] = 75 * HTTP_NS_PER_S, /* longer than the usual minute between two scrapes */
  [HTTP_RECEIVING] = 10 * HTTP_NS_PER_S,
  [HTTP_ANSWERING] = 120 * HTTP_NS_PER_S, /* a large answer to a slow phone */
  [HTTP_STREAMING] = UINT64_MAX};

/* ----------------------------------------------------------------------------------------------------------- accepting */

/* The answer fits the socket's buffer; what the client sends meanwhile is not waited for. */
static void refuse(struct http_server *server, int fd)
{
  static const char TEXT[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
                             "Content-Type: text/plain\r\nContent-Length: 30\r\n\r\nmax_connections are open here\n";
  char input[2048];
  if (!server->guard.tls && send(fd, TEXT, sizeof TEXT - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    shutdown(fd, SHUT_WR);
    while (recv(fd, input, sizeof input, MSG_DONTWAIT) == (ssize_t)sizeof input)
      continue; /* unread input means a reset */
  }
  close(fd);
  server->refused++;
}

static void say_refused(struct http_server *server)
{
  char text[128];
  uint64_t unsaid;
  snprintf(text, sizeof text, "connections are refused: %u are open (max_connections)", server->max_connections);
  if (!server->refused || !complaint_is_due(&server->full, text, &unsaid)) return;
  evp_warn(server->ctx, "%s; %" PRIu64 " so far", text, server->refused);
}

static void cut(struct http_connection *connection)
{
  connection->cut = true;
  shutdown(connection->fd, SHUT_RDWR); /* libmicrohttpd sees the end, and closes it */
}

/* Of those that wait for nothing the one that does so longest. */
static bool make_room(struct http_server *server)
{
  struct http_connection *oldest = NULL;
  for (struct http_connection *each = server->connections; each; each = each->next)
    if (each->phase == HTTP_IDLE && !each->cut && (!oldest || each->since < oldest->since)) oldest = each;
  if (!oldest) return false;
  cut(oldest);
  MHD_run(server->daemon);
  return server->n_connections < server->max_connections;
}

static void admit(struct http_server *server, int fd, const struct sockaddr_storage *address, socklen_t size)
{
  int on = 1;
  if (server->n_connections >= server->max_connections && !make_room(server)) {
    refuse(server, fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* A failure closes it, and is logged. */
  MHD_add_connection(server->daemon, fd, (const struct sockaddr *)address, size);
}

/* Files may be free again at the next look; until then it would be told in vain, again and again, that somebody waits. */
static void let_wait(struct http_server *server, int error)
{
  uint64_t unsaid;
  http_server_listen(server, false);
  if (complaint_is_due(&server->unaccepted, strerror(error), &unsaid))
    evp_warn(server->ctx, "can not accept connections, which wait: %s", strerror(error));
}

bool http_connection_accept(struct http_server *server, int listening)
{
  bool all = false;
  for (int i = 0; i < ACCEPTS; i++) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd = accept4(listening, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      admit(server, fd, &address, size);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    all = errno == EAGAIN;
    if (!all) let_wait(server, errno);
    break;
  }
  say_refused(server);
  return all;
}

/* ------------------------------------------------------------------------------------------------------ who is connected */

struct http_connection *http_connection_of(struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

void http_connection_phase(struct MHD_Connection *mhd, enum http_phase phase)
{
  struct http_connection *connection = http_connection_of(mhd);
  if (!connection) return;
  connection->phase = phase;
  connection->since = monotonic();
}

static void add(struct http_server *server, struct MHD_Connection *mhd, void **context)
{
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct http_connection *connection = calloc(1, sizeof *connection);
  server->n_connections++;
  *context = connection;
  if (!connection) return; /* its requests are refused */
  connection->fd = info->connect_fd;
  connection->since = monotonic();
  connection->next = server->connections;
  connection->link = &server->connections;
  if (connection->next) connection->next->link = &connection->next;
  server->connections = connection;
}

void http_connection_notify(
  void *owner, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
  struct http_server *server = owner;
  struct http_connection *connection = *context;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    add(server, mhd, context);
    return;
  }
  server->n_connections--;
  if (!connection) return;
  *connection->link = connection->next;
  if (connection->next) connection->next->link = connection->link;
  free(connection);
}

void http_connection_look(struct http_server *server, uint64_t now)
{
  if (server->deaf) http_server_listen(server, true);
  for (struct http_connection *each = server->connections; each; each = each->next)
    if (!each->cut && now - each->since > LIMITS[each->phase]) cut(each);
  if (server->n_connections < server->max_connections && complaint_over(&server->full)) server->refused = 0;
}
