#include "engine/engine.h"
#include "engine/control.h"
#include "engine/each.h"
#include "engine/graph.h"
#include "engine/lane.h"
#include "engine/notify.h"
#include "engine/setup.h"
#include "engine/shutdown.h"
#include "engine/sink.h"
#include "engine/source.h"
#include "engine/time.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

void engine_status(struct engine *engine, enum engine_status_rank rank)
{
  int before = atomic_load(&engine->status);
  while (before < (int)rank && !atomic_compare_exchange_weak(&engine->status, &before, (int)rank)) {}
}

void engine_wake(struct engine *engine)
{
  if (engine->wake_fd >= 0) eventfd_write(engine->wake_fd, 1);
}

void engine_wake_lanes(struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_lanes; i++) lane_wake(&engine->lanes[i]);
}

int engine_stop_fd(const struct engine *engine)
{
  return engine->stop_fd;
}

bool engine_stops_by(struct engine *engine, int fd)
{
  struct epoll_event event = {.events = EPOLLIN};
  return !epoll_ctl(engine->stop_fd, EPOLL_CTL_ADD, fd, &event);
}

bool engine_check(const struct pipeline *pipeline, struct diagnostics *diagnostics)
{
  struct engine *engine = setup_new(pipeline);
  struct evp_ctx **instances = calloc(pipeline->n_nodes + 1, sizeof(struct evp_ctx *));
  bool ok = engine && instances && setup_create(engine, instances, true, diagnostics);
  for (unsigned i = 0; instances && i < pipeline->n_nodes; i++)
    if (instances[i]) setup_discard(instances[i]);
  free(instances);
  if (engine) setup_free(engine);
  return ok;
}

/* ------------------------------------------------------------------------------------------------------ running */

static bool start_all(struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink && !sink_start(engine->nodes[i].sink)) return false;
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].source && !source_start(engine->nodes[i].source)) return false;
  atomic_store(&engine->lanes_running, engine->n_lanes);
  atomic_store(&engine->lanes_reading, engine->n_lanes);
  for (unsigned i = 0; i < engine->n_lanes; i++) {
    if (lane_start(&engine->lanes[i])) continue;
    atomic_fetch_sub(&engine->lanes_running, engine->n_lanes - i);
    log_line(LOG_LEVEL_ERROR, NULL, NULL, "no thread for a lane");
    return false;
  }
  return true;
}

/* A queue that fills and runs dry again and again must not give its memory back to the kernel, and fetch it anew, each
   time: that cost as much as decoding. What is kept is bounded by this and by what was in use. */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
  enum { KEPT = 4 * 1024 * 1024 };
  mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}

/* Signals are taken by the main thread alone; SIGPIPE and SIGXFSZ by nobody: writes report EPIPE and EFBIG. */
static int block_signals(void)
{
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGINT);
  sigaddset(&handled, SIGTERM);
  sigaddset(&handled, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &handled, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(
    SIGCHLD, SIG_DFL); /* ignored, as some parents leave it, it would take away the statuses of programs we start */
  signal(SIGXFSZ, SIG_IGN);
  return signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The main thread calls the plugins' stop(), in which they may wait, and takes no signal meanwhile: now it is they who see
   one. SIGHUP ends nothing. */
static void let_signals_stop(struct engine *engine, int fd)
{
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  if (signalfd(fd, &ending, 0) < 0 || !engine_stops_by(engine, fd))
    log_line(LOG_LEVEL_WARNING, NULL, NULL, "signals can not shorten the end: %s", strerror(errno));
}

static void stop_lanes(struct engine *engine, int signal)
{
  atomic_store(&engine->stop_signal, signal);
  atomic_fetch_add(&engine->stop_requests, 1);
  engine_wake_lanes(engine);
}

/* True: one of the signals that end it came, and the lanes were told. The terminal's Ctrl-C (SI_KERNEL) reached a program
   that a source started as well: it would take a second one for a second Ctrl-C. */
static bool take_signals(struct engine *engine, int fd)
{
  struct signalfd_siginfo info;
  int signal = -1;
  while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGHUP)
      log_line(LOG_LEVEL_INFO, NULL, NULL, "SIGHUP: the configuration is not read again in this version; ignored");
    else
      signal = info.ssi_code == SI_KERNEL ? 0 : (int)info.ssi_signo;
  }
  if (signal < 0) return false;
  stop_lanes(engine, signal);
  return true;
}

bool engine_wait(struct engine *engine, int signal_fd, uint64_t deadline, bool looks_at_paths)
{
  nfds_t n = 0;
  engine->polled[n++] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
  engine->polled[n++] = (struct pollfd){.fd = engine->wake_fd, .events = POLLIN};
  engine->polled[n++] = (struct pollfd){.fd = control_fd(engine->control), .events = POLLIN};
  if (control_deadline(engine->control) < deadline) deadline = control_deadline(engine->control);
  for (unsigned i = 0; looks_at_paths && i < engine->n_nodes; i++) {
    struct each *each = engine->nodes[i].each;
    if (!each) continue;
    engine->polled[n++] = (struct pollfd){.fd = each_fd(each), .events = POLLIN};
    if (each_deadline(each) < deadline) deadline = each_deadline(each);
  }
  poll(engine->polled, n, time_poll_timeout(deadline));
  control_turn(engine->control);
  eventfd_t ignored;
  eventfd_read(engine->wake_fd, &ignored);
  return take_signals(engine, signal_fd);
}

