#include "engine/lane.h"
#include "engine/engine_state.h"
#include "engine/source.h"
#include "engine/time.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EPOLL_EVENTS = 64 };

bool lane_init(struct lane *lane, struct engine *engine)
{
  *lane = (struct lane){.engine = engine};
  worker_init(&lane->worker);
  pthread_mutex_init(&lane->lock, NULL);
  lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}; /* a source's has its seat */
  return lane->epoll_fd >= 0 && lane->wake_fd >= 0 && !epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, lane->wake_fd, &event);
}

void lane_free(struct lane *lane)
{
  worker_free(&lane->worker);
  pthread_mutex_destroy(&lane->lock);
  if (lane->epoll_fd >= 0) close(lane->epoll_fd);
  if (lane->wake_fd >= 0) close(lane->wake_fd);
}

/* ---------------------------------------------------------------------------------------------- to and from others */

/* Under the lock. */
static void put_mail(struct seats *seats, struct seat *seat)
{
  seat->next_mail = NULL;
  if (seats->first)
    seats->last->next_mail = seat;
  else
    seats->first = seat;
  seats->last = seat;
}

/* Under the lock. */
static struct seat *take_mail(struct seats *seats)
{
  struct seat *seat = seats->first;
  if (seat) seats->first = seat->next_mail;
  return seat;
}

static void ask(struct lane *lane, struct seat *seat)
{
  pthread_mutex_lock(&lane->lock);
  bool asked = seat->asked;
  seat->asked = true;
  if (!asked) put_mail(&lane->mail, seat);
  pthread_mutex_unlock(&lane->lock);
  if (!asked) eventfd_write(lane->wake_fd, 1);
}

void lane_add(struct lane *lane, struct source *source)
{
  struct seat *seat = source_seat(source);
  *seat = (struct seat){.source = source, .lane = lane, .fd = -1, .deadline = DEADLINE_NEVER};
  lane->n_sources++;
  ask(lane, seat);
}

void lane_ask(struct source *source)
{
  struct seat *seat = source_seat(source);
  if (seat->lane) ask(seat->lane, seat);
}

void lane_wake(struct lane *lane)
{
  atomic_store(&lane->room, true);
  eventfd_write(lane->wake_fd, 1);
}

struct source *lane_take_left(struct lane *lane)
{
  pthread_mutex_lock(&lane->lock);
  struct seat *seat = take_mail(&lane->left);
  pthread_mutex_unlock(&lane->lock);
  if (!seat) return NULL;
  lane->n_sources--;
  return seat->source;
}

/* Under the lock. */
static void take_out_of_mail(struct seats *mail, const struct seat *seat)
{
  struct seats others = {0};
  for (struct seat *other; (other = take_mail(mail));)
    if (other != seat) put_mail(&others, other);
  *mail = others;
}

/* Whoever asks for it from now on finds that somebody did already: it is in no mail any more. */
static void hand_back(struct lane *lane, struct seat *seat)
{
  pthread_mutex_lock(&lane->lock);
  if (seat->asked) take_out_of_mail(&lane->mail, seat);
  seat->asked = true;
  put_mail(&lane->left, seat);
  pthread_mutex_unlock(&lane->lock);
  engine_wake(lane->engine);
}

/* ------------------------------------------------------------------------------------------------------------ seats */

static void give_turn(struct lane *lane, struct seat *seat)
{
  if (seat->queued) return;
  seat->queued = true;
  seat->next_turn = NULL;
  if (lane->turns.first)
    lane->turns.last->next_turn = seat;
  else
    lane->turns.first = seat;
  lane->turns.last = seat;
}

static void sit_down(struct lane *lane, struct seat *seat)
{
  seat->seated = true;
  seat->next = lane->all;
  if (lane->all) lane->all->previous = seat;
  lane->all = seat;
  lane->n_running++;
  lane->n_reading += !source_has_items(seat->source);
}

static void read_mail(struct lane *lane)
{
  for (;;) {
    pthread_mutex_lock(&lane->lock);
    struct seat *seat = take_mail(&lane->mail);
    if (seat) seat->asked = false;
    pthread_mutex_unlock(&lane->lock);
    if (!seat) return;
    if (!seat->seated) sit_down(lane, seat);
    give_turn(lane, seat);
  }
}

static void unwatch(struct seat *seat)
{
  if (seat->fd >= 0) epoll_ctl(seat->lane->epoll_fd, EPOLL_CTL_DEL, seat->fd, NULL);
  seat->fd = -1;
  seat->events = 0;
  seat->always = false;
}

void lane_forget_fd(struct source *source)
{
  struct seat *seat = source_seat(source);
  if (seat->lane) unwatch(seat);
}

/* Tells epoll what the source waits for now. What nobody waits for is taken out: epoll reports a hang-up whether asked
   for it or not. Each connection is registered anew: its fd may have the number of the one before. */
