/* A sink node by itself, with its threads: what it is given is either delivered or counted as dropped. */
#include "check_main.h"
#include "engine/sink.h"
#include "engine/time.h"
#include "harness.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct harness harness;
static unsigned encoded;
static uint64_t delivered;
static enum evp_status third_answer; /* of encode(), and how many items of it the plugin counts itself */
static uint64_t third_drops;

struct encoder {
  struct evp_ctx *ctx;
};

static enum evp_status encoder_create(void *self, struct evp_ctx *ctx)
{
  ((struct encoder *)self)->ctx = ctx;
  return EVP_OK;
}

static enum evp_status encode(void *self, const struct evp_batch *batch, struct evp_buf *message)
{
  if (++encoded == 3 && third_answer != EVP_OK) {
    if (third_drops) evp_drop(((struct encoder *)self)->ctx, third_drops, "malformed");
    return third_answer;
  }
  for (uint32_t i = 0; i < batch->n; i++)
    if (!evp_buf_append(message, "x", 1)) return EVP_ERROR;
  return EVP_OK;
}

static enum evp_status deliver(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  (void)self;
  (void)result;
  delivered += message->items;
  return EVP_OK;
}

static void set_up(void)
{
  encoded = 0;
  delivered = third_drops = 0;
  harness_init(&harness);
  harness.plugin = (struct evp_plugin){.kind = EVP_SINK,
    .name = "encoder",
    .accepts = EVP_METRICS,
    .instance_size = sizeof(struct encoder),
    .create = encoder_create,
    .encode = encode,
    .deliver = deliver};
  harness.config.sink.queue.max_size = 1 << 20;
  harness.config.sink.batch.max_items = 100000;
  harness.config.sink.batch.max_size = 1 << 20;
  harness.config.sink.batch.max_delay = NS_PER_S * 3600;
}

static void tear_down(void)
{
  harness_free(&harness);
}

/* Two batches, of more slices than one. */
static void run(uint32_t first, uint32_t second)
{
  struct evp_ctx *ctx = calloc(1, sizeof *ctx);
  ck_assert(instance_create(ctx, &harness.node, NULL, NULL, false, NULL));
  struct sink *sink = harness.node.sink = sink_new(&harness.node, ctx);
  struct evp_stream *stream = harness_stream(&harness, false);
  ck_assert(sink && queue_push_begin(sink_queue(sink), stream));
  const uint32_t batches[] = {first, second};
  for (int i = 0; i < 2; i++) {
    struct view *view = harness_metrics(&harness, stream, batches[i], 0, 100);
    queue_push(sink_queue(sink), view);
    block_unref(view->block);
  }
  ck_assert(queue_push_end(sink_queue(sink), stream) && sink_start(sink));
  sink_close(sink);
  ck_assert(sink_join(sink, time_monotonic() + 20 * NS_PER_S));
  sink_free(sink);
  evp_stream_unref(stream);
}

START_TEST(all_is_delivered)
{
  third_answer = EVP_OK;
  run(600, 100);
  ck_assert_uint_eq(delivered, 700);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 0);
}
END_TEST

/* Slices of 256, 256, 88 and then 100: the third fails, and with it everything that comes after it. */
START_TEST(what_a_failed_encode_leaves_over_is_counted)
{
  third_answer = EVP_ERROR;
  run(1000, 100);
  ck_assert_uint_eq(delivered + statistics_dropped(&harness.node.statistics), 1100);
  ck_assert_uint_ge(statistics_dropped(&harness.node.statistics), 1100 - 512);
}
END_TEST

START_TEST(what_is_refused_is_counted_once)
{
  third_answer = EVP_REJECT;
  third_drops = 3;
  run(1000, 100);
  ck_assert_uint_eq(delivered, 1100 - 256);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 256);
}
END_TEST

static enum evp_status deliver_late(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  result->retry_after = 100 * NS_PER_MS;
  return message->attempt ? deliver(self, message, result) : EVP_AGAIN;
}

/* Seven messages, of which two have room; until each has left, the next one waits. */
START_TEST(who_waits_for_room_is_not_busy)
{
  third_answer = EVP_OK;
  harness.plugin.deliver = deliver_late;
  harness.config.sink.batch.max_items = 100;
  harness.config.sink.queue.max_size = 250;
  uint64_t begin = time_monotonic();
  run(600, 100);
  uint64_t all = time_monotonic() - begin, busy = statistics_get(&harness.node.statistics.busy_ns);
  ck_assert_uint_eq(delivered, 700);
  ck_assert_uint_ge(all, 700 * NS_PER_MS);
  ck_assert_uint_gt(busy, 0);
  ck_assert_uint_lt(busy, all / 2); /* five of the seven waits are over before the last message is made */
}
END_TEST

/* A sink that is called on its socket while batch after batch comes. */
enum { BUSY_BATCHES = 40 };
static unsigned written, answered_after;
static int calls;

static enum evp_status busy_start(void *self)
{
  calls = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  evp_watch(((struct encoder *)self)->ctx, calls);
  return calls < 0 ? EVP_ERROR : EVP_OK;
}

static enum evp_status busy_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  written++;
  usleep(2000);
  return EVP_OK;
}

static enum evp_status busy_ready(void *self)
{
  if (!written) return EVP_OK;
  evp_watch(((struct encoder *)self)->ctx, -1);
  answered_after = written;
  return EVP_OK;
}

START_TEST(who_calls_is_answered_though_the_queue_is_never_empty)
{
  harness.plugin = (struct evp_plugin){.kind = EVP_SINK,
    .name = "busy",
    .accepts = EVP_METRICS,
    .instance_size = sizeof(struct encoder),
    .create = encoder_create,
    .start = busy_start,
    .write = busy_write,
    .ready = busy_ready};
  struct evp_ctx *ctx = calloc(1, sizeof *ctx);
  ck_assert(instance_create(ctx, &harness.node, NULL, NULL, false, NULL));
  struct sink *sink = harness.node.sink = sink_new(&harness.node, ctx);
  struct evp_stream *stream = harness_stream(&harness, false);
  ck_assert(sink && queue_push_begin(sink_queue(sink), stream));
  for (int i = 0; i < BUSY_BATCHES; i++) {
    struct view *view = harness_metrics(&harness, stream, 1, 0, 100);
    queue_push(sink_queue(sink), view);
    block_unref(view->block);
  }
  written = answered_after = 0;
  ck_assert(queue_push_end(sink_queue(sink), stream) && sink_start(sink));
  sink_close(sink);
  ck_assert(sink_join(sink, time_monotonic() + 20 * NS_PER_S));
  ck_assert_uint_eq(written, BUSY_BATCHES);
  ck_assert_uint_gt(answered_after, 0);
  ck_assert_uint_lt(answered_after, BUSY_BATCHES);
  sink_free(sink);
  evp_stream_unref(stream);
  close(calls);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("sink");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, all_is_delivered);
  tcase_add_test(tests, who_waits_for_room_is_not_busy);
  tcase_add_test(tests, what_a_failed_encode_leaves_over_is_counted);
  tcase_add_test(tests, what_is_refused_is_counted_once);
  tcase_add_test(tests, who_calls_is_answered_though_the_queue_is_never_empty);
  return check_main("sink", tests);
}
