/* What becomes of batches: how they are packed, what a gap, an end and a late subscriber make. The socket is the test's own. */
#include "check_main.h"
#include "publisher.h"
#include "sink_host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 65536, SENT_MAX = 64 };

struct sent_message {
  char topic[64];
  struct header header;
  uint8_t *data;
  size_t size, parts;
};

static struct sent_message sent[SENT_MAX];
static size_t n_sent;
static bool refuses, crowded;
static const char *subscription; /* the next one to be received */

/* ---------------------------------------------------------------------------------------------------------- the socket */

static void keep(const struct topic *topic, const struct header *header, const struct payload *payload)
{
  ck_assert_uint_lt(n_sent, SENT_MAX);
  struct sent_message *message = &sent[n_sent++];
  snprintf(message->topic, sizeof message->topic, "%.*s", (int)topic->size, topic->name);
  message->header = *header;
  message->parts = payload->n;
  message->size = payload->n ? payload->ends[payload->n - 1] : 0;
  message->data = malloc(message->size + 1);
  if (message->size) memcpy(message->data, payload->data, message->size);
}

enum sent outlet_send(
  struct outlet *outlet, struct topic *topic, const struct header *header, const struct payload *payload)
{
  (void)outlet;
  if (refuses) return REFUSED;
  keep(topic, header, payload);
  return SENT;
}

enum sent outlet_send_snapshot(
  struct outlet *outlet, struct topic *topic, const struct header *header, const struct payload *payload, bool insist)
{
  (void)insist;
  return outlet_send(outlet, topic, header, payload);
}

bool outlet_receive(struct outlet *outlet, zmq_msg_t *prefix, bool *subscribes)
{
  (void)outlet;
  if (!subscription) return false;
  *subscribes = true;
  zmq_msg_init_size(prefix, strlen(subscription) + 1);
  memcpy((char *)zmq_msg_data(prefix) + 1, subscription, strlen(subscription));
  subscription = NULL;
  return true;
}

bool outlet_open(struct outlet *outlet, const struct settings *settings, struct evp_ctx *ctx)
{
  (void)outlet, (void)settings, (void)ctx;
  return true;
}

void outlet_close(struct outlet *outlet)
{
  (void)outlet;
}

bool outlet_caught_up(struct outlet *outlet)
{
  (void)outlet;
  return false;
}

bool outlet_is_crowded(const struct outlet *outlet)
{
  (void)outlet;
  return crowded;
}

bool outlet_wait(struct outlet *outlet)
{
  (void)outlet;
  return false;
}

void authenticator_serve(struct authenticator *authenticator)
{
  (void)authenticator;
}

uint64_t evp_stream_id(const struct evp_stream *stream)
{
  return ((const struct sink_host_stream *)(const void *)stream)->pid;
}

/* ---------------------------------------------------------------------------------------------------------------- host */

static struct sink_host *host;
static struct settings settings;
static struct publisher publisher;
static struct stream_memory memory;
static struct sink_host_stream facts;
static uint8_t log_bytes[4 * SIZE];

static void begin(int pattern)
{
  host = sink_host_new(NULL, NULL);
  settings = (struct settings){.pattern = pattern, .high_water_mark = 64 << 20};
  publisher = (struct publisher){.ctx = sink_host_ctx(host), .settings = &settings};
  memory = (struct stream_memory){0};
  facts = (struct sink_host_stream){.source = "app", .service = "shop", .pid = 7, .local = &memory};
  for (size_t i = 0; i < sizeof log_bytes; i++) log_bytes[i] = (uint8_t)(i * 7 + i / 256);
  ck_assert(publisher_open(&publisher));
  n_sent = 0;
  refuses = crowded = false;
  subscription = NULL;
}

static void finish(void)
{
  publisher_close(&publisher);
  publisher_free(&publisher);
  for (size_t i = 0; i < n_sent; i++) free(sent[i].data);
  sink_host_free(host);
}

/* Bytes [from, to) of the log; `sync` is a place in it, or -1. */
static enum evp_status write_bytes(uint32_t from, uint32_t to, int64_t sync, uint64_t prologue)
{
  const struct evp_batch batch = {.signal = EVP_BYTES,
    .flags = EVP_BATCH_FRAMED,
    .stream = sink_host_stream(&facts),
    .origin = "app",
    .bytes = log_bytes + from,
    .n = to - from,
    .offset = from,
    .sync = sync < 0 ? to - from : (uint32_t)sync - from,
    .prologue = prologue,
    .epoch = 1234};
  return publisher_write(&publisher, &batch);
}

