#include "engine/control.h"
#include "engine/control_request.h"
#include "engine/control_socket.h"
#include "engine/time.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* So long a client may be silent although others wait, and so long nobody is accepted after a failure. */
#define PATIENCE NS_PER_S
#define LISTENER UINT64_MAX /* the listener's tag; a client's is its index */

struct client {
  int fd; /* -1: a free place */
  char line[CONTROL_LINE];
  size_t n;
  char *answer; /* NULL: none is under way */
  size_t answer_size, sent;
  bool over; /* nothing more is read */
  uint64_t active; /* monotonic: it came, or something went through */
};

struct control {
  struct engine *engine;
  struct control_socket socket;
  int epoll_fd;
  uint64_t accept_at; /* monotonic; 0: the listener is watched */
  struct client clients[CONTROL_CLIENTS];
};

static void say(enum log_level level, const char *path, const char *text)
{
  log_line(level, NULL, NULL, "control: %s: %s", path, text);
}

static bool watch(struct control *control, int operation, int fd, uint64_t tag, uint32_t events)
{
  struct epoll_event event = {.events = events, .data.u64 = tag};
  return !epoll_ctl(control->epoll_fd, operation, fd, &event);
}

struct control *control_open(struct engine *engine, const char *path)
{
  struct control *control = calloc(1, sizeof *control);
  const char *wrong = control ? control_socket_open(&control->socket, path) : "no memory";
  if (wrong) {
    say(LOG_LEVEL_ERROR, path, wrong);
    free(control);
    return NULL;
  }
  control->engine = engine;
  for (unsigned i = 0; i < CONTROL_CLIENTS; i++) control->clients[i].fd = -1;
  control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (control->epoll_fd >= 0 && watch(control, EPOLL_CTL_ADD, control->socket.fd, LISTENER, EPOLLIN)) {
    say(LOG_LEVEL_INFO, path, "listening");
    return control;
  }
  say(LOG_LEVEL_ERROR, path, strerror(errno));
  control_close(control);
  return NULL;
}

static void drop_client(struct client *client)
{
  if (client->fd >= 0) close(client->fd); /* epoll forgets it */
  free(client->answer);
  client->answer = NULL;
  client->fd = -1;
}

void control_close(struct control *control)
{
  if (!control) return;
  for (unsigned i = 0; i < CONTROL_CLIENTS; i++) drop_client(&control->clients[i]);
  control_socket_close(&control->socket);
  if (control->epoll_fd >= 0) close(control->epoll_fd);
  free(control);
}

/* ---------------------------------------------------------------------------------------------------------- a client */

/* False: the client is gone, or there is no memory for an answer. */
static bool send_answer(struct control *control, struct client *client)
{
  ssize_t put = send(client->fd, client->answer + client->sent, client->answer_size - client->sent, MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN && errno != EINTR) return false;
  if (put > 0) {
    client->sent += (size_t)put;
    client->active = time_monotonic();
  }
  bool all = client->sent == client->answer_size;
  if (all) {
    free(client->answer);
    client->answer = NULL;
  }
  return watch(control, EPOLL_CTL_MOD, client->fd, (uint64_t)(client - control->clients), all ? EPOLLIN : EPOLLOUT);
}

/* Answers the first line that is complete; what is cut is not carried out. False: as above. */
static bool answer_line(struct control *control, struct client *client)
{
  char *end = memchr(client->line, '\n', client->n);
  bool too_long = !end && client->n == CONTROL_LINE;
  if (!end && !too_long) return true;
  size_t taken = end ? (size_t)(end - client->line) + 1 : client->n;
  if (end) *end = '\0';
  client->over = client->over || too_long;
  client->answer = control_answer(control->engine, end ? client->line : NULL, &client->answer_size);
  client->sent = 0;
  memmove(client->line, client->line + taken, client->n - taken);
  client->n -= taken;
  return client->answer && send_answer(control, client);
}

static bool receive(struct client *client)
{
  ssize_t got = recv(client->fd, client->line + client->n, CONTROL_LINE - client->n, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  client->active = time_monotonic();
  client->n += (size_t)got;
  client->over = got == 0;
  return true;
}

/* Reads on only when the answer is out, so that one answer is all that a client can make us keep. */
static void serve(struct control *control, struct client *client)
{
  bool good = client->answer ? send_answer(control, client) : receive(client);
  while (good && !client->answer && client->n) {
    size_t before = client->n;
    good = answer_line(control, client);
    if (client->n == before) break;
  }
  if (!good || (client->over && !client->answer)) drop_client(client);
}

/* --------------------------------------------------------------------------------------------------------- accepting */

static struct client *free_place(struct control *control)
{
  for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
    if (control->clients[i].fd < 0) return &control->clients[i];
  return NULL;
}

static struct client *most_silent(struct control *control)
{
  struct client *silent = &control->clients[0];
  for (unsigned i = 1; i < CONTROL_CLIENTS; i++)
    if (control->clients[i].active < silent->active) silent = &control->clients[i];
  return silent;
}

static void pause_accepting(struct control *control, uint64_t until)
{
  control->accept_at = until;
  watch(control, EPOLL_CTL_MOD, control->socket.fd, LISTENER, 0);
}

/* Where the next client goes: a free place, or that of one that has been silent for long. NULL: it has to wait. */
static struct client *place_for_another(struct control *control, uint64_t now)
{
  struct client *place = free_place(control);
  if (place) return place;
  place = most_silent(control);
  if (now >= place->active + PATIENCE) return place;
  pause_accepting(control, place->active + PATIENCE);
  return NULL;
}

static void accept_clients(struct control *control)
{
  uint64_t now = time_monotonic();
  struct client *place;
  while ((place = place_for_another(control, now))) {
    int fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      bool nobody = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
      if (!nobody) pause_accepting(control, now + PATIENCE); /* no descriptor is left */
      return;
    }
    drop_client(place);
    *place = (struct client){.fd = fd, .active = now};
    if (!watch(control, EPOLL_CTL_ADD, fd, (uint64_t)(place - control->clients), EPOLLIN)) drop_client(place);
  }
}

static void accept_again(struct control *control)
{
  control->accept_at = 0;
  watch(control, EPOLL_CTL_MOD, control->socket.fd, LISTENER, EPOLLIN);
}

/* ------------------------------------------------------------------------------------------------------- the main loop */

int control_fd(const struct control *control)
{
  return control ? control->epoll_fd : -1;
}

uint64_t control_deadline(const struct control *control)
{
  return control && control->accept_at ? control->accept_at : UINT64_MAX;
}

void control_turn(struct control *control)
{
  struct epoll_event events[CONTROL_CLIENTS + 1];
  if (!control) return;
  bool acceptable = false;
  int n = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS + 1, 0);
  for (int i = 0; i < n; i++) {
    if (events[i].data.u64 == LISTENER)
      acceptable = true;
    else if (control->clients[events[i].data.u64].fd >= 0)
      serve(control, &control->clients[events[i].data.u64]);
  }
  if (control->accept_at && (free_place(control) || time_monotonic() >= control->accept_at)) accept_again(control);
  if (acceptable) accept_clients(control);
}
