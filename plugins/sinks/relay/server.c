#include "server.h"
#include "monotonic.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define LOOK_INTERVAL (100 * NS_PER_MS)

enum {
  EVENTS = 64, /* of one look at the sockets */
  ACCEPTS = 64,
  JOIN_WITHIN = 1 << 20 /* so much of the prologue may be unsent when a reader begins with the live stream */
};

/* ------------------------------------------------------------------------------------------------------------- readers */

/* Ticks are only asked for while something has to be looked at again. */
static void tick_if_needed(struct server *server)
{
  bool needed = server->deaf;
  for (struct reader *reader = server->readers; reader; reader = reader->next)
    needed = needed || reader->state == READER_ENDING;
  if (needed == server->ticking) return;
  server->ticking = needed;
  evp_tick_every(server->ctx, needed ? LOOK_INTERVAL : 0);
}

static void watch_reader(struct server *server, struct reader *reader)
{
  uint32_t wanted = reader->half_closed ? 0 : EPOLLIN;
  if (!reader_is_done(reader)) wanted |= EPOLLOUT;
  if (wanted == reader->watched) return;
  struct epoll_event event = {.events = wanted, .data.ptr = reader};
  if (!epoll_ctl(server->epoll, EPOLL_CTL_MOD, reader->fd, &event)) reader->watched = wanted;
}

static void remove_reader(struct server *server, struct reader *gone)
{
  struct reader **link = &server->readers;
  while (*link != gone) link = &(*link)->next;
  *link = gone->next;
  server->n_readers--;
  server->full = false;
  if (gone->ignored)
    evp_debug(server->ctx, "%s sent %" PRIu64 " bytes, which nobody reads: a relay forwards no commands", gone->peer,
      gone->ignored);
  reader_free(gone);
}

/* It is not given the time that it needs. */
static void cut_off(struct server *server, struct reader *reader, const char *why)
{
  uint64_t unsent = reader_unsent(reader);
  server->unsent += unsent;
  evp_warn(server->ctx, "%s is cut off: %s; %" PRIu64 " bytes were left for it", reader->peer, why, unsent);
  remove_reader(server, reader);
}

/* Sends what there is, and sees what becomes of the reader: it may be gone afterwards. */
static void serve(struct server *server, struct reader *reader)
{
  reader_send(reader, &server->redaction);
  if (reader->broken) {
    evp_info(server->ctx, "%s has left", reader->peer);
    remove_reader(server, reader);
  } else if (reader->state == READER_ENDING && reader_is_done(reader)) {
    remove_reader(server, reader);
  } else if (reader->backlog > server->slow_reader.max_size) {
    cut_off(server, reader, "it reads too slowly (slow_reader.max_size)");
  } else {
    watch_reader(server, reader);
  }
}

/* The reader gets what is there and is then closed, with its stream. It may be gone afterwards. */
static void end_reader(struct server *server, struct reader *reader)
{
  uint64_t linger = server->slow_reader.linger, now = monotonic();
  if (reader->state == READER_JOINING) reader->prologue_end = UINT64_MAX; /* all there is: better than less */
  reader->state = READER_ENDING;
  reader->deadline = linger > UINT64_MAX - now ? UINT64_MAX : now + linger;
  serve(server, reader);
}

/* Ends those that read live, or all that have a stream. */
static void end_readers(struct server *server, bool all)
{
  for (struct reader *reader = server->readers, *next; reader; reader = next) {
    next = reader->next;
    if (reader->state == READER_LIVE || (all && reader->state == READER_JOINING)) end_reader(server, reader);
  }
  tick_if_needed(server);
}

static void join(struct server *server, struct reader *reader)
{
  reader_join(reader, server->served->stream, server->served->prologue);
  serve(server, reader);
}

/* ----------------------------------------------------------------------------------------------------------- accepting */

