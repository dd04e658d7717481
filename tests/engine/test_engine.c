/* The engine as a whole, on pipelines made by hand of plugins that live in this file. */
#include "check_main.h"
#include "log.h"
#include "made.h"
#include <evpipe/events.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------- the plugins */

/* Sizes become a gauge; every third call holds its items back for more(). */
struct sizes {
  struct evp_ctx *ctx;
  const struct evp_series *series;
  uint64_t times[SIZES];
  int64_t values[SIZES];
  unsigned n, calls;
};

static enum evp_status sizes_create(void *self, struct evp_ctx *ctx)
{
  struct sizes *sizes = self;
  struct evp_series wanted = {.name = "size_bytes", .unit = "bytes", .kind = EVP_GAUGE, .type = EVP_INT64};
  evp_want_event(ctx, EVP_HEAP_SIZE);
  sizes->ctx = ctx;
  sizes->series = evp_series_get(ctx, &wanted);
  return sizes->series ? EVP_OK : EVP_ERROR;
}

static enum evp_status sizes_more(void *self, struct evp_out *out)
{
  struct sizes *sizes = self;
  if (!sizes->n) return EVP_OK;
  if (evp_emit_int(out, sizes->series, sizes->times[0], sizes->values[0])) return EVP_ERROR;
  sizes->n--;
  memmove(sizes->times, sizes->times + 1, sizes->n * sizeof *sizes->times);
  memmove(sizes->values, sizes->values + 1, sizes->n * sizeof *sizes->values);
  return sizes->n ? EVP_AGAIN : EVP_OK;
}

static enum evp_status sizes_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  struct sizes *sizes = self;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    ck_assert_uint_eq(event->type, EVP_HEAP_SIZE);
    sizes->times[sizes->n] = event->time;
    sizes->values[sizes->n++] = event->data[10] << 8 | event->data[11];
  }
  if (sizes->calls++ % 3 == 2) return EVP_AGAIN;
  enum evp_status status = EVP_AGAIN;
  while (status == EVP_AGAIN) status = sizes_more(self, out);
  return status;
}

static const struct evp_plugin sizes_plugin = {.abi = EVP_ABI,
  .size = sizeof(struct evp_plugin),
  .kind = EVP_FILTER,
  .name = "sizes",
  .accepts = EVP_EVENTS,
  .emits = EVP_METRICS,
  .instance_size = sizeof(struct sizes),
  .create = sizes_create,
  .map = sizes_map,
  .more = sizes_more};

/* What a sink got, where the test can see it. */
static struct seen {
  uint64_t events, metrics, bytes, begins, ends, wrong, types[256];
  int64_t first_time, last_time;
  uint8_t copy[sizeof input.data];
} seen[3];

struct sink {
  int index; /* of seen */
  enum evp_status answer; /* to the third batch */
  unsigned calls;
};

static enum evp_status sink_begin(void *self, const struct evp_stream *stream)
{
  (void)stream;
  seen[((struct sink *)self)->index].begins++;
  return EVP_OK;
}

static enum evp_status sink_end(void *self, const struct evp_stream *stream)
{
  (void)stream;
  seen[((struct sink *)self)->index].ends++;
  return EVP_OK;
}

static void see_metrics(struct seen *saw, const struct evp_batch *batch)
{
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_metric *metric = &batch->metrics[batch->sel[i]];
    saw->wrong += metric->value.i != (int64_t)saw->metrics;
    if (!saw->metrics) saw->first_time = metric->time;
    saw->last_time = metric->time;
    saw->metrics++;
  }
}

