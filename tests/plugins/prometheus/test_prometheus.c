/* What /metrics shows: the table of last values, and the two formats. */
#include "check_main.h"
#include "exposition.h"
#include "groups.h"
#include "names.h"
#include "sink_host.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 10000 };
static struct table table;
static struct evp_buf text;

static void set_up(void)
{
  table_init(&table);
}

static void tear_down(void)
{
  table_free(&table);
  text_free(&text);
}

static const char *show(enum exposition_format format)
{
  text.size = 0;
  ck_assert(exposition_put(&text, &table, format) && text_put_char(&text, 0));
  table_was_shown(&table);
  return (const char *)text.data;
}

static enum table_answer set_at(uint64_t stream, const struct evp_series *series, int64_t value, uint64_t now)
{
  struct evp_metric metric = {.series = series, .value.i = value};
  if (series->type == EVP_DOUBLE) metric.value.d = (double)value;
  return table_set(&table, ROOM, stream, &metric, now);
}

static void set(uint64_t stream, const struct evp_series *series, int64_t value)
{
  ck_assert_int_eq(set_at(stream, series, value, 1), TABLE_OK);
}

static const struct evp_label service[] = {{"service", "a"}};
static const struct evp_series size_of_a = {.id = 1,
  .name = "ghc_heap_size_bytes",
  .unit = "bytes",
  .help = "Megablocks.",
  .kind = EVP_GAUGE,
  .type = EVP_INT64,
  .n_labels = 1,
  .labels = service};
static const struct evp_series total_of_a = {.id = 2,
  .name = "ghc_gc_total",
  .unit = "",
  .help = "Collections.",
  .kind = EVP_COUNTER,
  .type = EVP_INT64,
  .n_labels = 1,
  .labels = service,
  .start = 100};

/* -------------------------------------------------------------------------------------------------------------- formats */

START_TEST(nothing)
{
  ck_assert_str_eq(show(EXPOSITION_TEXT), "");
  ck_assert_str_eq(show(EXPOSITION_OPENMETRICS), "# EOF\n");
}
END_TEST

START_TEST(a_gauge_and_a_counter)
{
  set(1, &size_of_a, 4096);
  set(1, &total_of_a, INT64_MAX);
  ck_assert_str_eq(show(EXPOSITION_TEXT), "# HELP ghc_gc_total Collections.\n# TYPE ghc_gc_total counter\n"
                                          "ghc_gc_total{service=\"a\"} 9223372036854775807\n"
                                          "# HELP ghc_heap_size_bytes Megablocks.\n# TYPE ghc_heap_size_bytes gauge\n"
                                          "ghc_heap_size_bytes{service=\"a\"} 4096\n");
  ck_assert_str_eq(show(EXPOSITION_OPENMETRICS),
    "# HELP ghc_gc Collections.\n# TYPE ghc_gc counter\n"
    "ghc_gc_total{service=\"a\"} 9223372036854775807\n"
    "# HELP ghc_heap_size_bytes Megablocks.\n# TYPE ghc_heap_size_bytes gauge\n"
    "# UNIT ghc_heap_size_bytes bytes\nghc_heap_size_bytes{service=\"a\"} 4096\n# EOF\n");
}
END_TEST

