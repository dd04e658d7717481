#include "check_main.h"
#include "engine/queue.h"
#include "harness.h"
#include <malloc.h>

static struct harness harness;
static struct queue *queue;
static struct evp_stream *live, *file;

static void set_up(void)
{
  harness_init(&harness);
  queue = queue_new(&harness.node);
  live = harness_stream(&harness, false);
  file = harness_stream(&harness, true);
}

static void tear_down(void)
{
  queue_free(queue);
  evp_stream_unref(live);
  evp_stream_unref(file);
  harness_free(&harness);
}

static void push_metrics(const struct evp_stream *stream, uint32_t n, uint32_t flags, size_t charge)
{
  struct view *view = harness_metrics(&harness, stream, n, flags, charge);
  queue_push(queue, view);
  block_unref(view->block);
}

static void push_bytes(const struct evp_stream *stream, uint32_t n, uint32_t sync)
{
  struct view *view = harness_bytes(&harness, stream, n, sync);
  queue_push(queue, view);
  block_unref(view->block);
}

/* Pops an entry, lets go of it, and returns it for its numbers. */
static struct queue_entry pop(uint32_t *n)
{
  struct queue_entry entry = queue_pop(queue, false);
  if (entry.type == ENTRY_BATCH) {
    if (n) *n = entry.view->batch.n;
    block_unref(entry.view->block);
  } else if (entry.type == ENTRY_BEGIN || entry.type == ENTRY_END) {
    evp_stream_unref(entry.stream);
  }
  return entry;
}

static void expect_batch(uint32_t n)
{
  uint32_t got = 0;
  ck_assert_int_eq(pop(&got).type, ENTRY_BATCH);
  ck_assert_uint_eq(got, n);
}

static void expect_gap(const struct evp_stream *stream, uint64_t items)
{
  struct queue_entry entry = pop(NULL);
  ck_assert_int_eq(entry.type, ENTRY_GAP);
  ck_assert_ptr_eq(entry.stream, stream);
  ck_assert_uint_eq(entry.items, items);
}

START_TEST(keeps_order)
{
  ck_assert(queue_push_begin(queue, live));
  push_metrics(live, 3, 0, 10);
  push_metrics(live, 4, 0, 10);
  ck_assert(queue_push_end(queue, live));
  ck_assert_int_eq(pop(NULL).type, ENTRY_BEGIN);
  expect_batch(3);
  expect_batch(4);
  ck_assert_int_eq(pop(NULL).type, ENTRY_END);
  ck_assert_int_eq(pop(NULL).type, ENTRY_NONE);
}
END_TEST

START_TEST(drops_the_oldest_and_tells_the_gap)
{
  for (uint32_t i = 1; i <= 5; i++) push_metrics(live, i, 0, 400);
  expect_gap(live, 1 + 2 + 3);
  expect_batch(4);
  expect_batch(5);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 6);
}
END_TEST

START_TEST(drops_the_newest_if_asked_to)
{
  queue_free(queue);
  harness.config.sink.queue.when_full = WHEN_FULL_DROP_NEWEST;
  queue = queue_new(&harness.node);
  for (uint32_t i = 1; i <= 4; i++) push_metrics(live, i, 0, 400);
  push_metrics(live, 9, 0, 10);
  expect_gap(live, 3 + 4);
  expect_batch(1);
  expect_batch(2);
  expect_batch(9);
}
END_TEST

START_TEST(drops_of_its_own_stream_only)
{
  struct evp_stream *other = harness_stream(&harness, false);
  push_metrics(other, 7, 0, 400);
  for (uint32_t i = 1; i <= 4; i++) push_metrics(live, i, 0, 400);
  expect_batch(7);
  expect_gap(live, 1 + 2 + 3);
  expect_batch(4);
  evp_stream_unref(other);
}
END_TEST

/* What should wait, batch by batch: each has a number of its own as its items. */
enum { MODEL_STREAMS = 3, MODEL_STEPS = 20000, MODEL_CHARGE = 10, MODEL_ROOM = 100 };
struct model {
  uint32_t stream[MODEL_ROOM], items[MODEL_ROOM];
  size_t n;
};

