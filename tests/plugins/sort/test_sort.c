/* Filter sort against a stable sort of the whole, and its windows against hand-made streams. */
#include "check_main.h"
#include "random_events.h"
#include "watermark.h"

#include <evpipe/events.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t second = 1000000000;
static const uint64_t plenty = (uint64_t)1 << 30;

static struct fake_filter *new_sort(struct fake_log *input, uint64_t window, uint64_t max_memory)
{
  struct fake_filter *sort = fake_filter_new(&evp_plugin_entry, input);
  fake_filter_number(sort, "window", window);
  fake_filter_number(sort, "max_memory", max_memory);
  ck_assert_int_eq(fake_filter_create(sort), EVP_OK);
  return sort;
}

/* The events are the same, and in this order. */
static void check_order(const char *what, const struct fake_log *output, const struct evp_event **order, size_t n)
{
  ck_assert_msg(output->n == n, "%s: %zu events came out of %zu", what, output->n, n);
  for (size_t i = 0; i < n; i++) {
    const struct evp_event *got = &output->events[i], *expected = order[i];
    bool same = got->time == expected->time && got->type == expected->type && got->cap == expected->cap &&
                got->flags == expected->flags && got->size == expected->size &&
                memcmp(got->data, expected->data, got->size) == 0;
    ck_assert_msg(same, "%s: event %zu is another one", what, i);
  }
}

static void feed(struct fake_filter *sort, const struct fake_log *log, uint32_t seed)
{
  for (size_t from = 0; from < log->n;) {
    size_t n = 1 + random_next(&seed) % 1000;
    size_t to = from + n < log->n ? from + n : log->n;
    ck_assert_int_eq(fake_filter_map(sort, log, from, to), EVP_OK);
    from = to;
  }
}

static void sorts_exactly(const char *what, struct fake_log *log, uint64_t max_memory)
{
  const struct evp_event **order = stable_order(log);
  struct fake_filter *sort = new_sort(log, EVP_NEVER, max_memory);
  feed(sort, log, 4711);
  ck_assert_uint_eq(sort->output->n, 0);
  ck_assert_int_eq(fake_filter_end(sort), EVP_OK);
  check_order(what, sort->output, order, log->n);
  ck_assert_uint_eq(sort->late, 0);
  ck_assert_uint_le(sort->most_emitted, 4096);
  free(order);
  fake_filter_free(sort);
  ck_assert_uint_eq(fake_batches, 0);
}

START_TEST(test_every_disorder)
{
  const size_t sizes[] = {0, 1, 2, 3, 17, 33, 1000, 4096, 4097, 60000};
  for (enum disorder disorder = ORDERED; disorder <= BLOCKS; disorder++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      struct fake_log *log = random_log(disorder, sizes[i], 42 + disorder);
      sorts_exactly("in memory", log, plenty);
      sorts_exactly("from a file", log, 1000); /* a run for each batch: runs are merged, more than once */
      sorts_exactly("half and half", log, 1 << 20);
      fake_log_free(log);
    }
}
END_TEST

START_TEST(test_compact_copies)
{
  fake_compact = true;
  struct fake_log *log = random_log(RANDOM, 5000, 7);
  sorts_exactly("with compact copies", log, plenty);
  fake_log_free(log);
  fake_compact = false;
}
END_TEST

START_TEST(test_longest_payloads)
{
  static uint8_t payload[65535];
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  for (uint64_t i = 0; i < 200; i++) {
    memset(payload, (int)i, sizeof payload);
    fake_log_add(log, 1000 - i % 50, EVP_USER_MSG, 0, EVP_EVENT_VARIABLE, payload, (uint16_t)(65535 - i % 3));
  }
  sorts_exactly("long, in memory", log, plenty);
  sorts_exactly("long, from a file", log, 100000);
  fake_log_free(log);
}
END_TEST

static void sort_all(const char *pattern, size_t at_least)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("EVPIPE_EVENTLOGS"), pattern);
  glob_t logs;
  ck_assert_int_eq(glob(path, 0, NULL, &logs), 0);
  for (size_t i = 0; i < logs.gl_pathc; i++) {
    if (strstr(logs.gl_pathv[i], "902-head")) continue; /* begins with a stray marker: not for this reader */
    struct fake_log *log = fake_log_read(logs.gl_pathv[i]);
    ck_assert_ptr_nonnull(log);
    sorts_exactly(logs.gl_pathv[i], log, plenty);
    sorts_exactly(logs.gl_pathv[i], log, 64 * 1024);
    fake_log_free(log);
  }
  ck_assert_uint_ge(logs.gl_pathc, at_least);
  globfree(&logs);
}

