/* eventlog_socket.c: serves the eventlog of the Haskell program that it is linked into, on the RTS's EventLogWriter
 * interface, as the package eventlog-socket does: one client at a time, header and definitions again for each, what
 * can not be sent at once is queued without a bound, a client has left when its end is closed.
 *
 * For tests only: GHC_EVENTLOG_INET_HOST and GHC_EVENTLOG_INET_PORT, where they are set, go before the path; EVENTLOG_COPY=PATH
 * keeps what client N was sent in PATH.N; and at exit what is queued is sent for at most two seconds, where eventlog-socket
 * forgets it.
 *
 * Threads: the worker accepts, waits and sends what was queued; the RTS's threads call write and stop. */
#include <Rts.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STOP_MILLISECONDS = 2000 };
enum { START_HEAP = 3, STOP_HEAP = 4, CENSUS = 5 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t connected;
  int listener, client, wake, clients;
  char *queue; /* not sent yet: from `sent` to `size` */
  size_t sent, size, capacity;
  FILE *copy;
  unsigned char heard[2 * (7 + 255)]; /* of commands, not obeyed yet */
  size_t heard_size;
} state = {
  .lock = PTHREAD_MUTEX_INITIALIZER, .connected = PTHREAD_COND_INITIALIZER, .listener = -1, .client = -1, .wake = -1};