static void model_remove(struct model *model, size_t index)
{
  model->n--;
  for (size_t i = index; i < model->n; i++) {
    model->stream[i] = model->stream[i + 1];
    model->items[i] = model->items[i + 1];
  }
}

static void model_push(struct model *model, uint32_t stream, uint32_t items)
{
  size_t oldest = 0;
  while (oldest < model->n && model->stream[oldest] != stream) oldest++;
  if (model->n == MODEL_ROOM && oldest == model->n) return; /* it has nothing here to make room with */
  if (model->n == MODEL_ROOM) model_remove(model, oldest);
  model->stream[model->n] = stream;
  model->items[model->n++] = items;
}

/* Streams of which now this and now that one floods a sink that stands still for long. */
START_TEST(drops_the_oldest_of_each_stream_whatever_came_before)
{
  struct evp_stream *streams[MODEL_STREAMS];
  struct model model = {.n = 0};
  uint32_t flooding = 0, random = 1;
  for (uint32_t i = 0; i < MODEL_STREAMS; i++) streams[i] = harness_stream(&harness, false);
  for (uint32_t step = 0; step < MODEL_STEPS; step++) {
    random = random * 1664525 + 1013904223;
    if ((random >> 16) % 300 == 0) flooding = random % MODEL_STREAMS;
    uint32_t stream = (random >> 8) % 4 ? flooding : (random >> 16) % MODEL_STREAMS, items = 1 + step % 50;
    push_metrics(streams[stream], items, 0, MODEL_CHARGE);
    model_push(&model, stream, items);
    for (uint32_t pops = (random >> 20) % 1000 ? 0 : (random >> 10) % MODEL_ROOM; pops && model.n; pops--) {
      uint32_t got = 0;
      while (pop(&got).type == ENTRY_GAP) {}
      ck_assert_uint_eq(got, model.items[0]);
      model_remove(&model, 0);
    }
  }
  for (; model.n; model_remove(&model, 0)) {
    uint32_t got = 0;
    while (pop(&got).type == ENTRY_GAP) {}
    ck_assert_uint_eq(got, model.items[0]);
  }
  for (uint32_t i = 0; i < MODEL_STREAMS; i++) evp_stream_unref(streams[i]);
}
END_TEST

START_TEST(never_cuts_a_group)
{
  push_metrics(live, 1, EVP_BATCH_MORE, 300);
  push_metrics(live, 2, EVP_BATCH_MORE, 300);
  push_metrics(live, 3, 0, 300);
  push_metrics(live, 4, 0, 300); /* over the limit: the whole first group goes */
  expect_gap(live, 1 + 2 + 3);
  expect_batch(4);
}
END_TEST

START_TEST(drops_the_rest_of_a_group_whose_begin_was_dropped)
{
  push_metrics(live, 1, EVP_BATCH_MORE, 600);
  push_metrics(live, 2, EVP_BATCH_MORE, 600); /* drops 1, and then itself */
  push_metrics(live, 3, 0, 10);
  push_metrics(live, 4, 0, 10);
  expect_gap(live, 1 + 2 + 3);
  expect_batch(4);
}
END_TEST

START_TEST(keeps_the_rest_of_a_group_whose_begin_was_taken)
{
  push_metrics(live, 1, EVP_BATCH_MORE, 10);
  expect_batch(1);
  push_metrics(live, 2, EVP_BATCH_MORE, 900);
  push_metrics(live, 3, 0, 900);
  uint32_t n = 0;
  struct queue_entry entry = pop(&n);
  while (entry.type == ENTRY_GAP) entry = pop(&n);
  ck_assert_int_eq(entry.type, ENTRY_BATCH);
  bool saw_two = n == 2, saw_three = n == 3;
  while ((entry = pop(&n)).type != ENTRY_NONE) {
    saw_two = saw_two || n == 2;
    saw_three = saw_three || n == 3;
  }
  ck_assert(saw_two && saw_three);
}
END_TEST

START_TEST(never_drops_begins_and_ends)
{
  queue_push_begin(queue, live);
  for (int i = 0; i < 100; i++) push_metrics(live, 1, 0, 900);
  queue_push_end(queue, live);
  ck_assert_int_eq(pop(NULL).type, ENTRY_BEGIN);
  expect_gap(live, 99);
  expect_batch(1);
  ck_assert_int_eq(pop(NULL).type, ENTRY_END);
}
END_TEST