static void check_message(size_t number, uint64_t offset, size_t size, uint32_t sync, uint64_t prologue)
{
  ck_assert_uint_lt(number, n_sent);
  const struct sent_message *message = &sent[number];
  ck_assert_str_eq(message->topic, "bytes/shop/app/");
  ck_assert_uint_eq(message->header.sequence, number);
  ck_assert_uint_eq(message->header.stream, 7);
  ck_assert_uint_eq(message->header.publisher, publisher.epoch);
  ck_assert_uint_eq(message->header.offset, offset);
  ck_assert_uint_eq(message->size, size);
  ck_assert_uint_eq(message->header.items, size);
  ck_assert_uint_eq(message->header.sync, sync);
  ck_assert_uint_eq(message->header.prologue, prologue);
  ck_assert_uint_eq(message->parts, 1);
  if (!(message->header.flags & MESSAGE_SNAPSHOT)) ck_assert_mem_eq(message->data, log_bytes + offset, size);
}

/* ------------------------------------------------------------------------------------------------------------- packing */

START_TEST(small_batches_are_packed_until_there_is_nothing_else_to_do)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  ck_assert_int_eq(write_bytes(100, 200, 150, 40), EVP_OK);
  ck_assert_uint_eq(n_sent, 0);
  publisher_flush(&publisher);
  check_message(0, 0, 200, 0, 0);
  publisher_flush(&publisher);
  ck_assert_uint_eq(n_sent, 1);
  ck_assert_int_eq(write_bytes(200, 300, -1, 50), EVP_OK);
  ck_assert_int_eq(write_bytes(300, 400, 350, 60), EVP_OK);
  publisher_flush(&publisher);
  check_message(1, 200, 200, 150, 60);
  ck_assert_int_eq(sent[1].header.epoch, 1234);
  finish();
}
END_TEST

START_TEST(small_messages_are_held_back_where_many_wait)
{
  begin(PATTERN_PUB);
  crowded = true;
  publisher_flush(&publisher);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  ck_assert_uint_eq(n_sent, 0);
  ck_assert_uint_gt(host->tick_every, 0);
  ck_assert_int_eq(write_bytes(100, 2 * SIZE, -1, 0), EVP_OK); /* what is full goes */
  check_message(0, 0, SIZE, 0, 0);
  publisher.flushed = 0; /* time passes */
  publisher_flush(&publisher);
  check_message(1, SIZE, SIZE, NO_SYNC, 0);
  ck_assert_uint_eq(host->tick_every, 0);
  finish();
}
END_TEST

START_TEST(large_batches_are_cut)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 1000, 0, 0), EVP_OK);
  ck_assert_int_eq(write_bytes(1000, 3 * SIZE, 2 * SIZE + 5, 77), EVP_OK);
  check_message(0, 0, SIZE, 0, 0);
  check_message(1, SIZE, SIZE, NO_SYNC, 0);
  publisher_flush(&publisher);
  check_message(2, 2 * SIZE, SIZE, 5, 77);
  ck_assert_uint_eq(n_sent, 3);
  finish();
}
END_TEST

START_TEST(what_does_not_follow_is_another_message)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  ck_assert_int_eq(write_bytes(500, 600, 500, 9), EVP_OK);
  publisher_flush(&publisher);
  check_message(0, 0, 100, 0, 0);
  check_message(1, 500, 100, 0, 9);
  finish();
}
END_TEST

START_TEST(push_that_is_refused_loses_and_repeats_nothing)
{
  begin(PATTERN_PUSH);
  refuses = true;
  ck_assert_int_eq(write_bytes(0, 3 * SIZE, 0, 0), EVP_AGAIN);
  publisher_flush(&publisher);
  ck_assert_int_eq(write_bytes(0, 3 * SIZE, 0, 0), EVP_AGAIN);
  ck_assert_uint_gt(host->tick_every, 0);
  refuses = false;
  ck_assert_int_eq(write_bytes(0, 3 * SIZE, 0, 0), EVP_OK);
  publisher_end(&publisher, sink_host_stream(&facts));
  ck_assert_uint_eq(n_sent, 3);
  for (size_t i = 0; i < 3; i++) check_message(i, i * SIZE, SIZE, i ? NO_SYNC : 0, 0);
  ck_assert_uint_eq(sent[2].header.flags, MESSAGE_END);
  finish();
}
END_TEST