START_TEST(test_real_logs)
{
  if (!SANITIZED) sort_all("*.eventlog", 40);
  sort_all("ghc-events/*.eventlog", 13);
}
END_TEST

START_TEST(test_window_by_default)
{
  struct fake_log *recorded = random_log(RANDOM, 100, 1), *live = random_log(RANDOM, 100, 1);
  fake_log_set_live(live, true);
  struct fake_filter *waits = new_sort(recorded, 0, plenty), *hurries = new_sort(live, 0, plenty);
  feed(waits, recorded, 1), feed(hurries, live, 1);
  ck_assert_uint_eq(waits->tick_every, 0);
  ck_assert_uint_eq(hurries->tick_every, second / 4);
  fake_filter_tick(waits, 100 * second), fake_filter_tick(hurries, 100 * second);
  fake_filter_tick(waits, 103 * second), fake_filter_tick(hurries, 103 * second);
  ck_assert_uint_eq(waits->output->n, 0);
  ck_assert_uint_eq(hurries->output->n, 100);
  fake_filter_free(waits), fake_filter_free(hurries);
  fake_log_free(recorded), fake_log_free(live);
}
END_TEST

/* A flush of each second: the capless block, then one for each of two capabilities. */
static struct fake_log *flushes(uint64_t n)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  for (uint64_t flush = 0; flush < n; flush++) {
    uint64_t begin = flush * second, end = begin + second;
    add_marker(log, begin, end, EVP_NO_CAP);
    add_event(log, begin + 500, EVP_NO_CAP);
    for (uint16_t cap = 0; cap < 2; cap++) {
      add_marker(log, begin, end, cap);
      add_event(log, begin + 100 + cap, cap);
      add_event(log, begin + 900 - cap, cap);
    }
  }
  return log;
}

START_TEST(test_watermark_releases)
{
  struct fake_log *log = flushes(10);
  struct fake_filter *sort = new_sort(log, 3600 * second, plenty);
  const size_t of_a_flush = 8;
  ck_assert_int_eq(fake_filter_map(sort, log, 0, of_a_flush), EVP_OK);
  ck_assert_uint_eq(sort->output->n, 0); /* the last block is complete only when the next one begins */
  ck_assert_int_eq(fake_filter_map(sort, log, of_a_flush, 2 * of_a_flush), EVP_OK);
  ck_assert_uint_eq(sort->output->n, of_a_flush);
  for (size_t i = 2; i < 10; i++) fake_filter_map(sort, log, i * of_a_flush, (i + 1) * of_a_flush);
  ck_assert_uint_eq(sort->output->n, 9 * of_a_flush);
  fake_filter_end(sort);
  const struct evp_event **order = stable_order(log);
  check_order("flushes", sort->output, order, log->n);
  ck_assert_uint_eq(sort->late, 0);
  free(order);
  fake_filter_free(sort);
  fake_log_free(log);
  ck_assert_uint_eq(fake_batches, 0);
}
END_TEST

START_TEST(test_watermark_waits_for_a_silent_capability)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  fake_log_add(log, 0, EVP_CAP_CREATE, EVP_NO_CAP, 0, "\0\7", 2); /* no block of it is ever seen */
  for (uint64_t i = 0; i < 10; i++) add_marker(log, i * second, (i + 1) * second, EVP_NO_CAP);
  fake_log_add(log, 10 * second, EVP_CAP_DELETE, EVP_NO_CAP, 0, "\0\7", 2);
  struct fake_filter *sort = new_sort(log, 3600 * second, plenty);
  fake_filter_map(sort, log, 0, 11);
  ck_assert_uint_eq(sort->output->n, 0);
  fake_filter_map(sort, log, 11, 12);
  ck_assert_uint_gt(sort->output->n, 8);
  fake_filter_free(sort);
  fake_log_free(log);
}
END_TEST