static void watch(struct seat *seat)
{
  uint32_t events;
  uint64_t connection;
  int fd = source_fd(seat->source, &events, &connection);
  if (fd == seat->fd && events == seat->events && connection == seat->connection) return;
  unwatch(seat);
  if (fd < 0 || !events) return;
  struct epoll_event event = {.events = events, .data.ptr = seat};
  bool refused = epoll_ctl(seat->lane->epoll_fd, EPOLL_CTL_ADD, fd, &event);
  seat->always = refused && errno == EPERM;
  seat->fd = refused && !seat->always ? -1 : fd;
  seat->events = events;
  seat->connection = connection;
}

/* Its source is done. Nothing in this round points at it any more: its turn was just taken. */
static void stand_up(struct lane *lane, struct seat *seat)
{
  unwatch(seat);
  deadlines_set(&lane->deadlines, &seat->deadline, UINT64_MAX);
  if (seat->next) seat->next->previous = seat->previous;
  if (seat->previous)
    seat->previous->next = seat->next;
  else
    lane->all = seat->next;
  seat->seated = false;
  lane->n_running--;
  lane->n_reading -= !source_has_items(seat->source);
  if (source_leaves(seat->source)) hand_back(lane, seat);
}

static void take_turn(struct lane *lane, struct seat *seat)
{
  bool readable = seat->readable || seat->always;
  seat->readable = seat->queued = false;
  source_turn(seat->source, readable);
  if (source_is_done(seat->source)) {
    stand_up(lane, seat);
    return;
  }
  watch(seat);
  deadlines_set(&lane->deadlines, &seat->deadline, seat->always ? 0 : source_deadline(seat->source));
}

/* ----------------------------------------------------------------------------------------------------------- rounds */

static void look_at_fds(struct lane *lane, uint64_t deadline)
{
  struct epoll_event events[EPOLL_EVENTS];
  int n = epoll_wait(lane->epoll_fd, events, EPOLL_EVENTS, time_poll_timeout(deadline));
  for (int i = 0; i < n; i++) {
    struct seat *seat = events[i].data.ptr;
    if (!seat) {
      eventfd_t ignored;
      eventfd_read(lane->wake_fd, &ignored);
    } else {
      seat->readable = true;
      give_turn(lane, seat);
    }
  }
}

static void look_at_clock(struct lane *lane)
{
  uint64_t now = time_monotonic();
  while (deadlines_earliest(&lane->deadlines) <= now) {
    struct deadline *due = lane->deadlines.first;
    deadlines_set(&lane->deadlines, due, UINT64_MAX);
    give_turn(lane, (struct seat *)((char *)due - offsetof(struct seat, deadline)));
  }
}

static void look_at_blocked(struct lane *lane)
{
  if (!atomic_exchange(&lane->room, false)) return;
  for (struct seat *seat = lane->all; seat; seat = seat->next)
    if (source_is_blocked(seat->source)) give_turn(lane, seat);
}

/* Each request to stop is told once to each source that reads. */
static void pass_on_requests(struct lane *lane, unsigned requests)
{
  if (requests == lane->told) return;
  lane->told = requests;
  int signal = atomic_load(&lane->engine->stop_signal);
  for (struct seat *seat = lane->all; seat; seat = seat->next) {
    if (!source_has_items(seat->source)) source_interrupt(seat->source, signal);
    give_turn(lane, seat);
  }
}

/* Sources of items tell what became of the others' data: they end last. */
static void pass_on_last_call(struct lane *lane)
{
  if (lane->last_told || !atomic_load(&lane->engine->last_call)) return;
  lane->last_told = true;
  for (struct seat *seat = lane->all; seat; seat = seat->next) {
    if (!source_has_items(seat->source)) continue;
    source_interrupt(seat->source, 0);
    give_turn(lane, seat);
  }
}

static void take_turns(struct lane *lane)
{
  struct seat *seat = lane->turns.first;
  lane->turns.first = NULL;
  for (struct seat *next; seat; seat = next) {
    next = seat->next_turn;
    take_turn(lane, seat);
  }
}

static void say_read_over(struct lane *lane)
{
  if (lane->read_over) return;
  lane->read_over = true;
  atomic_fetch_sub(&lane->engine->lanes_reading, 1);
  engine_wake(lane->engine);
}

static void lane_main(void *argument)
{
  struct lane *lane = argument;
  struct engine *engine = lane->engine;
  bool over = false;
  while (!over && !atomic_load(&engine->abandoned)) {
    look_at_fds(lane, deadlines_earliest(&lane->deadlines));
    unsigned requests = atomic_load(&engine->stop_requests); /* before the mail is read: nothing comes after that */
    read_mail(lane);
    look_at_clock(lane);
    look_at_blocked(lane);
    pass_on_requests(lane, requests);
    pass_on_last_call(lane);
    take_turns(lane);
    bool none_comes = requests || !engine->sources_come;
    if (!lane->n_reading && none_comes) say_read_over(lane);
    over = !lane->n_running && none_comes;
  }
  pass_on_requests(lane, atomic_load(&engine->stop_requests)); /* of a second signal, which also ended the loop */
  atomic_fetch_sub(&engine->lanes_running, 1);
  engine_wake(engine);
}

bool lane_start(struct lane *lane)
{
  return worker_start(&lane->worker, lane_main, lane);
}

bool lane_join(struct lane *lane, uint64_t deadline)
{
  return worker_join(&lane->worker, deadline);
}