START_TEST(push_that_nobody_takes_is_counted_at_the_end)
{
  begin(PATTERN_PUSH);
  refuses = true;
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_end(&publisher, sink_host_stream(&facts));
  ck_assert_str_eq(sink_host_said(host), "drop 100 nobody_pulls\n");
  finish();
}
END_TEST

/* A batch that push refused to the end is the core's to count: only what was taken before it is ours. */
START_TEST(push_counts_no_batch_that_was_never_taken)
{
  begin(PATTERN_PUSH);
  refuses = true;
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  ck_assert_int_eq(write_bytes(100, 3 * SIZE, -1, 0), EVP_AGAIN);
  publisher_end(&publisher, sink_host_stream(&facts));
  ck_assert_str_eq(sink_host_said(host), "drop 100 nobody_pulls\n");
  finish();
}
END_TEST

static const struct evp_series series[] = {
  {.id = 1, .name = "one", .kind = EVP_GAUGE, .type = EVP_INT64}, {.id = 2, .name = "two", .type = EVP_INT64}};

static void write_metric(const struct evp_series *of, int64_t value, uint32_t flags)
{
  const struct evp_metric metric = {.time = 5, .series = of, .value.i = value, .flags = flags};
  struct sink_host_batch batch;
  ck_assert_int_eq(
    publisher_write(&publisher, sink_host_batch(&batch, EVP_METRICS, sink_host_stream(&facts), &metric, 1)), EVP_OK);
}

START_TEST(a_metric_is_a_part)
{
  begin(PATTERN_PUB);
  for (int i = 0; i < 500; i++) write_metric(&series[i % 2], i, 0);
  publisher_flush(&publisher);
  ck_assert_uint_gt(n_sent, 1);
  size_t items = 0;
  for (size_t i = 0; i < n_sent; i++) {
    ck_assert_str_eq(sent[i].topic, "metrics/shop/test/");
    ck_assert_uint_eq(sent[i].header.offset, items);
    ck_assert_uint_eq(sent[i].header.items, sent[i].parts);
    ck_assert_uint_le(sent[i].size, SIZE);
    ck_assert(!memchr(sent[i].data, '\n', sent[i].size));
    items += sent[i].parts;
  }
  ck_assert_uint_eq(items, 500);
  ck_assert_mem_eq(sent[0].data, "{\"time\":5,\"name\":\"one\"", 22);
  finish();
}
END_TEST

/* ----------------------------------------------------------------------------------------------------------- gaps, end */

static void lose(uint32_t signal, uint64_t items)
{
  const struct evp_gap gap = {.stream = sink_host_stream(&facts), .signal = signal, .items = items};
  publisher_gap(&publisher, &gap);
}

START_TEST(a_gap_is_told_at_once)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  lose(EVP_BYTES, 400);
  check_message(0, 0, 100, 0, 0);
  check_message(1, 100, 0, NO_SYNC, 0);
  ck_assert_uint_eq(sent[1].header.flags, MESSAGE_GAP);
  ck_assert_uint_eq(sent[1].header.lost, 400);
  ck_assert_int_eq(write_bytes(500, 600, 520, 0), EVP_OK);
  publisher_flush(&publisher);
  check_message(2, 500, 100, 20, 0);
  ck_assert_uint_eq(sent[2].header.flags, 0);
  finish();
}
END_TEST

/* What push refuses lies before the gap: it is what comes behind it that says so. */
START_TEST(a_gap_behind_what_push_refuses_is_told_behind_it)
{
  begin(PATTERN_PUSH);
  refuses = true;
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  lose(EVP_BYTES, 300);
  lose(EVP_BYTES, 100);
  refuses = false;
  ck_assert_int_eq(write_bytes(500, 600, 500, 0), EVP_OK);
  publisher_flush(&publisher);
  ck_assert_uint_eq(n_sent, 2);
  check_message(0, 0, 100, 0, 0);
  ck_assert_uint_eq(sent[0].header.flags, 0);
  check_message(1, 500, 100, 0, 0);
  ck_assert_uint_eq(sent[1].header.flags, MESSAGE_GAP);
  ck_assert_uint_eq(sent[1].header.lost, 400);
  finish();
}
END_TEST