static enum evp_status sink_write(void *self, const struct evp_batch *batch)
{
  struct sink *sink = self;
  struct seen *saw = &seen[sink->index];
  if (++sink->calls == 3 && sink->answer != EVP_OK) {
    enum evp_status answer = sink->answer;
    if (answer == EVP_AGAIN) sink->answer = EVP_OK;
    return answer;
  }
  if (batch->signal == EVP_METRICS) see_metrics(saw, batch);
  if (batch->signal == EVP_EVENTS)
    for (uint32_t i = 0; i < batch->n; i++) saw->types[batch->events[batch->sel[i]].type & 255]++;
  if (batch->signal == EVP_EVENTS) saw->events += batch->n;
  if (batch->signal == EVP_BYTES) {
    saw->wrong += batch->offset != saw->bytes;
    memcpy(saw->copy + batch->offset, batch->bytes, batch->n);
    saw->bytes += batch->n;
  }
  return EVP_OK;
}

static const struct evp_plugin sink_plugin = {.abi = EVP_ABI,
  .size = sizeof(struct evp_plugin),
  .kind = EVP_SINK,
  .name = "sink",
  .accepts = EVP_BYTES | EVP_EVENTS | EVP_METRICS,
  .instance_size = sizeof(struct sink),
  .stream_begin = sink_begin,
  .stream_end = sink_end,
  .write = sink_write};

struct watching {
  struct evp_ctx *ctx;
};
static enum evp_status ready_answer;

/* A delivering sink: one byte for each item; the first delivery is to be tried again. */
static _Atomic unsigned delivered_items, deliveries;

static enum evp_status encode(void *self, const struct evp_batch *batch, struct evp_buf *message)
{
  (void)self;
  for (uint32_t i = 0; i < batch->n; i++)
    if (!evp_buf_append(message, "x", 1)) return EVP_ERROR;
  return EVP_OK;
}

static enum evp_status deliver(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  (void)self;
  (void)result;
  if (!deliveries++) return EVP_AGAIN;
  ck_assert_uint_eq(message->size, message->items);
  delivered_items += (unsigned)message->items;
  return EVP_OK;
}

static const struct evp_plugin deliver_plugin = {.abi = EVP_ABI,
  .size = sizeof(struct evp_plugin),
  .kind = EVP_SINK,
  .name = "deliver",
  .accepts = EVP_METRICS,
  .instance_size = 1,
  .encode = encode,
  .deliver = deliver};

static void set_up(void)
{
  log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
  memset(seen, 0, sizeof seen);
  delivered_items = deliveries = 0;
  input_cut = sizeof input.data;
  input_live = false;
  made_log(&input);
}

/* source -> three sinks: bytes, events, and (through the filter) metrics. */
static int run_three(enum evp_status answer_of_events)
{
  static struct sink first, third = {.index = 2};
  struct sink second = {.index = 1, .answer = answer_of_events};
  first = (struct sink){0};
  third = (struct sink){.index = 2};
  struct pipeline_edge bytes = {0, EVP_BYTES}, events = {0, EVP_EVENTS}, sizes = {0, EVP_EVENTS},
                       metrics = {1, EVP_METRICS};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source),
    made_node(EVP_FILTER, "sizes", &sizes_plugin), made_node(EVP_SINK, "bytes", &sink_plugin),
    made_node(EVP_SINK, "events", &sink_plugin), made_node(EVP_SINK, "metrics", &sink_plugin)};
  nodes[2].prototype = &first;
  nodes[3].prototype = &second;
  nodes[4].prototype = &third;
  made_edge(nodes, 1, &sizes);
  made_edge(nodes, 2, &bytes);
  made_edge(nodes, 3, &events);
  made_edge(nodes, 4, &metrics);
  return made_run(nodes, 5);
}

static void expect_all(void)
{
  ck_assert_uint_eq(seen[0].bytes, input.size);
  ck_assert_mem_eq(seen[0].copy, input.data, input.size);
  ck_assert_uint_eq(seen[0].wrong, 0);
  ck_assert_uint_eq(seen[2].metrics, SIZES);
  ck_assert_uint_eq(seen[2].wrong, 0);
  int64_t epoch = (int64_t)SECONDS * 1000000000 - 1050000;
  ck_assert_int_eq(seen[2].first_time, epoch + 1000);
  ck_assert_int_eq(seen[2].last_time, epoch + 1000 * SIZES);
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(seen[i].begins, 1);
    ck_assert_uint_eq(seen[i].ends, 1);
  }
}