START_TEST(test_arrival_releases_when_the_watermark_stalls)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  add_event(log, 5 * second, 0);
  add_event(log, 4 * second, 0);
  add_event(log, 3 * second, 1); /* late, by then */
  struct fake_filter *sort = new_sort(log, 2 * second, plenty);
  fake_filter_map(sort, log, 0, 2);
  fake_filter_tick(sort, 10 * second); /* held since now, however old they are */
  ck_assert_uint_eq(sort->output->n, 0);
  fake_filter_tick(sort, 12 * second - 1);
  ck_assert_uint_eq(sort->output->n, 0);
  fake_filter_tick(sort, 12 * second);
  ck_assert_uint_eq(sort->output->n, 2);
  ck_assert_uint_eq(sort->output->events[0].time, 4 * second);
  ck_assert_uint_eq(sort->late, 0);
  fake_filter_map(sort, log, 2, 3);
  ck_assert_uint_eq(sort->late, 1);
  ck_assert_uint_eq(sort->output->n, 3); /* at once: waiting can not help it */
  fake_filter_free(sort);
  fake_log_free(log);
}
END_TEST

START_TEST(test_an_event_from_the_future_drags_nothing_along)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  add_event(log, UINT64_MAX, 0);
  add_event(log, 5 * second, 0);
  add_event(log, 9 * second, 0);
  add_event(log, 8 * second, 0);
  struct fake_filter *sort = new_sort(log, 2 * second, plenty);
  fake_filter_map(sort, log, 0, 2);
  fake_filter_tick(sort, 6 * second);
  fake_filter_tick(sort, 8 * second);
  ck_assert_uint_eq(sort->output->n, 1);
  fake_filter_map(sort, log, 2, 4);
  ck_assert_uint_eq(sort->late, 0);
  fake_filter_tick(sort, 9 * second);
  fake_filter_tick(sort, 12 * second);
  ck_assert_uint_eq(sort->output->n, 3);
  ck_assert_uint_eq(sort->output->events[1].time, 8 * second);
  fake_filter_end(sort);
  ck_assert_uint_eq(sort->output->n, 4);
  fake_filter_free(sort);
  fake_log_free(log);
}
END_TEST

START_TEST(test_window_with_a_file)
{
  struct fake_log *log = flushes(2000);
  struct fake_filter *sort = new_sort(log, 3600 * second, 2000); /* spills between what it releases */
  feed(sort, log, 99);
  ck_assert_uint_gt(sort->output->n, 0);
  fake_filter_end(sort);
  const struct evp_event **order = stable_order(log);
  check_order("flushes with a file", sort->output, order, log->n);
  free(order);
  fake_filter_free(sort);
  fake_log_free(log);
  ck_assert_uint_eq(fake_batches, 0);
}
END_TEST

START_TEST(test_a_file_that_can_not_be)
{
  struct fake_log *log = random_log(RANDOM, 100, 1);
  setenv("TMPDIR", "/nowhere/at/all", 1);
  struct fake_filter *sort = new_sort(log, EVP_NEVER, 0);
  ck_assert_int_eq(fake_filter_map(sort, log, 0, 100), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sort->error, "TMPDIR"));
  unsetenv("TMPDIR");
  fake_filter_free(sort);
  fake_log_free(log);
  ck_assert_uint_eq(fake_batches, 0);
}
END_TEST

START_TEST(test_no_memory)
{
  struct fake_log *log = random_log(RANDOM, 5000, 1);
  for (int after = 0; after < 4; after++) {
    struct fake_filter *sort = new_sort(log, EVP_NEVER, plenty);
    fake_full_after = after;
    enum evp_status status = fake_filter_map(sort, log, 0, 5000);
    if (status == EVP_OK) status = fake_filter_end(sort);
    ck_assert_int_eq(status, after < 3 ? EVP_ERROR : EVP_OK);
    fake_full_after = -1;
    fake_filter_free(sort);
    ck_assert_uint_eq(fake_batches, 0);
  }
  fake_log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("sort");
  if (getenv("EVPIPE_EVENTLOGS") && access(getenv("EVPIPE_EVENTLOGS"), R_OK) == 0)
    tcase_add_test(tests, test_real_logs);
  else
    puts("test_real_logs: skipped, there are no logs at $EVPIPE_EVENTLOGS");
  tcase_add_test(tests, test_every_disorder);
  tcase_add_test(tests, test_compact_copies);
  tcase_add_test(tests, test_longest_payloads);
  tcase_add_test(tests, test_window_by_default);
  tcase_add_test(tests, test_watermark_releases);
  tcase_add_test(tests, test_watermark_waits_for_a_silent_capability);
  tcase_add_test(tests, test_arrival_releases_when_the_watermark_stalls);
  tcase_add_test(tests, test_an_event_from_the_future_drags_nothing_along);
  tcase_add_test(tests, test_window_with_a_file);
  tcase_add_test(tests, test_a_file_that_can_not_be);
  tcase_add_test(tests, test_no_memory);
  return check_main("sort", tests);
}