START_TEST(a_gap_before_all_else_is_not_forgotten)
{
  begin(PATTERN_PUB);
  lose(EVP_BYTES, 300);
  lose(EVP_METRICS, 3);
  lose(EVP_BYTES, 100);
  ck_assert_int_eq(write_bytes(400, 500, 400, 0), EVP_OK);
  ck_assert_uint_eq(sent[0].header.flags, MESSAGE_GAP);
  ck_assert_uint_eq(sent[0].header.lost, 400);
  write_metric(&series[0], 1, 0);
  publisher_flush(&publisher);
  ck_assert_uint_eq(n_sent, 3);
  for (size_t i = 1; i < 3; i++)
    if (sent[i].topic[0] == 'm') ck_assert(sent[i].header.flags == MESSAGE_GAP && sent[i].header.lost == 3);
  finish();
}
END_TEST

START_TEST(the_last_message_says_so_and_the_sequence_goes_on)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  publisher_end(&publisher, sink_host_stream(&facts));
  check_message(1, 100, 0, NO_SYNC, 0);
  ck_assert_uint_eq(sent[1].header.flags, MESSAGE_END);
  ck_assert_int_eq(write_bytes(0, 50, 0, 0), EVP_OK); /* the next one that happens to lie at the same address */
  publisher_end(&publisher, sink_host_stream(&facts));
  check_message(2, 0, 50, 0, 0);
  ck_assert_uint_eq(sent[2].header.flags, MESSAGE_END);
  finish();
}
END_TEST

/* ---------------------------------------------------------------------------------------------------- late subscribers */

static void set_prologue(uint64_t size)
{
  facts.prologue = log_bytes;
  facts.prologue_size = size;
}

static void subscribe(const char *prefix)
{
  subscription = prefix;
  publisher_work(&publisher);
}

START_TEST(a_late_subscriber_gets_the_prologue_and_begins_at_a_sync)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  set_prologue(SIZE + 10);
  subscribe("metrics/");
  ck_assert_uint_eq(n_sent, 1);
  subscribe("bytes/sh");
  ck_assert_uint_eq(n_sent, 3);
  ck_assert_uint_eq(sent[1].header.flags, MESSAGE_SNAPSHOT);
  check_message(1, 0, SIZE, NO_SYNC, SIZE);
  check_message(2, SIZE, 10, NO_SYNC, SIZE + 10);
  ck_assert_uint_eq(host->tick_every, 0); /* it waits for the stream, not for time */
  set_prologue(SIZE + 30); /* more is defined before the sync, and behind it */
  ck_assert_int_eq(write_bytes(100, 200, -1, SIZE + 20), EVP_OK);
  ck_assert_int_eq(write_bytes(200, 300, 250, SIZE + 20), EVP_OK);
  check_message(3, 100, 100, NO_SYNC, 0);
  check_message(4, SIZE + 10, 10, NO_SYNC, SIZE + 20);
  ck_assert_uint_eq(sent[4].header.flags, MESSAGE_SNAPSHOT);
  publisher_flush(&publisher);
  check_message(5, 200, 100, 50, SIZE + 20);
  ck_assert_int_eq(write_bytes(300, 400, 300, SIZE + 30), EVP_OK);
  publisher_flush(&publisher);
  ck_assert_uint_eq(n_sent, 7); /* it has begun: no more snapshots */
  finish();
}
END_TEST

START_TEST(a_prologue_that_is_ahead_waits_for_its_place)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  set_prologue(50); /* the lane is ahead of the sink's queue */
  subscribe("");
  check_message(1, 0, 50, NO_SYNC, 50);
  ck_assert_int_eq(write_bytes(100, 200, 100, 30), EVP_OK);
  publisher_flush(&publisher);
  check_message(2, 100, 100, 0, 30);
  ck_assert(publisher.channels->prologue.running);
  ck_assert_int_eq(write_bytes(200, 300, 200, 50), EVP_OK);
  publisher_flush(&publisher);
  check_message(3, 200, 100, 0, 50);
  ck_assert(!publisher.channels->prologue.running);
  finish();
}
END_TEST