START_TEST(a_histogram)
{
  static const double bounds[] = {0.001, 1, 2.5};
  static const uint64_t counts[] = {1, 2, 0, 4};
  struct evp_buckets buckets = {.count = 7, .sum = 12.25, .counts = counts};
  struct evp_series series = {.id = 9,
    .name = "ghc_gc_pause_seconds",
    .unit = "seconds",
    .help = "",
    .kind = EVP_HISTOGRAM,
    .type = EVP_BUCKETS,
    .n_labels = 1,
    .labels = service,
    .n_bounds = 3,
    .bounds = bounds};
  struct evp_metric metric = {.series = &series, .value.buckets = &buckets};
  ck_assert_int_eq(table_set(&table, ROOM, 1, &metric, 1), TABLE_OK);
  ck_assert_str_eq(show(EXPOSITION_TEXT), "# TYPE ghc_gc_pause_seconds histogram\n"
                                          "ghc_gc_pause_seconds_bucket{service=\"a\",le=\"0.001\"} 1\n"
                                          "ghc_gc_pause_seconds_bucket{service=\"a\",le=\"1.0\"} 3\n"
                                          "ghc_gc_pause_seconds_bucket{service=\"a\",le=\"2.5\"} 3\n"
                                          "ghc_gc_pause_seconds_bucket{service=\"a\",le=\"+Inf\"} 7\n"
                                          "ghc_gc_pause_seconds_sum{service=\"a\"} 12.25\n"
                                          "ghc_gc_pause_seconds_count{service=\"a\"} 7\n");
  series.n_labels = 0;
  series.id = 10;
  ck_assert_int_eq(table_set(&table, ROOM, 1, &metric, 1), TABLE_OK);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_gc_pause_seconds_bucket{le=\"0.001\"} 1\n"));
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "\nghc_gc_pause_seconds_sum 12.25\n"));
}
END_TEST

START_TEST(numbers_that_are_none)
{
  struct evp_series series = {.id = 5, .name = "x", .unit = "", .kind = EVP_GAUGE, .type = EVP_DOUBLE};
  const double values[] = {NAN, INFINITY, -INFINITY, -0.5, 1e300};
  const char *const texts[] = {"\nx NaN\n", "\nx +Inf\n", "\nx -Inf\n", "\nx -0.5\n", "\nx 1e+300\n"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    struct evp_metric metric = {.series = &series, .value.d = values[i]};
    ck_assert_int_eq(table_set(&table, ROOM, 1, &metric, 1), TABLE_OK);
    ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), texts[i]));
  }
}
END_TEST

START_TEST(escapes)
{
  const struct evp_label labels[] = {{"band", "a\\b\"c\nd,e=\"f\""}};
  struct evp_series series = {.id = 5,
    .name = "x",
    .unit = "",
    .help = "back\\slash \"quoted\"\nline",
    .kind = EVP_GAUGE,
    .type = EVP_INT64,
    .n_labels = 1,
    .labels = labels};
  set(1, &series, 1);
  ck_assert_str_eq(show(EXPOSITION_TEXT), "# HELP x back\\\\slash \"quoted\"\\nline\n# TYPE x gauge\n"
                                          "x{band=\"a\\\\b\\\"c\\nd,e=\\\"f\\\"\"} 1\n");
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_OPENMETRICS), "# HELP x back\\\\slash \\\"quoted\\\"\\nline\n"));
}
END_TEST

START_TEST(names_that_are_not_allowed)
{
  const struct evp_label labels[] = {
    {"0x", "1"}, {"__name__", "2"}, {"a-b", "3"}, {"a_b", "4"}, {"le", "5"}, {"\xc3\xa4", "6"}};
  struct evp_series series = {.id = 5,
    .name = "9 lives.per:cat",
    .unit = "",
    .kind = EVP_COUNTER,
    .type = EVP_INT64,
    .n_labels = 6,
    .labels = labels};
  set(1, &series, 1);
  ck_assert_str_eq(show(EXPOSITION_TEXT),
    "# TYPE _9_lives_per:cat_total counter\n"
    "_9_lives_per:cat_total{_0x=\"1\",_name__=\"2\",a_b=\"3\",a_b_=\"4\",le=\"5\",_=\"6\"} 1\n");
  text.size = 0;
  series.kind = EVP_HISTOGRAM;
  ck_assert(name_labels(&text, &series) && text_put_char(&text, 0));
  ck_assert_ptr_nonnull(strstr((const char *)text.data, ",le_=\"5\","));
}
END_TEST

START_TEST(the_format_that_is_asked_for)
{
  ck_assert_int_eq(exposition_choose(NULL), EXPOSITION_TEXT);
  ck_assert_int_eq(exposition_choose("*/*"), EXPOSITION_TEXT);
  ck_assert_int_eq(exposition_choose("text/plain;version=0.0.4"), EXPOSITION_TEXT);
  ck_assert_int_eq(exposition_choose("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"),
    EXPOSITION_OPENMETRICS);
  ck_assert_int_eq(exposition_choose("application/openmetrics-text;q=0.2,text/plain;q=0.5"), EXPOSITION_TEXT);
  ck_assert_int_eq(exposition_choose("application/openmetrics-text;q=0"), EXPOSITION_TEXT);
}
END_TEST