START_TEST(everything_arrives_however_it_is_cut)
{
  static const size_t cuts[] = {sizeof input.data, 4096, 61, 1};
  input_cut = cuts[_i];
  ck_assert_int_eq(run_three(EVP_OK), 0);
  expect_all();
  ck_assert_uint_eq(seen[1].events, SIZES + 3);
  ck_assert_uint_eq(seen[1].types[EVP_HEAP_SIZE], SIZES);
  ck_assert_uint_eq(seen[1].types[EVP_BLOCK_MARKER], 2);
}
END_TEST

START_TEST(a_failed_sink_costs_the_others_nothing)
{
  input_cut = 100;
  ck_assert_int_eq(run_three(EVP_ERROR), 1);
  expect_all();
}
END_TEST

START_TEST(a_sink_may_end_quietly)
{
  input_cut = 100;
  ck_assert_int_eq(run_three(EVP_END), 0);
  expect_all();
}
END_TEST

START_TEST(a_batch_that_was_put_off_comes_again)
{
  input_cut = 1000;
  ck_assert_int_eq(run_three(EVP_AGAIN), 0);
  expect_all();
  ck_assert_uint_eq(seen[1].events, SIZES + 3);
}
END_TEST

START_TEST(a_cut_file_is_3_and_a_cut_connection_is_not_a_files_fault)
{
  input.size -= 30;
  ck_assert_int_eq(run_three(EVP_OK), 3);
  ck_assert_uint_eq(seen[2].metrics, SIZES);
}
END_TEST

START_TEST(nothing_is_3)
{
  input.size = 0;
  ck_assert_int_eq(run_three(EVP_OK), 3);
}
END_TEST

START_TEST(a_live_stream_is_estimated_when_it_has_no_clock)
{
  input_live = true;
  input.size -= 2 + 26 + 24;
  ck_assert_int_eq(run_three(EVP_OK), 0);
  ck_assert_uint_eq(seen[2].metrics, SIZES);
  int64_t now = (int64_t)time(NULL) * 1000000000;
  ck_assert_int_gt(seen[2].first_time, now - 10000000000);
  ck_assert_int_lt(seen[2].last_time, now + 10000000000);
}
END_TEST

/* ------------------------------------------------------------------------------ a source whose producer ends first */

static int patient_signal; /* as interrupt() was told it; -1: not called */
static unsigned patient_calls;
static enum evp_status patient_answer;

struct patient {
  struct made_source source;
  int fd;
};

static enum evp_status patient_connect(void *self, int *fd)
{
  struct patient *patient = self;
  enum evp_status status = made_connect(self, fd);
  if (status != EVP_OK) return status;
  *fd = patient->fd = eventfd(1, EFD_CLOEXEC); /* readable */
  return EVP_OK;
}

/* When half of it is read a signal comes; the rest is there only after that. */
static enum evp_status patient_read(void *self, uint8_t *buffer, size_t *size)
{
  struct patient *patient = self;
  eventfd_t value;
  if (patient->source.at < input.size / 2 || patient_calls) return made_read(self, buffer, size);
  eventfd_read(patient->fd, &value);
  kill(getpid(), SIGTERM);
  return EVP_AGAIN;
}

static enum evp_status patient_interrupt(void *self, int signal)
{
  struct patient *patient = self;
  patient_signal = signal;
  patient_calls++;
  eventfd_write(patient->fd, 1);
  evp_exit_status(patient->source.ctx, 0);
  evp_exit_status(patient->source.ctx, 42);
  evp_exit_status(patient->source.ctx, 43);
  return patient_answer;
}

static void patient_disconnect(void *self)
{
  close(((struct patient *)self)->fd);
}