START_TEST(many_subscribers_make_one_snapshot)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  set_prologue(50);
  for (int i = 0; i < 1000; i++) subscribe("bytes/");
  ck_assert_uint_eq(n_sent, 2);
  ck_assert_uint_gt(host->tick_every, 0); /* the next one is due in a second */
  publisher.channels->prologue.not_before = 0;
  publisher_work(&publisher);
  ck_assert_uint_eq(n_sent, 3);
  publisher_work(&publisher);
  ck_assert_uint_eq(n_sent, 3);
  ck_assert_uint_eq(host->tick_every, 0);
  finish();
}
END_TEST

START_TEST(a_snapshot_leaves_room_for_what_is_live)
{
  begin(PATTERN_PUB);
  ck_assert_int_eq(write_bytes(0, 100, 0, 0), EVP_OK);
  publisher_flush(&publisher);
  set_prologue(2 * SIZE);
  atomic_store(&publisher.outlet.in_flight.snapshots, 256); /* a quarter of 1024 messages */
  subscribe("bytes/");
  ck_assert_uint_eq(n_sent, 1);
  ck_assert_uint_gt(host->tick_every, 0);
  atomic_store(&publisher.outlet.in_flight.snapshots, 255);
  publisher_work(&publisher);
  ck_assert_uint_eq(n_sent, 3);
  finish();
}
END_TEST

START_TEST(last_values_for_who_comes_late)
{
  begin(PATTERN_PUB);
  write_metric(&series[0], 1, 0);
  write_metric(&series[1], 2, 0);
  write_metric(&series[0], 3, 0);
  publisher_flush(&publisher);
  subscribe("bytes/");
  ck_assert_uint_eq(n_sent, 1);
  subscribe("metrics/shop/");
  ck_assert_uint_eq(n_sent, 2);
  ck_assert_uint_eq(sent[1].header.flags, MESSAGE_SNAPSHOT);
  ck_assert_uint_eq(sent[1].header.stream, 7);
  ck_assert_uint_eq(sent[1].parts, 2);
  ck_assert_ptr_nonnull(memmem(sent[1].data, sent[1].size, "\"value\":3", 9));
  ck_assert_ptr_null(memmem(sent[1].data, sent[1].size, "\"value\":1", 9));
  write_metric(&series[0], 4, EVP_METRIC_LAST);
  publisher.topics->values.not_before = 0;
  subscribe("metrics/shop/");
  ck_assert_uint_eq(sent[2].parts, 1);
  ck_assert_ptr_nonnull(memmem(sent[2].data, sent[2].size, "\"name\":\"two\"", 12));
  publisher_end(&publisher, sink_host_stream(&facts));
  publisher.topics->values.not_before = 0;
  subscribe("metrics/shop/");
  ck_assert_uint_eq(n_sent, 4); /* the end, and nothing else: its series went with the stream */
  finish();
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("publisher");
  tcase_add_test(tests, small_batches_are_packed_until_there_is_nothing_else_to_do);
  tcase_add_test(tests, small_messages_are_held_back_where_many_wait);
  tcase_add_test(tests, large_batches_are_cut);
  tcase_add_test(tests, what_does_not_follow_is_another_message);
  tcase_add_test(tests, push_that_is_refused_loses_and_repeats_nothing);
  tcase_add_test(tests, push_that_nobody_takes_is_counted_at_the_end);
  tcase_add_test(tests, push_counts_no_batch_that_was_never_taken);
  tcase_add_test(tests, a_metric_is_a_part);
  tcase_add_test(tests, a_gap_is_told_at_once);
  tcase_add_test(tests, a_gap_behind_what_push_refuses_is_told_behind_it);
  tcase_add_test(tests, a_gap_before_all_else_is_not_forgotten);
  tcase_add_test(tests, the_last_message_says_so_and_the_sequence_goes_on);
  tcase_add_test(tests, a_late_subscriber_gets_the_prologue_and_begins_at_a_sync);
  tcase_add_test(tests, a_prologue_that_is_ahead_waits_for_its_place);
  tcase_add_test(tests, many_subscribers_make_one_snapshot);
  tcase_add_test(tests, a_snapshot_leaves_room_for_what_is_live);
  tcase_add_test(tests, last_values_for_who_comes_late);
  return check_main("zmq_publisher", tests);
}
