/* A recording that is read at a pace: nothing comes before it is due, and what came ends at one place for all sinks. */
#include "check_main.h"
#include "engine/time.h"
#include "log.h"
#include "made.h"
#include <evpipe/events.h>
#include <signal.h>
#include <unistd.h>

static double pace;
static uint64_t begun; /* monotonic, before the engine ran: the pace began later */
static struct seen {
  uint64_t events, bytes, early, stop_after; /* stop_after: events; 0: never */
} seen;

/* ------------------------------------------------------------------------------------------------------- the sinks */

static enum evp_status write_events(void *self, const struct evp_batch *batch)
{
  (void)self;
  uint64_t passed = time_monotonic() - begun;
  for (uint32_t i = 0; i < batch->n; i++)
    seen.early += (double)batch->events[batch->sel[i]].time > (double)passed * pace;
  seen.events += batch->n;
  if (!seen.stop_after || seen.events < seen.stop_after) return EVP_OK;
  seen.stop_after = 0;
  kill(getpid(), SIGTERM);
  return EVP_OK;
}

static enum evp_status write_bytes(void *self, const struct evp_batch *batch)
{
  (void)self;
  ck_assert_uint_eq(batch->offset, seen.bytes);
  seen.bytes += batch->n;
  return EVP_OK;
}

#define SINK(signal, callback) \
  { \
    .abi = EVP_ABI, .size = sizeof(struct evp_plugin), .kind = EVP_SINK, .name = "sink", .accepts = signal, \
    .instance_size = 1, .write = callback \
  }

static const struct evp_plugin event_sink = SINK(EVP_EVENTS, write_events), byte_sink = SINK(EVP_BYTES, write_bytes);

/* ------------------------------------------------------------------------------------------------------- the tests */

static void set_up(void)
{
  log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
  seen = (struct seen){0};
  made_log(&input);
  input_cut = sizeof input.data;
}

static int run_paced(double factor)
{
  struct pipeline_edge events = {0, EVP_EVENTS}, bytes = {0, EVP_BYTES};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source),
    made_node(EVP_SINK, "events", &event_sink), made_node(EVP_SINK, "bytes", &byte_sink)};
  nodes[0].source.pace = pace = factor;
  made_edge(nodes, 1, &events);
  made_edge(nodes, 2, &bytes);
  begun = time_monotonic();
  return made_run(nodes, 3);
}

START_TEST(nothing_comes_before_it_is_due)
{
  if (_i) input_cut = 1000;
  ck_assert_int_eq(run_paced(0.005), 0);
  ck_assert_uint_eq(seen.events, SIZES + 3);
  ck_assert_uint_eq(seen.early, 0);
  ck_assert_uint_eq(seen.bytes, input.size);
}
END_TEST

/* What is not due yet is not handed on: no event without its bytes, no bytes beyond the last event. */
START_TEST(when_stopped_bytes_and_events_end_at_one_place)
{
  enum { MARKER = 24, RECORD = 22 };
  uint64_t rest = MARKER + MARKER + 26 + 2, header = input.size - rest - SIZES * RECORD;
  seen.stop_after = 20;
  ck_assert_int_eq(run_paced(0.0001), 0); /* all of it would take five seconds */
  ck_assert_uint_ge(seen.events, 20);
  ck_assert_uint_lt(seen.events, SIZES);
  ck_assert_uint_eq(seen.bytes, header + MARKER + (seen.events - 1) * RECORD);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("pace");
  tcase_add_checked_fixture(tests, set_up, NULL);
  tcase_add_loop_test(tests, nothing_comes_before_it_is_due, 0, 2);
  tcase_add_test(tests, when_stopped_bytes_and_events_end_at_one_place);
  return check_main("pace", tests);
}