START_TEST(a_stream_that_lost_everything_is_none_of_the_sinks_business)
{
  struct evp_stream *other = harness_stream(&harness, false);
  queue_push_begin(queue, live);
  push_metrics(live, 1, 0, 990);
  for (int i = 0; i < 1000; i++) { /* a program that restarts again and again, before a sink that stands still */
    queue_push_begin(queue, other);
    push_metrics(other, 2, 0, 400);
    queue_push_end(queue, other);
  }
  ck_assert_int_eq(pop(NULL).type, ENTRY_BEGIN);
  expect_batch(1);
  ck_assert_int_eq(pop(NULL).type, ENTRY_NONE);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 2000);
  evp_stream_unref(other);
}
END_TEST

START_TEST(bytes_go_on_where_a_reader_may_begin)
{
  push_bytes(live, 800, 0);
  push_bytes(live, 300, 300); /* drops the first; no reader may begin here */
  push_bytes(live, 400, 100);
  expect_gap(live, 1100);
  expect_batch(400);
  ck_assert_int_eq(pop(NULL).type, ENTRY_NONE);
}
END_TEST

START_TEST(waits_for_a_file_and_not_for_a_program)
{
  ck_assert(queue_waits(queue, file));
  ck_assert(!queue_waits(queue, live));
  push_metrics(file, 1, 0, 990);
  ck_assert(queue_has_room(queue));
  push_metrics(file, 2, 0, 990); /* one more than fits is taken: the source asks before it reads again */
  ck_assert(!queue_has_room(queue));
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 0);
  expect_batch(1);
  ck_assert(queue_has_room(queue));
  expect_batch(2);
}
END_TEST

START_TEST(a_failed_sink_gets_nothing_and_everything_is_counted)
{
  atomic_store(&harness.node.failed, true);
  push_metrics(live, 5, 0, 10);
  ck_assert(queue_is_empty(queue));
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 5);
  ck_assert(queue_has_room(queue));
}
END_TEST

/* A sink that stands still pops nothing: the slots of what is dropped meanwhile are used again. */
START_TEST(the_places_of_dropped_batches_are_used_again)
{
  ck_assert(queue_push_begin(queue, live));
  for (int i = 0; i < 100; i++) push_metrics(live, 1, 0, 600);
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 100000; i++) push_metrics(live, 1, 0, 600);
  ck_assert_uint_lt(mallinfo2().uordblks, before + 100000); /* a byte for each would be too much */
  ck_assert_int_eq(pop(NULL).type, ENTRY_BEGIN);
  expect_gap(live, 100099);
  expect_batch(1);
}
END_TEST

START_TEST(what_is_left_is_counted)
{
  push_metrics(live, 5, 0, 10);
  queue_push_end(queue, live);
  queue_free(queue);
  queue = NULL;
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 5);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("queue");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, keeps_order);
  tcase_add_test(tests, drops_the_oldest_and_tells_the_gap);
  tcase_add_test(tests, drops_the_newest_if_asked_to);
  tcase_add_test(tests, drops_of_its_own_stream_only);
  tcase_add_test(tests, drops_the_oldest_of_each_stream_whatever_came_before);
  tcase_add_test(tests, never_cuts_a_group);
  tcase_add_test(tests, drops_the_rest_of_a_group_whose_begin_was_dropped);
  tcase_add_test(tests, keeps_the_rest_of_a_group_whose_begin_was_taken);
  tcase_add_test(tests, never_drops_begins_and_ends);
  tcase_add_test(tests, a_stream_that_lost_everything_is_none_of_the_sinks_business);
  tcase_add_test(tests, bytes_go_on_where_a_reader_may_begin);
  tcase_add_test(tests, waits_for_a_file_and_not_for_a_program);
  tcase_add_test(tests, a_failed_sink_gets_nothing_and_everything_is_counted);
  tcase_add_test(tests, the_places_of_dropped_batches_are_used_again);
  tcase_add_test(tests, what_is_left_is_counted);
  return check_main("queue", tests);
}