/* Over TCP one that has left looks like one that half-closed: they go first. */
static bool make_room(struct server *server)
{
  struct reader *last = NULL;
  for (struct reader *reader = server->readers; reader; reader = reader->next)
    if (reader->half_closed) last = reader; /* the list begins with the newest */
  if (last) remove_reader(server, last);
  return last != NULL;
}

static void add_reader(struct server *server, int fd, const char peer[PEER_MAX])
{
  if (server->n_readers >= server->max_readers && !make_room(server)) {
    if (!server->full)
      evp_warn(server->ctx, "%s is refused: there are %" PRId64 " readers (max_readers)", peer, server->max_readers);
    server->full = true;
    close(fd);
    return;
  }
  struct reader *reader = reader_new(fd);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
  if (!reader || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event)) {
    evp_error(server->ctx, "%s is refused: %s", peer, strerror(errno));
    if (reader) reader_free(reader);
    return;
  }
  reader->watched = event.events;
  memcpy(reader->peer, peer, PEER_MAX);
  reader->next = server->readers;
  server->readers = reader;
  server->n_readers++;
  evp_info(server->ctx, "%s reads%s", peer, server->served ? "" : ": it waits for a stream");
  if (server->served) join(server, reader);
}

static bool listen_to(struct server *server, bool on)
{
  for (size_t i = 0; i < server->listener.sockets.n; i++) {
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = &server->listener.sockets.fds[i]};
    if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener.sockets.fds[i], &event)) return false;
  }
  server->deaf = !on;
  return true;
}

static void accept_readers(struct server *server, int listener)
{
  char peer[PEER_MAX];
  for (int i = 0; i < ACCEPTS; i++) {
    int fd = listener_accept(&server->listener, listener, peer);
    if (fd >= 0) {
      add_reader(server, fd, peer);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      evp_error(server->ctx, "a reader has to wait: %s", strerror(errno));
      listen_to(server, false);
      tick_if_needed(server);
      return;
    }
  }
}

static void look_at_reader(struct server *server, struct reader *reader, uint32_t events)
{
  if (events & EPOLLIN) reader_take_input(reader);
  if (events & (EPOLLHUP | EPOLLERR)) reader->broken = true;
  serve(server, reader);
}

static const int *listener_of(const struct server *server, const struct epoll_event *event)
{
  for (size_t i = 0; i < server->listener.sockets.n; i++)
    if (event->data.ptr == &server->listener.sockets.fds[i]) return &server->listener.sockets.fds[i];
  return NULL;
}

/* What has happened at the sockets. Each reader has one event at most, and those who come are let in last, for one that is
   there may have to make room: so that who is freed is met no more. */
void server_look(struct server *server)
{
  struct epoll_event events[EVENTS];
  int n = epoll_wait(server->epoll, events, EVENTS, 0);
  for (int i = 0; i < n; i++)
    if (!listener_of(server, &events[i])) look_at_reader(server, events[i].data.ptr, events[i].events);
  for (int i = 0; i < n; i++) {
    const int *listener = listener_of(server, &events[i]);
    if (listener) accept_readers(server, *listener);
  }
}

/* Counted when no write() is under way: what a reader lost the others got, and the sink did. */
void server_count(struct server *server)
{
  if (server->unsent) evp_drop(server->ctx, server->unsent, "slow_reader");
  server->unsent = 0;
}

static void end_the_late(struct server *server, uint64_t now)
{
  for (struct reader *reader = server->readers, *next; reader; reader = next) {
    next = reader->next;
    if (reader->state == READER_ENDING && now >= reader->deadline)
      cut_off(server, reader, "its stream is over, and it did not take the rest in time (slow_reader.linger)");
  }
}

void server_tick(struct server *server, uint64_t now)
{
  if (server->deaf) listen_to(server, true);
  end_the_late(server, now);
  tick_if_needed(server);
}

/* ------------------------------------------------------------------------------------------------------------- the stream */

void server_serve(struct server *server, const struct served *served)
{
  if (server->served) end_readers(server, true);
  server->served = served;
  for (struct reader *reader = server->readers, *next; served && reader; reader = next) {
    next = reader->next;
    if (reader->state == READER_WAITING) join(server, reader);
  }
}