static void look_at_paths(struct engine *engine)
{
  for (unsigned i = 0; engine->sources_come && i < engine->n_lanes; i++)
    for (struct source *source; (source = lane_take_left(&engine->lanes[i]));)
      each_take_back(source_node(source)->each, source);
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].each) each_look(engine->nodes[i].each);
}

static bool is_gone(const struct node *sink)
{
  return atomic_load(&sink->failed) || atomic_load(&sink->ended);
}

/* A sink that still serves somebody what it has got. */
static bool a_sink_stays(const struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (atomic_load(&engine->nodes[i].stays) && !is_gone(&engine->nodes[i])) return true;
  return false;
}

/* Where sources may still come, or a sink stays, it goes on until it is told to end. */
static bool sources_are_done(const struct engine *engine)
{
  bool ends = false; /* one that ends by itself */
  if (engine->sources_come || a_sink_stays(engine)) return false;
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    const struct node *node = &engine->nodes[i];
    if (!node->source || source_has_items(node->source)) continue;
    if (!atomic_load(&node->source_done)) return false;
    ends = true;
  }
  return ends || !atomic_load(&engine->lanes_running); /* sources of items end by a signal, or by themselves */
}

static bool sinks_are_gone(const struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink && !is_gone(&engine->nodes[i])) return false;
  return true;
}

/* What the node's sources started goes on. */
static bool has_started_what_runs(const struct node *node)
{
  if (node->each) return node->plugin->interrupt && each_has_sources(node->each);
  return node->source && source_ends_first(node->source) && !atomic_load(&node->source_done);
}

/* When there is no sink any more; but what a source started is read to its end. */
static bool may_leave_sources(const struct engine *engine, bool *told)
{
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    const struct node *node = &engine->nodes[i];
    if (!has_started_what_runs(node)) continue;
    if (!*told)
      log_line(LOG_LEVEL_INFO, node->config->name, node->config->place, "no sink is left; it is read to its end");
    *told = true;
    return false;
  }
  return true;
}

static bool is_over(struct engine *engine, bool *told)
{
  look_at_paths(engine);
  return sources_are_done(engine) || (sinks_are_gone(engine) && may_leave_sources(engine, told));
}

/* In front of all that lets data in: two that were given the same path do not both begin. */
static bool open_control(struct engine *engine)
{
  const char *path = engine->pipeline->control_unix;
  if (path) engine->control = control_open(engine, path);
  return engine->control || !path;
}

/* What was left behind is counted as dropped, then each node's totals are told. */
static void report(struct engine *engine, int signal_fd)
{
  let_signals_stop(engine, signal_fd);
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink) sink_settle(engine->nodes[i].sink);
  for (unsigned i = 0; i < engine->n_nodes; i++)
    statistics_report(&engine->nodes[i].statistics, engine->nodes[i].config->name, engine->nodes[i].config->place,
      atomic_load(&engine->live) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
}

static void run(struct engine *engine, int signal_fd)
{
  bool by_signal = false, told = false;
  notify_service_manager("READY=1");
  while (!by_signal && !is_over(engine, &told)) by_signal = engine_wait(engine, signal_fd, UINT64_MAX, true);
  if (by_signal) log_line(LOG_LEVEL_INFO, NULL, NULL, "stopping: what was read is delivered first");
  notify_service_manager("STOPPING=1");
  if (!by_signal) stop_lanes(engine, 0);
  shutdown_in_order(engine, signal_fd, by_signal);
}

static int exit_status(const struct engine *engine)
{
  switch ((enum engine_status_rank)atomic_load(&engine->status)) {
  case STATUS_DONE:
    return atomic_load(&engine->program_status);
  case STATUS_INPUT_DAMAGED:
    return 3;
  case STATUS_NODE_FAILED:
    break;
  }
  return 1;
}

static int run_created(struct engine *engine, int signal_fd)
{
  if (graph_connect(engine) && setup_lanes(engine) && open_control(engine) && start_all(engine)) {
    run(engine, signal_fd);
  } else {
    engine_status(engine, STATUS_NODE_FAILED);
    shutdown_at_once(engine);
  }
  control_close(engine->control);
  engine->control = NULL;
  report(engine, signal_fd);
  return exit_status(engine);
}

int engine_run(const struct pipeline *pipeline, struct diagnostics *diagnostics)
{
  int signal_fd = block_signals();
  keep_freed_memory();
  struct engine *engine = setup_new(pipeline);
  struct evp_ctx **instances = calloc(pipeline->n_nodes + 1, sizeof(struct evp_ctx *));
  int status = 1;
  if (engine && instances) {
    bool created = setup_create(engine, instances, false, diagnostics);
    bool adopted = setup_adopt(engine, instances);
    status = created && adopted ? run_created(engine, signal_fd) : created ? 1 : 2;
  }
  free(instances);
  if (engine) setup_free(engine);
  if (signal_fd >= 0) close(signal_fd);
  return status;
}
