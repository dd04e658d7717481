#include "engine/shutdown.h"
#include "engine/control.h"
#include "engine/lane.h"
#include "engine/sink.h"
#include "engine/time.h"
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* After the shutdown timeout a plugin that does not come back gets this long; then the process ends without it. */
#define GRACE (2 * NS_PER_S)
/* So long what waits in a queue may be written into a spool then. */
#define SPOOLING (5 * NS_PER_S)

/* What sinks have done so far, in any unit that grows. */
static uint64_t progress(const struct engine *engine)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink) sum += sink_progress(engine->nodes[i].sink);
  return sum;
}

/* The end, step by step; each step is asked for again until it is done or the time is up. */
static bool lanes_are_joined(struct engine *engine)
{
  if (atomic_load(&engine->lanes_running)) return false;
  for (unsigned i = 0; i < engine->n_lanes; i++)
    if (!lane_join(&engine->lanes[i], time_monotonic() + GRACE)) return false;
  return true;
}

static bool sinks_are_joined(struct engine *engine)
{
  bool joined = true;
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink && !sink_join(engine->nodes[i].sink, time_monotonic() + NS_PER_MS)) joined = false;
  return joined;
}

static void close_sinks(struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink) sink_close(engine->nodes[i].sink);
}

static void call_last(struct engine *engine)
{
  if (!atomic_exchange(&engine->last_call, true)) engine_wake_lanes(engine);
}

/* What was read has gone through: the totals that a source of items tells now are those of the whole run. */
static bool all_is_at_rest(struct engine *engine)
{
  if (atomic_load(&engine->lanes_reading)) return false;
  bool rest = true;
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    if (!engine->nodes[i].sink) continue;
    sink_come_to_rest(engine->nodes[i].sink);
    rest = sink_is_at_rest(engine->nodes[i].sink) && rest;
  }
  return rest;
}

static bool has_item_sources(const struct engine *engine)
{
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (node_emits(&engine->nodes[i])) return true;
  return false;
}

static void abandon(struct engine *engine)
{
  atomic_store(&engine->spool_until, time_monotonic() + SPOOLING);
  atomic_store(&engine->abandoned, true);
  eventfd_write(engine->abandon_fd, 1);
  engine_wake_lanes(engine);
  for (unsigned i = 0; i < engine->n_nodes; i++)
    if (engine->nodes[i].sink) sink_abandon(engine->nodes[i].sink);
}

/* Messages are kept: nothing of what was read is lost though not everything was delivered. */
static bool all_is_spooled(const struct engine *engine)
{
  if (atomic_load(&engine->lanes_reading)) return false;
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    struct sink *sink = engine->nodes[i].sink;
    if (sink && !sink_spools(sink) && !sink_join(sink, 0)) return false;
  }
  return true;
}

/* How long the end may take: after a signal `shutdown_timeout` in all, after a natural end as long as there is progress
   within each such time. A second signal ends the patience at once. */
struct patience {
  uint64_t timeout, deadline; /* monotonic */
  uint64_t seen; /* progress */
  bool by_signal;
};

static void prolong(struct patience *patience, const struct engine *engine)
{
  uint64_t done = progress(engine);
  if (patience->by_signal || done == patience->seen || patience->deadline == UINT64_MAX) return;
  patience->seen = done;
  patience->deadline = time_monotonic() + patience->timeout;
}

/* Totals are told when all else is at rest, or, if something hangs, while there is time left to deliver them. */
static bool is_time_for_totals(struct engine *engine, const struct patience *patience)
{
  uint64_t half = patience->deadline == UINT64_MAX ? UINT64_MAX : patience->deadline - patience->timeout / 2;
  return all_is_at_rest(engine) || time_monotonic() >= half;
}

static void give_up_at(struct engine *engine, uint64_t deadline)
{
  struct itimerspec timer = {
    .it_value = {.tv_sec = (time_t)(deadline / NS_PER_S), .tv_nsec = (long)(deadline % NS_PER_S)}};
  if (deadline != UINT64_MAX) timerfd_settime(engine->timeout_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* NULL: everything came to its end in order; else what put an end to the patience. */
static const char *drain(struct engine *engine, int signal_fd, bool by_signal)
{
  struct patience patience = {.timeout = engine->pipeline->shutdown_timeout, .deadline = UINT64_MAX};
  patience.by_signal = by_signal;
  patience.seen = progress(engine);
  if (patience.timeout <= UINT64_MAX / 2) patience.deadline = time_monotonic() + patience.timeout;
  bool lanes_over = false, items = has_item_sources(engine);
  for (;;) {
    if (items && is_time_for_totals(engine, &patience)) call_last(engine);
    if (!lanes_over && lanes_are_joined(engine)) {
      lanes_over = true;
      close_sinks(engine);
    }
    if (lanes_over && sinks_are_joined(engine)) {
      if (patience.by_signal) give_up_at(engine, patience.deadline);
      return NULL;
    }
    prolong(&patience, engine);
    uint64_t now = time_monotonic();
    if (now >= patience.deadline) return "the shutdown timeout is over";
    uint64_t look_again = now + 10 * NS_PER_MS; /* a thread's very end makes no event */
    bool signalled =
      engine_wait(engine, signal_fd, look_again < patience.deadline ? look_again : patience.deadline, false);
    if (signalled && patience.by_signal) return "a second signal came";
    patience.by_signal = patience.by_signal || signalled;
  }
}

/* A plugin that never comes back must not keep the process. */
void shutdown_at_once(struct engine *engine)
{
  abandon(engine);
  uint64_t deadline = time_monotonic() + GRACE;
  bool over = true;
  for (unsigned i = 0; i < engine->n_lanes; i++) over = lane_join(&engine->lanes[i], deadline) && over;
  close_sinks(engine);
  for (unsigned i = 0; i < engine->n_nodes; i++) {
    struct node *node = &engine->nodes[i];
    if (!node->sink || sink_join(node->sink, deadline + (sink_spools(node->sink) ? SPOOLING : 0))) continue;
    log_line(
      LOG_LEVEL_ERROR, node->config->name, node->config->place, "does not come back from its plugin; left behind");
    over = false;
  }
  if (over) return;
  control_close(engine->control);
  _exit(1);
}

void shutdown_in_order(struct engine *engine, int signal_fd, bool by_signal)
{
  const char *why = drain(engine, signal_fd, by_signal);
  if (!why) return;
  if (all_is_spooled(engine)) {
    log_line(LOG_LEVEL_INFO, NULL, NULL, "%s: what is not delivered stays in the spool", why);
  } else {
    log_line(LOG_LEVEL_ERROR, NULL, NULL, "%s: what is not delivered is dropped", why);
    engine_status(engine, STATUS_NODE_FAILED);
  }
  shutdown_at_once(engine);
}