void server_break(struct server *server, const char *why)
{
  bool live = false;
  for (struct reader *reader = server->readers; reader; reader = reader->next)
    live = live || reader->state == READER_LIVE;
  if (live) evp_warn(server->ctx, "%s: the readers' connections end, so that they begin anew", why);
  end_readers(server, false);
}

/* Does the reader begin with this batch? Then *begin is where. */
static bool begins(const struct served *stream, struct reader *reader, const struct evp_batch *batch, uint32_t *begin)
{
  if (reader->state != READER_JOINING) return false;
  if (!stream->begun) { /* it was there before the stream's first byte: nothing is missing, and no prologue is needed */
    reader->prologue_end = 0;
    return true;
  }
  if (!(batch->flags & EVP_BATCH_FRAMED) || batch->sync >= batch->n) return false;
  if (batch->prologue > reader->prologue_at + JOIN_WITHIN) return false;
  reader->prologue_end = batch->prologue;
  *begin = batch->sync;
  return true;
}

/* False: no memory. The reader may be gone afterwards. */
static bool give(
  struct server *server, struct reader *reader, const struct evp_batch *batch, uint32_t begin, struct piece **piece)
{
  if (begins(server->served, reader, batch, &begin)) reader->state = READER_LIVE;
  if (reader->state == READER_LIVE) {
    if (!*piece) *piece = piece_new(&server->redaction, batch);
    if (!*piece || !reader_append(reader, *piece, begin)) return false;
  } else if (reader->state == READER_JOINING) {
    reader->prologue_end = batch->prologue_end;
  }
  if (reader->state != READER_WAITING) serve(server, reader);
  return true;
}

bool server_give(struct server *server, const struct evp_batch *batch, uint32_t begin)
{
  struct piece *piece = NULL;
  bool ok = true;
  for (struct reader *reader = server->readers, *next; ok && reader; reader = next) {
    next = reader->next;
    ok = give(server, reader, batch, begin, &piece);
  }
  if (piece) piece_unref(piece);
  return ok;
}

/* Streams are over: what readers have not taken yet they get now, if they take it. */
static void drain(struct server *server)
{
  for (;;) {
    end_the_late(server, monotonic());
    if (!server->readers) return;
    struct pollfd polled[] = {
      {.fd = server->epoll, .events = POLLIN}, {.fd = evp_stop_fd(server->ctx), .events = POLLIN}};
    if (poll(polled, 2, (int)(LOOK_INTERVAL / NS_PER_MS)) < 0 || polled[1].revents) return;
    server_look(server);
  }
}

/* ---------------------------------------------------------------------------------------------------------------- life */

bool server_start(struct server *server)
{
  if (!listener_open(&server->listener)) {
    listener_close(&server->listener);
    return false;
  }
  server->epoll = epoll_create1(EPOLL_CLOEXEC);
  bool ok = server->epoll >= 0;
  for (size_t i = 0; ok && i < server->listener.sockets.n; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->listener.sockets.fds[i]};
    ok = !epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener.sockets.fds[i], &event);
  }
  if (ok) {
    evp_info(server->ctx, "listening on %s", listener_where(&server->listener));
    return true;
  }
  evp_error(server->ctx, "%s: %s", listener_where(&server->listener), strerror(errno));
  listener_close(&server->listener);
  return false;
}

void server_stop(struct server *server)
{
  listener_close(&server->listener);
  for (struct reader *reader = server->readers, *next; reader; reader = next) {
    next = reader->next;
    if (reader->state == READER_WAITING) remove_reader(server, reader);
  }
  server_serve(server, NULL);
  drain(server);
  while (server->readers) cut_off(server, server->readers, "evpipe ends");
  server_count(server);
}

void server_free(struct server *server)
{
  while (server->readers) remove_reader(server, server->readers);
  listener_close(&server->listener);
  if (server->epoll >= 0) close(server->epoll);
  redact_free(&server->redaction);
}