/* ---------------------------------------------------------------------------------------------------------------- table */

START_TEST(families_are_not_interrupted)
{
  static const struct evp_label other[] = {{"service", "b"}};
  struct evp_series size_of_b = size_of_a;
  size_of_b.id = 3;
  size_of_b.labels = other;
  set(1, &size_of_a, 1);
  set(1, &total_of_a, 2);
  set(2, &size_of_b, 3);
  ck_assert_ptr_nonnull(
    strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 1\nghc_heap_size_bytes{service=\"b\"} 3\n"));
}
END_TEST

/* It is shown once with its last value, however long that takes, and for `linger`. */
START_TEST(a_band_that_vanished_is_shown_as_zero_and_leaves)
{
  struct evp_metric last = {.series = &size_of_a, .value.i = 0, .flags = EVP_METRIC_LAST};
  set(1, &size_of_a, 7);
  set(1, &total_of_a, 1);
  show(EXPOSITION_TEXT);
  ck_assert_int_eq(table_set(&table, ROOM, 1, &last, 1000), TABLE_OK);
  table_sweep(&table, 5000, 100); /* nobody has seen it */
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 0\n"));
  table_sweep(&table, 1099, 100); /* seen, but not for long enough */
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 0\n"));
  table_sweep(&table, 1100, 100);
  ck_assert_ptr_null(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes"));
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_gc_total"));
  set(1, &size_of_a, 8); /* and it may come back */
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 8\n"));
}
END_TEST

START_TEST(a_series_that_goes_on_does_not_leave)
{
  set(1, &size_of_a, 7);
  table_end_stream(&table, 1, 10);
  set(2, &size_of_a, 8);
  show(EXPOSITION_TEXT);
  table_sweep(&table, 1000000, 1);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 8\n"));
}
END_TEST

/* A counter of a new stream is another series of the core (its start differs), and the same one here. */
START_TEST(a_counter_over_a_reconnect)
{
  struct evp_series next = total_of_a;
  next.id = 20;
  next.start = 200;
  set(1, &total_of_a, 70);
  ck_assert_int_eq(set_at(1, &total_of_a, 69, 1), TABLE_FALLING);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_gc_total{service=\"a\"} 70\n"));
  table_end_stream(&table, 1, 10);
  set(2, &next, 3);
  ck_assert_uint_eq(table.n, 1);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_gc_total{service=\"a\"} 3\n"));
  ck_assert_int_eq(set_at(2, &next, 2, 1), TABLE_FALLING);
  set(2, &next, 4);
}
END_TEST

START_TEST(many_reconnects_leave_nothing_behind)
{
  struct evp_series next = total_of_a;
  for (uint64_t i = 1; i <= 10000; i++) {
    next.id = i;
    set(i, &next, (int64_t)i);
    table_end_stream(&table, i, i);
  }
  ck_assert_uint_eq(table.n, 1);
  ck_assert_uint_lt(hash_index_memory(&table.by_series), 4096);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), " 10000\n"));
}
END_TEST

/* Two programs at once with the same labels: the first is shown, whole, the second when the first has ended. */
START_TEST(two_streams_with_the_same_labels)
{
  struct evp_series other = total_of_a;
  other.id = 20;
  set(1, &size_of_a, 1);
  set(1, &total_of_a, 10);
  ck_assert_int_eq(set_at(2, &size_of_a, 2, 1), TABLE_DUPLICATE);
  ck_assert_int_eq(set_at(2, &other, 5, 1), TABLE_DUPLICATE);
  set(1, &total_of_a, 11);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_gc_total{service=\"a\"} 11\n"));
  table_end_stream(&table, 1, 10);
  set(2, &size_of_a, 2);
  set(2, &other, 5);
  ck_assert_uint_eq(table.n, 2);
  ck_assert_ptr_nonnull(strstr(show(EXPOSITION_TEXT), "ghc_heap_size_bytes{service=\"a\"} 2\n"));
}
END_TEST

