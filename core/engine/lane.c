#include "engine/lane.h"
#include "engine/engine_state.h"
#include "engine/time.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EPOLL_EVENTS = 64 };
#define WAKE UINT64_MAX /* the tag of wake_fd; a source's is its index */

struct lane_watch {
  int fd; /* -1: not watched */
  uint32_t events;
  uint64_t connection; /* of the source: a new one is registered anew, even under the same number */
  bool readable; /* epoll said so */
  bool always; /* epoll can not watch it (a regular file): it is always readable */
};

bool lane_init(struct lane *lane, struct engine *engine, unsigned max_sources)
{
  lane->engine = engine;
  worker_init(&lane->worker);
  lane->sources = calloc(max_sources, sizeof(struct source *));
  lane->watches = calloc(max_sources, sizeof *lane->watches);
  lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE};
  return lane->sources && lane->watches && lane->epoll_fd >= 0 && lane->wake_fd >= 0 &&
         !epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, lane->wake_fd, &event);
}

void lane_free(struct lane *lane)
{
  worker_free(&lane->worker);
  free(lane->sources);
  free(lane->watches);
  if (lane->epoll_fd >= 0) close(lane->epoll_fd);
  if (lane->wake_fd >= 0) close(lane->wake_fd);
}

void lane_add(struct lane *lane, struct source *source)
{
  lane->watches[lane->n_sources] = (struct lane_watch){.fd = -1};
  lane->sources[lane->n_sources++] = source;
}

void lane_wake(struct lane *lane)
{
  eventfd_write(lane->wake_fd, 1);
}

static void unwatch(struct lane *lane, struct lane_watch *watch)
{
  if (watch->fd >= 0) epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
  *watch = (struct lane_watch){.fd = -1};
}

/* Tells epoll what the source waits for now. What nobody waits for is taken out: epoll reports a hang-up whether asked
   for it or not. The kernel forgets an fd that is closed, and the next one may have the same number: so each connection
   is registered anew. */
static void watch(struct lane *lane, unsigned index)
{
  struct lane_watch *watch = &lane->watches[index];
  uint32_t events;
  uint64_t connection;
  int fd = source_fd(lane->sources[index], &events, &connection);
  watch->readable = false;
  if (fd == watch->fd && events == watch->events && connection == watch->connection) return;
  unwatch(lane, watch);
  if (fd < 0 || !events) return;
  struct epoll_event event = {.events = events, .data.u64 = index};
  bool refused = epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, fd, &event);
  *watch = (struct lane_watch){
    .fd = refused ? -1 : fd, .events = events, .connection = connection, .always = refused && errno == EPERM};
}

static uint64_t earliest_deadline(const struct lane *lane)
{
  uint64_t earliest = UINT64_MAX;
  for (unsigned i = 0; i < lane->n_sources; i++) {
    uint64_t deadline = lane->watches[i].always ? 0 : source_deadline(lane->sources[i]);
    if (deadline < earliest) earliest = deadline;
  }
  return earliest;
}

static void wait_for_work(struct lane *lane)
{
  struct epoll_event events[EPOLL_EVENTS];
  int n = epoll_wait(lane->epoll_fd, events, EPOLL_EVENTS, time_poll_timeout(earliest_deadline(lane)));
  for (int i = 0; i < n; i++) {
    if (events[i].data.u64 == WAKE) {
      eventfd_t ignored;
      eventfd_read(lane->wake_fd, &ignored);
    } else if (lane->watches[events[i].data.u64].events) {
      lane->watches[events[i].data.u64].readable = true;
    }
  }
}

static bool all_done(const struct lane *lane)
{
  for (unsigned i = 0; i < lane->n_sources; i++)
    if (!source_is_done(lane->sources[i])) return false;
  return true;
}

static void pass_on_requests(struct lane *lane, unsigned *told)
{
  unsigned requests = atomic_load(&lane->engine->stop_requests);
  if (requests == *told) return;
  *told = requests;
  int signal = atomic_load(&lane->engine->stop_signal);
  for (unsigned i = 0; i < lane->n_sources; i++) source_interrupt(lane->sources[i], signal);
}

static void lane_main(void *argument)
{
  struct lane *lane = argument;
  unsigned told = 0;
  while (!all_done(lane) && !atomic_load(&lane->engine->abandoned)) {
    pass_on_requests(lane, &told);
    for (unsigned i = 0; i < lane->n_sources; i++) {
      struct lane_watch *watched = &lane->watches[i];
      source_turn(lane->sources[i], watched->readable || watched->always);
      watch(lane, i);
    }
    if (!all_done(lane)) wait_for_work(lane);
  }
  pass_on_requests(lane, &told); /* of a second signal, which also ended the loop */
  atomic_fetch_sub(&lane->engine->lanes_running, 1);
  engine_wake(lane->engine);
}

bool lane_start(struct lane *lane)
{
  return worker_start(&lane->worker, lane_main, lane);
}

bool lane_join(struct lane *lane, uint64_t deadline)
{
  return worker_join(&lane->worker, deadline);
}
