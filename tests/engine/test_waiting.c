/* What stands still in an engine that runs: descriptors that nobody waits for, connects that take several attempts, a sink
   that takes nothing. */
#include "check_main.h"
#include "engine/time.h"
#include "log.h"
#include "made.h"
#include <evpipe/events.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned calls; /* of the callback that the test is about */

static void set_up(void)
{
  log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
  calls = 0;
  input_cut = sizeof input.data;
  input_live = false;
  made_log(&input);
}

/* ---------------------------------------------------------------------------- a hang-up that nobody can attend to yet */

static int hung_up[2];

/* All of the log lies in a pipe whose writer has gone: epoll has a hang-up to report for ever. */
static enum evp_status pipe_connect(void *self, int *fd)
{
  enum evp_status status = made_connect(self, fd);
  if (status != EVP_OK) return status;
  ck_assert(!pipe(hung_up) && write(hung_up[1], input.data, input.size) == (ssize_t)input.size);
  close(hung_up[1]);
  *fd = hung_up[0];
  return EVP_OK;
}

static enum evp_status pipe_read(void *self, uint8_t *buffer, size_t *size)
{
  (void)self;
  ssize_t n = read(hung_up[0], buffer, 1000);
  *size = n > 0 ? (size_t)n : 0;
  return n > 0 ? EVP_OK : EVP_END;
}

static double seconds_of(struct timeval time)
{
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_seconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/* Once its queue is full, it sleeps in a call and looks at what all the others do meanwhile. */
static enum evp_status idle_write(void *self, const struct evp_batch *batch)
{
  enum { LOOK_MS = 300 };
  (void)self;
  (void)batch;
  if (calls++) return EVP_OK;
  poll(NULL, 0, 50);
  double before = cpu_seconds();
  poll(NULL, 0, LOOK_MS);
  ck_assert_double_lt(cpu_seconds() - before, LOOK_MS / 1e3 / 3);
  return EVP_OK;
}

START_TEST(a_source_that_is_blocked_does_nothing)
{
  struct evp_plugin source = made_source;
  source.connect = pipe_connect;
  source.read = pipe_read;
  static const struct evp_plugin sink = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SINK,
    .name = "idle",
    .accepts = EVP_BYTES,
    .instance_size = 1,
    .write = idle_write};
  struct pipeline_edge bytes = {0, EVP_BYTES};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &source), made_node(EVP_SINK, "sink", &sink)};
  nodes[1].sink.queue.max_size = 1;
  made_edge(nodes, 1, &bytes);
  ck_assert_int_eq(made_run(nodes, 2), 0);
  ck_assert_uint_gt(calls, 3);
}
END_TEST

/* ------------------------------------------------------------------------------------- attempts under one fd number */

/* Each attempt fails, and the next one gets the number of its descriptor: that is another file. */
static enum evp_status stubborn_connect(void *self, int *fd)
{
  static int ends[2];
  enum { ATTEMPTS = 5 };
  if (calls) {
    close(ends[0]);
    close(ends[1]);
  }
  if (calls++ == ATTEMPTS) return made_connect(self, fd);
  if (calls > ATTEMPTS) return EVP_END;
  int before = ends[0];
  ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends)); /* writable at once */
  if (calls > 1) ck_assert_int_eq(ends[0], before);
  *fd = ends[0];
  return EVP_AGAIN;
}

static enum evp_status count_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  return EVP_OK;
}

START_TEST(a_number_that_is_used_again_is_another_connection)
{
  struct evp_plugin source = made_source;
  source.connect = stubborn_connect;
  static const struct evp_plugin sink = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SINK,
    .name = "count",
    .accepts = EVP_BYTES,
    .instance_size = 1,
    .write = count_write};
  struct pipeline_edge bytes = {0, EVP_BYTES};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &source), made_node(EVP_SINK, "sink", &sink)};
  made_edge(nodes, 1, &bytes);
  ck_assert_int_eq(made_run(nodes, 2), 0);
}
END_TEST