static void fail(const char *what)
{
  fprintf(stderr, "eventlog_socket: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void drop_client(void)
{
  if (state.client >= 0) close(state.client);
  if (state.copy) fclose(state.copy);
  state.client = -1;
  state.copy = NULL;
  state.sent = state.size = state.heard_size = 0;
  if (write(state.wake, &(uint64_t){1}, 8) < 0) fail("eventfd"); /* the worker may be polling what was closed */
}

static void send_queue(void)
{
  while (state.client >= 0 && state.sent < state.size) {
    ssize_t put = send(state.client, state.queue + state.sent, state.size - state.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (put < 0) {
      drop_client();
      return;
    }
    if (state.copy) fwrite(state.queue + state.sent, 1, (size_t)put, state.copy);
    state.sent += (size_t)put;
  }
  if (state.copy) fflush(state.copy);
  state.sent = state.size = 0;
}

static void append(const void *data, size_t size)
{
  if (state.size + size > state.capacity) {
    state.capacity = 2 * (state.size + size);
    state.queue = realloc(state.queue, state.capacity);
    if (!state.queue) fail("no memory");
  }
  memcpy(state.queue + state.size, data, size);
  state.size += size;
}

static bool write_eventlog(void *data, size_t size)
{
  pthread_mutex_lock(&state.lock);
  if (state.client >= 0) {
    append(data, size);
    send_queue();
    if (state.size && write(state.wake, &(uint64_t){1}, 8) < 0) fail("eventfd");
  }
  pthread_mutex_unlock(&state.lock);
  return true;
}

static void stop_writer(void)
{
  pthread_mutex_lock(&state.lock);
  for (int waited = 0; state.client >= 0 && state.size && waited < STOP_MILLISECONDS; waited += 10) {
    poll(&(struct pollfd){state.client, POLLOUT, 0}, 1, 10);
    send_queue();
  }
  drop_client();
  pthread_mutex_unlock(&state.lock);
}

static const EventLogWriter writer = {NULL, write_eventlog, NULL, stop_writer};

static void open_copy(void)
{
  const char *path = getenv("EVENTLOG_COPY");
  if (!path) return;
  char name[4096];
  snprintf(name, sizeof name, "%s.%d", path, state.clients);
  state.copy = fopen(name, "wb");
}

static void serve(int client)
{
  if (eventLogStatus() == EVENTLOG_RUNNING) endEventLogging();
  pthread_mutex_lock(&state.lock);
  state.client = client;
  state.clients++;
  open_copy();
  pthread_mutex_unlock(&state.lock);
  startEventLogging(&writer);
  pthread_mutex_lock(&state.lock);
  pthread_cond_broadcast(&state.connected);
  pthread_mutex_unlock(&state.lock);
}

/* As eventlog-socket built with its control does: heap profiling begun and stopped, a census. (--no-automatic-heap-samples
 * leaves the censuses to these.) The run-time system can since GHC 9.2; what is no such command is passed over. */
static void obey(int command)
{
#if __GLASGOW_HASKELL__ >= 902
  if (command == START_HEAP) startHeapProfTimer();
  if (command == STOP_HEAP) stopHeapProfTimer();
  if (command == CENSUS) requestHeapCensus();
#else
  (void)command;
#endif
}

/* A command: five bytes that announce it, the length of a name and the name of who is meant, a number. */
static void hear(void)
{
  static const unsigned char magic[5] = {0xf0, 0x9e, 0x97, 0x8c, 0x00};
  ssize_t got = recv(state.client, state.heard + state.heard_size, sizeof state.heard - state.heard_size, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) drop_client();
  if (got <= 0) return;
  size_t begin = 0, end = state.heard_size + (size_t)got;
  while (end - begin >= sizeof magic + 2) {
    const unsigned char *name = state.heard + begin + sizeof magic + 1;
    size_t size = sizeof magic + 2 + name[-1];
    if (memcmp(state.heard + begin, magic, sizeof magic)) {
      begin++;
      continue;
    }
    if (end - begin < size) break;
    if (name[-1] == strlen("eventlog-socket") && !memcmp(name, "eventlog-socket", name[-1])) obey(name[name[-1]]);
    begin += size;
  }
  memmove(state.heard, state.heard + begin, end - begin);
  state.heard_size = end - begin;
}

static int events_of(short revents)
{
  pthread_mutex_lock(&state.lock);
  if (revents & (POLLHUP | POLLERR))
    drop_client();
  else if ((revents & POLLIN) && state.client >= 0)
    hear();
  if (revents & POLLOUT) send_queue();
  int client = state.client;
  pthread_mutex_unlock(&state.lock);
  return client;
}

/* While a client is there the listener is not looked at: others wait in the backlog. */
static void *work(void *unused)
{
  (void)unused;
  for (short revents = 0;;) {
    int client = events_of(revents);
    pthread_mutex_lock(&state.lock);
    short wanted = POLLIN | (state.size ? POLLOUT : 0);
    pthread_mutex_unlock(&state.lock);
    struct pollfd fds[2] = {
      {client >= 0 ? client : state.listener, client >= 0 ? wanted : POLLIN, 0}, {state.wake, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) fail("poll");
    uint64_t woken;
    if (fds[1].revents && read(state.wake, &woken, sizeof woken) < 0) fail("eventfd");
    revents = client >= 0 ? fds[0].revents : 0;
    if (client >= 0 || !(fds[0].revents & POLLIN)) continue;
    int accepted = accept4(state.listener, NULL, NULL, SOCK_CLOEXEC);
    if (accepted >= 0) serve(accepted);
  }
  return NULL;
}

static int listen_unix(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(path);
  }
  memcpy(address.sun_path, path, strlen(path) + 1);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address)) fail(path);
  return fd;
}

static int listen_inet(const char *host, const char *port)
{
  struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  if (getaddrinfo(host, port, &hints, &found)) fail(host);
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, found->ai_addr, found->ai_addrlen))
    fail(host);
  freeaddrinfo(found);
  return fd;
}

void eventlog_socket_start_wait(const char *path);
void eventlog_socket_start_wait(const char *path)
{
  const char *host = getenv("GHC_EVENTLOG_INET_HOST"), *port = getenv("GHC_EVENTLOG_INET_PORT");
  state.listener = host && port ? listen_inet(host, port) : listen_unix(path);
  state.wake = eventfd(0, EFD_CLOEXEC);
  pthread_t thread;
  if (listen(state.listener, 5) || state.wake < 0 || pthread_create(&thread, NULL, work, NULL)) fail("start");
  pthread_mutex_lock(&state.lock);
  while (state.clients == 0) pthread_cond_wait(&state.connected, &state.lock);
  pthread_mutex_unlock(&state.lock);
}