static int run_patient(enum evp_status answer)
{
  struct evp_plugin plugin = made_source;
  struct pipeline_edge events = {0, EVP_EVENTS};
  plugin.instance_size = sizeof(struct patient);
  plugin.connect = patient_connect;
  plugin.read = patient_read;
  plugin.interrupt = patient_interrupt;
  plugin.disconnect = patient_disconnect;
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &plugin), made_node(EVP_SINK, "out", &sink_plugin)};
  made_edge(nodes, 1, &events);
  input_live = true;
  input_cut = 1000;
  patient_signal = -1;
  patient_answer = answer;
  return made_run(nodes, 2);
}

START_TEST(a_source_that_passes_a_signal_on_is_read_to_its_end)
{
  ck_assert_int_eq(run_patient(EVP_OK), 42);
  ck_assert_int_eq(patient_signal, SIGTERM);
  ck_assert_uint_eq(patient_calls, 1);
  ck_assert_uint_ge(seen[0].events, SIZES);
}
END_TEST

START_TEST(a_source_that_does_not_is_read_no_more)
{
  ck_assert_int_eq(run_patient(EVP_END), 42);
  ck_assert_uint_eq(patient_calls, 1);
  ck_assert_uint_lt(seen[0].events, SIZES);
}
END_TEST

/* A sink whose peer has left: the fd that it watches is readable. */
static enum evp_status watch_start(void *self)
{
  struct watching *sink = self;
  int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  ck_assert_int_ge(fd, 0);
  evp_watch(sink->ctx, fd);
  return EVP_OK;
}

static enum evp_status watch_create(void *self, struct evp_ctx *ctx)
{
  ((struct watching *)self)->ctx = ctx;
  return EVP_OK;
}

static enum evp_status watch_ready(void *self)
{
  struct watching *sink = self;
  evp_watch(sink->ctx, -1);
  return ready_answer;
}

static enum evp_status watch_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  return EVP_AGAIN; /* until ready() has had its say */
}

static enum evp_status emit_nothing(void *self, struct evp_out *out)
{
  (void)self;
  (void)out;
  return EVP_OK;
}

START_TEST(ready_may_end_quietly_or_fail)
{
  static const struct evp_plugin watching = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SINK,
    .name = "watching",
    .accepts = EVP_BYTES,
    .instance_size = sizeof(struct watching),
    .create = watch_create,
    .start = watch_start,
    .ready = watch_ready,
    .write = watch_write};
  struct pipeline_edge bytes = {0, EVP_BYTES};
  struct pipeline_node nodes[] = {
    made_node(EVP_SOURCE, "app", &made_source), made_node(EVP_SINK, "watching", &watching)};
  made_edge(nodes, 1, &bytes);
  ready_answer = _i ? EVP_ERROR : EVP_END;
  ck_assert_int_eq(made_run(nodes, 2), _i ? 1 : 0);
}
END_TEST

/* The same of a source of items, which has no other reason to wake up. */
START_TEST(ready_may_end_a_source_of_items)
{
  static const struct evp_plugin watching = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SOURCE,
    .name = "watching",
    .emits = EVP_METRICS,
    .instance_size = sizeof(struct watching),
    .create = watch_create,
    .start = watch_start,
    .ready = watch_ready,
    .emit = emit_nothing};
  static struct sink sink;
  struct pipeline_edge metrics = {0, EVP_METRICS};
  struct pipeline_node nodes[] = {
    made_node(EVP_SOURCE, "watching", &watching), made_node(EVP_SINK, "metrics", &sink_plugin)};
  nodes[1].prototype = &sink;
  made_edge(nodes, 1, &metrics);
  ready_answer = _i ? EVP_ERROR : EVP_END;
  ck_assert_int_eq(made_run(nodes, 2), _i ? 1 : 0);
}
END_TEST

/* A sink that stays: when the stream is over it sees five ticks more, and then it ends, fails, or evpipe is told to stop. */
static unsigned ticks_after_the_end;
static enum evp_status staying_answer; /* AGAIN: stay until a signal */