START_TEST(a_name_of_two_kinds)
{
  struct evp_series other = total_of_a;
  other.id = 20;
  other.name = "ghc_gc";
  other.kind = EVP_GAUGE;
  set(1, &total_of_a, 1);
  ck_assert_int_eq(set_at(1, &other, 1, 1), TABLE_CONFLICT);
  ck_assert_ptr_null(strstr(show(EXPOSITION_TEXT), "gauge"));
}
END_TEST

START_TEST(there_is_room_for_max_series)
{
  char name[16];
  const struct evp_label label = {"band", name};
  struct evp_series series = size_of_a;
  series.labels = &label;
  struct evp_metric metric = {.series = &series};
  for (uint64_t i = 1; i <= 150; i++) {
    snprintf(name, sizeof name, "b%d", (int)i);
    series.id = 1000 + i;
    ck_assert_int_eq(table_set(&table, 100, 1, &metric, 1), i <= 100 ? TABLE_OK : TABLE_FULL);
  }
  ck_assert_uint_eq(table.n, 100);
  ck_assert_int_eq(table_set(&table, 100, 1, &(struct evp_metric){.series = &total_of_a}, 1), TABLE_FULL);
  ck_assert_ptr_null(strstr(show(EXPOSITION_TEXT), "ghc_gc_total")); /* no family without a series */
  series.id = 1100; /* what has ended makes room, seen or not */
  metric.flags = EVP_METRIC_LAST;
  ck_assert_int_eq(table_set(&table, 100, 1, &metric, 1), TABLE_OK);
  ck_assert_int_eq(table_set(&table, 100, 1, &(struct evp_metric){.series = &total_of_a}, 1), TABLE_OK);
  ck_assert_uint_eq(table.n, 100);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------ groups */

static const uint64_t ms = 1000000;

START_TEST(a_scrape_waits_for_the_end_of_a_group)
{
  struct groups groups = {0};
  bool a = false;
  ck_assert(!groups_hold(&groups, 1));
  groups_note(&groups, &a, true, 1000 * ms);
  groups_note(&groups, &a, true, 1001 * ms);
  ck_assert(groups_hold(&groups, 1002 * ms));
  groups_note(&groups, &a, false, 1003 * ms);
  ck_assert(!groups_hold(&groups, 1003 * ms));
}
END_TEST

/* One stream's whole batch says nothing of the group of another. */
START_TEST(each_stream_has_groups_of_its_own)
{
  struct groups groups = {0};
  bool a = false, b = false;
  groups_note(&groups, &a, true, 1000 * ms);
  groups_note(&groups, &b, false, 1001 * ms);
  ck_assert(groups_hold(&groups, 1002 * ms));
  groups_note(&groups, &b, true, 1003 * ms);
  groups_note(&groups, &a, false, 1004 * ms);
  ck_assert(groups_hold(&groups, 1005 * ms));
  groups_note(&groups, &b, false, 1006 * ms);
  ck_assert(!groups_hold(&groups, 1007 * ms));
}
END_TEST

/* A connection is taken, its request is read, the answer is written: none of the steps waits once more. */
START_TEST(a_scrape_that_has_waited_comes_through)
{
  struct groups groups = {0};
  bool others[2] = {false};
  uint64_t now = 1000 * ms;
  for (int i = 0; i < 200; i++, now += ms) {
    groups_note(&groups, &others[i % 2], true, now);
    ck_assert(groups_hold(&groups, now) == (i < 100));
    groups_note(&groups, &others[(i + 1) % 2], false, now);
  }
}
END_TEST

/* Neither for one that stays open, nor because of many streams one always has one. */
START_TEST(a_scrape_never_waits_long)
{
  struct groups groups = {0};
  bool slow = false, others[2] = {false};
  uint64_t now = 1000 * ms, longest = 0, since = now;
  groups_note(&groups, &slow, true, now);
  ck_assert(!groups_hold(&groups, now + 150 * ms));
  for (int i = 0; i < 1000; i++, now += ms) {
    groups_note(&groups, &others[i % 2], true, now);
    if (groups_hold(&groups, now)) {
      if (now - since > longest) longest = now - since;
    } else {
      since = now;
    }
    groups_note(&groups, &others[(i + 1) % 2], false, now);
  }
  ck_assert_uint_ge(longest, 50 * ms);
  ck_assert_uint_le(longest, 101 * ms);
}
END_TEST

uint64_t evp_stream_id(const struct evp_stream *stream)
{
  (void)stream;
  return 1;
}

bool evp_statistics(struct evp_ctx *ctx, size_t index, struct evp_node_statistics *statistics)
{
  (void)ctx, (void)index, (void)statistics;
  return false;
}

static void write_part(struct sink_host *host, const struct evp_stream *stream, uint32_t flags)
{
  struct sink_host_batch batch;
  struct evp_metric metric = {.series = &size_of_a, .value.i = 1};
  sink_host_batch(&batch, EVP_METRICS, stream, &metric, 1);
  batch.batch.flags = flags;
  ck_assert_int_eq(host->plugin->write(host->self, &batch.batch), EVP_OK);
}

/* Meanwhile the server, which is readable, is not watched: the sink would do nothing but look at it. */
START_TEST(nothing_spins_while_a_scrape_waits)
{
  struct sink_host *host = sink_host_new(&evp_plugin_entry, "listen=127.0.0.1:0");
  void *local = calloc(1, evp_plugin_entry.stream_size);
  struct sink_host_stream stream = {.source = "app", .service = "app", .local = local};
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
  ck_assert_int_eq(host->plugin->start(host->self), EVP_OK);
  int fd = host->watched;
  ck_assert_int_ge(fd, 0);
  for (int i = 0; i < 3; i++) {
    write_part(host, sink_host_stream(&stream), EVP_BATCH_MORE);
    ck_assert_int_eq(host->plugin->ready(host->self), EVP_OK);
    ck_assert_int_eq(host->watched, -1);
    ck_assert_uint_gt(host->tick_every, 0);
    if (i == 0) write_part(host, sink_host_stream(&stream), 0);
    if (i == 1) host->plugin->stream_end(host->self, sink_host_stream(&stream));
    if (i == 2) host->plugin->tick(host->self, UINT64_MAX / 2, NULL);
    ck_assert_int_eq(host->watched, fd);
    ck_assert_uint_eq(host->tick_every, 0);
  }
  host->plugin->stop(host->self);
  sink_host_free(host);
  free(local);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("prometheus");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, nothing);
  tcase_add_test(tests, a_gauge_and_a_counter);
  tcase_add_test(tests, a_histogram);
  tcase_add_test(tests, numbers_that_are_none);
  tcase_add_test(tests, escapes);
  tcase_add_test(tests, names_that_are_not_allowed);
  tcase_add_test(tests, the_format_that_is_asked_for);
  tcase_add_test(tests, families_are_not_interrupted);
  tcase_add_test(tests, a_band_that_vanished_is_shown_as_zero_and_leaves);
  tcase_add_test(tests, a_series_that_goes_on_does_not_leave);
  tcase_add_test(tests, a_counter_over_a_reconnect);
  tcase_add_test(tests, many_reconnects_leave_nothing_behind);
  tcase_add_test(tests, two_streams_with_the_same_labels);
  tcase_add_test(tests, a_name_of_two_kinds);
  tcase_add_test(tests, there_is_room_for_max_series);
  tcase_add_test(tests, a_scrape_waits_for_the_end_of_a_group);
  tcase_add_test(tests, each_stream_has_groups_of_its_own);
  tcase_add_test(tests, a_scrape_that_has_waited_comes_through);
  tcase_add_test(tests, a_scrape_never_waits_long);
  tcase_add_test(tests, nothing_spins_while_a_scrape_waits);
  return check_main("prometheus", tests);
}