/* ---------------------------------------------------------------------------------------- a sink that takes nothing */

static enum evp_status never_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  if (++calls <= 2) kill(getpid(), SIGTERM);
  return EVP_AGAIN;
}

/* With the second signal the time is up: what it has refused is dropped, and nobody is left behind. */
START_TEST(a_sink_that_takes_nothing_leaves_with_the_second_signal)
{
  static const struct evp_plugin sink = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SINK,
    .name = "never",
    .accepts = EVP_EVENTS,
    .instance_size = 1,
    .write = never_write};
  struct pipeline_edge events = {0, EVP_EVENTS};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source), made_node(EVP_SINK, "never", &sink)};
  made_edge(nodes, 1, &events);
  int ends[2], before = dup(STDERR_FILENO);
  ck_assert(before >= 0 && !pipe(ends) && dup2(ends[1], STDERR_FILENO) >= 0);
  int status = made_run(nodes, 2);
  ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
  close(ends[1]);
  char said[4096] = "";
  ck_assert_int_ge(read(ends[0], said, sizeof said - 1), 0);
  ck_assert_int_eq(status, 1);
  ck_assert_ptr_null(strstr(said, "left behind"));
}
END_TEST

/* ------------------------------------------------------------------------------------------ definitions behind a filter */

static enum evp_status passing_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  (void)self;
  for (uint32_t i = 0; i < batch->n; i++) {
    struct evp_event *event = evp_emit_events(out, 1);
    if (!event) return EVP_ERROR;
    *event = batch->events[batch->sel[i]];
  }
  evp_emit_keep(out, batch);
  return EVP_OK;
}

static enum evp_status reader_create(void *self, struct evp_ctx *ctx)
{
  (void)self;
  evp_want_prologue(ctx);
  return EVP_OK;
}

static enum evp_status reader_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  calls++;
  uint8_t begin[8];
  ck_assert_uint_eq(evp_prologue_read(batch->stream, 0, batch->prologue, begin, sizeof begin), sizeof begin);
  ck_assert_mem_eq(begin, "hdrbhetb", sizeof begin);
  return EVP_OK;
}

START_TEST(the_prologue_is_known_behind_a_filter)
{
  static const struct evp_plugin filter = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_FILTER,
    .name = "passing",
    .accepts = EVP_EVENTS,
    .emits = EVP_EVENTS,
    .instance_size = 1,
    .map = passing_map};
  static const struct evp_plugin sink = {.abi = EVP_ABI,
    .size = sizeof(struct evp_plugin),
    .kind = EVP_SINK,
    .name = "reader",
    .accepts = EVP_EVENTS,
    .instance_size = 1,
    .create = reader_create,
    .write = reader_write};
  struct pipeline_edge to_filter = {0, EVP_EVENTS}, to_sink = {1, EVP_EVENTS};
  struct pipeline_node nodes[] = {made_node(EVP_SOURCE, "app", &made_source), made_node(EVP_FILTER, "filter", &filter),
    made_node(EVP_SINK, "reader", &sink)};
  nodes[0].source.prologue.max_memory = nodes[0].source.prologue.max_size = 1 << 20;
  made_edge(nodes, 1, &to_filter);
  made_edge(nodes, 2, &to_sink);
  ck_assert_int_eq(made_run(nodes, 3), 0);
  ck_assert_uint_gt(calls, 0);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("waiting");
  tcase_add_checked_fixture(tests, set_up, NULL);
  tcase_add_test(tests, a_source_that_is_blocked_does_nothing);
  tcase_add_test(tests, a_number_that_is_used_again_is_another_connection);
  tcase_add_test(tests, a_sink_that_takes_nothing_leaves_with_the_second_signal);
  tcase_add_test(tests, the_prologue_is_known_behind_a_filter);
  return check_main("waiting", tests);
}