struct staying {
  struct evp_ctx *ctx;
  bool over;
};

static enum evp_status staying_create(void *self, struct evp_ctx *ctx)
{
  ((struct staying *)self)->ctx = ctx;
  return EVP_OK;
}

static enum evp_status staying_start(void *self)
{
  struct staying *staying = self;
  evp_stay(staying->ctx);
  evp_tick_every(staying->ctx, 20000000);
  return EVP_OK;
}

static enum evp_status staying_end(void *self, const struct evp_stream *stream)
{
  (void)stream;
  ((struct staying *)self)->over = true;
  return EVP_OK;
}

static enum evp_status staying_tick(void *self, uint64_t now, struct evp_out *out)
{
  (void)now;
  (void)out;
  if (!((struct staying *)self)->over || ++ticks_after_the_end != 5) return EVP_OK;
  if (staying_answer != EVP_AGAIN) return staying_answer;
  kill(getpid(), SIGTERM);
  return EVP_OK;
}

static enum evp_status staying_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  return EVP_OK;
}

START_TEST(evpipe_goes_on_for_a_sink_that_stays)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_END, EVP_ERROR};
  struct evp_plugin plugin = sink_plugin;
  plugin.instance_size = sizeof(struct staying);
  plugin.create = staying_create;
  plugin.start = staying_start;
  plugin.stream_begin = NULL;
  plugin.stream_end = staying_end;
  plugin.tick = staying_tick;
  plugin.write = staying_write;
  struct pipeline_edge bytes = {0, EVP_BYTES};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source), made_node(EVP_SINK, "page", &plugin)};
  made_edge(nodes, 1, &bytes);
  ticks_after_the_end = 0;
  staying_answer = answers[_i];
  ck_assert_int_eq(made_run(nodes, 2), staying_answer == EVP_ERROR ? 1 : 0);
  ck_assert_uint_ge(ticks_after_the_end, 5);
}
END_TEST

START_TEST(messages_are_delivered)
{
  struct pipeline_edge sizes = {0, EVP_EVENTS}, metrics = {1, EVP_METRICS};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source),
    made_node(EVP_FILTER, "sizes", &sizes_plugin), made_node(EVP_SINK, "deliver", &deliver_plugin)};
  nodes[2].sink.batch.max_delay = INT64_C(3600000000000); /* or a busy machine would make more messages of them */
  made_edge(nodes, 1, &sizes);
  made_edge(nodes, 2, &metrics);
  ck_assert_int_eq(made_run(nodes, 3), 0);
  ck_assert_uint_eq(delivered_items, SIZES);
  ck_assert_uint_eq(deliveries, 1 + SIZES / 100);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("engine");
  tcase_add_checked_fixture(tests, set_up, NULL);
  tcase_add_loop_test(tests, everything_arrives_however_it_is_cut, 0, 4);
  tcase_add_test(tests, a_failed_sink_costs_the_others_nothing);
  tcase_add_test(tests, a_sink_may_end_quietly);
  tcase_add_test(tests, a_batch_that_was_put_off_comes_again);
  tcase_add_test(tests, a_cut_file_is_3_and_a_cut_connection_is_not_a_files_fault);
  tcase_add_test(tests, nothing_is_3);
  tcase_add_test(tests, a_live_stream_is_estimated_when_it_has_no_clock);
  tcase_add_test(tests, a_source_that_passes_a_signal_on_is_read_to_its_end);
  tcase_add_test(tests, a_source_that_does_not_is_read_no_more);
  tcase_add_loop_test(tests, ready_may_end_quietly_or_fail, 0, 2);
  tcase_add_loop_test(tests, ready_may_end_a_source_of_items, 0, 2);
  tcase_add_loop_test(tests, evpipe_goes_on_for_a_sink_that_stays, 0, 3);
  tcase_add_test(tests, messages_are_delivered);
  return check_main("engine", tests);
}
