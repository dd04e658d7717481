/* The sink `print` at the contract: what is in the file afterwards, and what a terminal is sent. */
#include "check_main.h"
#include "sink_host.h"
#include "terminal.h"
#include "text.h"
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct sink_host *host;
static const struct evp_plugin *const print = &evp_plugin_entry;
static bool local_begun[1];
static const struct evp_event_type types[] = {
  {.number = 9, .size = 0, .description = "Starting GC", .name = "GC_START"}};
static struct sink_host_stream facts;
static const struct evp_stream *stream;

static void setup(void)
{
  strcpy(folder, "/tmp/evpipe-print-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/x", folder);
  local_begun[0] = false;
  facts = (struct sink_host_stream){.source = "app", .service = "oddball", .live = true, .local = local_begun};
  stream = sink_host_stream(&facts);
  signal(SIGPIPE, SIG_IGN); /* as the core does */
  unsetenv("COLUMNS");
  setenv("LANG", "C.UTF-8", 1);
  unsetenv("LC_ALL");
  unsetenv("LC_CTYPE");
}

static void teardown(void)
{
  if (host) sink_host_free(host);
  host = NULL;
  unlink(path);
  rmdir(folder);
}

static enum evp_status begin(const char *format, const char *to, uint32_t signals)
{
  char options[256];
  snprintf(options, sizeof options, "format=%s path=%s", format, to);
  host = sink_host_new(print, options);
  host->input_signals = signals;
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
  return print->start(host->self);
}

static enum evp_status write_items(enum evp_signal signal, const void *items, uint32_t n)
{
  struct sink_host_batch batch;
  return print->write(host->self, sink_host_batch(&batch, signal, stream, items, n));
}

/* What is in the file when the sink has ended. */
static const char *finish(void)
{
  static char text[65536];
  print->stop(host->self);
  int fd = open(path, O_RDONLY);
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size > 0 ? size : 0] = 0;
  return text;
}

static const struct evp_label labels[] = {{"band", "a\"\033b"}, {"service", "oddball"}};
static const struct evp_series integers = {.id = 1,
  .name = "ghc_heap_live_bytes",
  .unit = "bytes",
  .kind = EVP_GAUGE,
  .type = EVP_INT64,
  .n_labels = 2,
  .labels = labels};
static const struct evp_series floats = {.id = 2, .name = "ratio", .unit = "", .kind = EVP_GAUGE, .type = EVP_DOUBLE};
static const double bounds[] = {0.5, 1};
static const struct evp_series histogram = {.id = 3,
  .name = "ghc_gc_pause_seconds",
  .unit = "seconds",
  .kind = EVP_HISTOGRAM,
  .type = EVP_BUCKETS,
  .n_bounds = 2,
  .bounds = bounds};
static const uint64_t counts[] = {1, 2, 3};
static const struct evp_buckets buckets = {.count = 6, .sum = 7.5, .counts = counts};

static const struct evp_metric metrics[] = {
  {.time = 1500000000, .series = &integers, .value.i = 42, .flags = EVP_METRIC_LAST | EVP_METRIC_ESTIMATED},
  {.time = 0, .series = &floats, .value.d = NAN}, {.time = 0, .series = &histogram, .value.buckets = &buckets}};
static const struct evp_log logs[] = {
  {.time = 1, .name = "user_marker", .body = "a\n\"b", .body_size = 4, .severity = EVP_INFO, .cap = 3, .thread = 8},
  {.time = 2, .name = "rts_log", .body = "x", .body_size = 1, .severity = EVP_WARN, .cap = EVP_NO_CAP}};
static const struct evp_event events[] = {{.time = 17, .type = 9, .cap = 0}};

START_TEST(show_has_the_table_and_an_empty_line_at_the_end)
{
  facts.n_types = 1;
  facts.types = types;
  ck_assert_int_eq(begin("show", path, EVP_EVENTS), EVP_OK);
  ck_assert_int_eq(print->stream_begin(host->self, stream), EVP_OK);
  ck_assert_int_eq(write_items(EVP_EVENTS, events, 1), EVP_OK);
  ck_assert_int_eq(write_items(EVP_EVENTS, events, 1), EVP_OK);
  ck_assert_int_eq(print->stream_end(host->self, stream), EVP_OK);
  ck_assert_str_eq(
    finish(), "Event Types:\n9: Starting GC (size 0)\n\nEvents:\n17: cap 0: starting GC\n17: cap 0: starting GC\n\n");
}
END_TEST

START_TEST(a_log_of_a_header_alone_has_its_table)
{
  facts.n_types = 1;
  facts.types = types;
  ck_assert_int_eq(begin("show", path, EVP_EVENTS), EVP_OK);
  ck_assert_int_eq(print->stream_end(host->self, stream), EVP_OK);
  ck_assert_str_eq(finish(), "Event Types:\n9: Starting GC (size 0)\n\nEvents:\n\n");
}
END_TEST

START_TEST(without_a_header_nothing_is_printed)
{
  ck_assert_int_eq(begin("show", path, EVP_EVENTS), EVP_OK);
  ck_assert_int_eq(print->stream_end(host->self, stream), EVP_OK);
  ck_assert_str_eq(finish(), "");
}
END_TEST

START_TEST(show_of_metrics_and_logs)
{
  ck_assert_int_eq(begin("show", path, EVP_METRICS | EVP_LOGS), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 3), EVP_OK);
  ck_assert_int_eq(write_items(EVP_LOGS, logs, 2), EVP_OK);
  ck_assert_int_eq(print->stream_end(host->self, stream), EVP_OK);
  ck_assert_str_eq(finish(),
    "1970-01-01T00:00:01.500000000Z ghc_heap_live_bytes{band=\"a\"\xef\xbf\xbd"
    "b\",service=\"oddball\"} 42 bytes\n"
    "1970-01-01T00:00:00.000000000Z ratio NaN\n"
    "1970-01-01T00:00:00.000000000Z ghc_gc_pause_seconds count 6 sum 7.5 <=0.5:1 <=1:3 seconds\n"
    "1970-01-01T00:00:00.000000001Z info user_marker{service=\"oddball\"} cap 3 thread 8: a\xef\xbf\xbd\"b\n"
    "1970-01-01T00:00:00.000000002Z warning rts_log{service=\"oddball\"}: x\n");
}
END_TEST

START_TEST(json_of_metrics_and_logs)
{
  ck_assert_int_eq(begin("json", path, EVP_METRICS | EVP_LOGS), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 3), EVP_OK);
  ck_assert_int_eq(write_items(EVP_LOGS, logs, 2), EVP_OK);
  ck_assert_str_eq(finish(),
    "{\"time\":1500000000,\"name\":\"ghc_heap_live_bytes\",\"kind\":\"gauge\",\"unit\":\"bytes\",\"labels\":{\"band\":"
    "\"a\\\"\\u001bb\","
    "\"service\":\"oddball\"},\"value\":42,\"last\":true,\"estimated\":true}\n"
    "{\"time\":0,\"name\":\"ratio\",\"kind\":\"gauge\",\"unit\":\"\",\"labels\":{},\"value\":\"NaN\"}\n"
    "{\"time\":0,\"name\":\"ghc_gc_pause_seconds\",\"kind\":\"histogram\",\"unit\":\"seconds\",\"labels\":{},\"value\":"
    "{\"count\":6,"
    "\"sum\":7.5,\"buckets\":[{\"le\":0.5,\"count\":1},{\"le\":1,\"count\":3},{\"le\":\"+Inf\",\"count\":6}]}}\n"
    "{\"time\":1,\"name\":\"user_marker\",\"severity\":\"info\",\"service\":\"oddball\",\"capability\":3,\"thread\":8,"
    "\"message\":\"a\\n\\\"b\"}\n"
    "{\"time\":2,\"name\":\"rts_log\",\"severity\":\"warning\",\"service\":\"oddball\",\"message\":\"x\"}\n");
}
END_TEST

START_TEST(influx_is_line_protocol)
{
  ck_assert_int_eq(begin("influx", path, EVP_METRICS), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 1), EVP_OK);
  ck_assert_str_eq(finish(), "ghc_heap_live_bytes,band=a\"\\ b,service=oddball value=42i 1500000000\n");
}
END_TEST

START_TEST(influx_refuses_events)
{
  host = sink_host_new(print, "format=influx");
  host->input_signals = EVP_EVENTS;
  ck_assert_int_eq(sink_host_create(host), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "option format:"));
}
END_TEST

/* ------------------------------------------------------------------------------------------------ where it is written */

START_TEST(a_reader_that_leaves_ends_it_quietly)
{
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  ck_assert_int_eq(begin("show", "-", EVP_METRICS), EVP_OK);
  close(ends[0]);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 3), EVP_OK);
  ck_assert_int_eq(print->flush(host->self), EVP_END);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 3), EVP_END);
  print->stop(host->self);
  ck_assert_str_eq(sink_host_said(host), "");
}
END_TEST

START_TEST(a_reader_that_stands_still_does_not_hold_up_the_end)
{
  int ends[2], stop[2];
  ck_assert_int_eq(pipe(ends) + pipe(stop), 0);
  dup2(ends[1], STDOUT_FILENO);
  ck_assert_int_eq(begin("show", "-", EVP_METRICS), EVP_OK);
  host->stop_fd = stop[0];
  ck_assert_int_eq(write(stop[1], "x", 1), 1);
  enum evp_status status = EVP_OK;
  for (int i = 0; i < 10000 && status == EVP_OK; i++) status = write_items(EVP_METRICS, metrics, 3);
  ck_assert_int_eq(status, EVP_AGAIN); /* not taken */
  ck_assert_int_eq(print->flush(host->self), EVP_OK);
  print->stop(host->self);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "bytes were not written"));
}
END_TEST

START_TEST(a_full_disk_is_said_once)
{
  ck_assert_int_eq(begin("show", "/dev/full", EVP_METRICS), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, metrics, 3), EVP_OK);
  ck_assert_int_eq(print->flush(host->self), EVP_ERROR);
  print->stop(host->self);
  ck_assert_str_eq(sink_host_said(host), "error /dev/full: No space left on device\n");
}
END_TEST

START_TEST(what_can_not_be_opened)
{
  ck_assert_int_eq(begin("show", "/nonexistent/x", EVP_METRICS), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "No such file or directory"));
  sink_host_free(host);
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(begin("show", path, EVP_METRICS), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "nobody reads this FIFO"));
}
END_TEST

/* -------------------------------------------------------------------------------------------------------------- summary */

static void put_census(int64_t time, int64_t biggest)
{
  static struct evp_series series[14];
  static struct evp_label bands[14][2];
  static char names[14][8];
  struct evp_metric census[14];
  for (unsigned i = 0; i < 14; i++) {
    snprintf(names[i], sizeof names[i], "B%u", i);
    bands[i][0] = (struct evp_label){"band", names[i]};
    bands[i][1] = (struct evp_label){"breakdown", "closure_type"};
    series[i] = (struct evp_series){.id = 100 + i,
      .name = "ghc_heap_census_bytes",
      .unit = "bytes",
      .kind = EVP_GAUGE,
      .type = EVP_INT64,
      .n_labels = 2,
      .labels = bands[i]};
    census[i] = (struct evp_metric){.time = time, .series = &series[i], .value.i = i == 13 ? 0 : biggest - i * 1024};
  }
  ck_assert_int_eq(write_items(EVP_METRICS, census, 14), EVP_OK);
}

START_TEST(the_summary_elsewhere_is_a_block_when_there_is_news)
{
  struct evp_metric metric = {.time = 0, .series = &integers, .value.i = 1 << 20};
  facts.program = "odd\033ball";
  facts.pid = 77;
  ck_assert_int_eq(begin("summary", path, EVP_EVENTS | EVP_METRICS), EVP_OK);
  ck_assert_uint_eq(host->tick_every, 1000000000);
  ck_assert_int_eq(print->stream_begin(host->self, stream), EVP_OK);
  ck_assert_int_eq(write_items(EVP_EVENTS, events, 1), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, &metric, 1), EVP_OK);
  put_census(1000000000, 100 * 1024);
  ck_assert_int_eq(print->tick(host->self, 1000000000, NULL), EVP_OK);
  ck_assert_int_eq(print->tick(host->self, 2000000000, NULL), EVP_OK); /* no news */
  metric.value.i = 3 << 20;
  ck_assert_int_eq(write_items(EVP_METRICS, &metric, 1), EVP_OK);
  ck_assert_int_eq(print->stream_end(host->self, stream), EVP_OK);
  ck_assert_int_eq(facts.references, 0);
  const char *text = finish();
  const char *first = "app: connected, stream 1, odd\xef\xbf\xbd"
                      "ball, pid 77\n"
                      "  events                                 1\n"
                      "  heap live                        1.0 MiB\n"
                      "  census by closure_type at 00:00:01Z: 1.2 MiB in 13 bands\n"
                      "    B0                                   100.0 KiB    8.2 % ";
  ck_assert_msg(!strncmp(text, first, strlen(first)), "%s", text);
  ck_assert_ptr_nonnull(strstr(text, "    B9 "));
  ck_assert_ptr_null(strstr(text, "    B10 "));
  ck_assert_ptr_nonnull(strstr(text, "    and 3 more\n\napp: ended, stream 1"));
  ck_assert_ptr_nonnull(strstr(text, "heap live                        3.0 MiB       \xe2\x96\xb2 2.0 MiB\n"));
  ck_assert_ptr_null(strchr(text, '\033'));
}
END_TEST

START_TEST(the_summary_of_a_histogram)
{
  static const double pause_bounds[] = {0.001, 0.025, 2.5};
  static const uint64_t first[] = {3, 1, 0, 0}, second[] = {3, 1, 0, 1}, other[] = {4, 0, 0, 0};
  struct evp_series series[2];
  for (unsigned i = 0; i < 2; i++)
    series[i] = (struct evp_series){.id = 7 + i,
      .name = "ghc_gc_pause_seconds",
      .unit = "seconds",
      .kind = EVP_HISTOGRAM,
      .type = EVP_BUCKETS,
      .n_bounds = 3,
      .bounds = pause_bounds};
  const struct evp_buckets values[] = {{4, 0.008, first}, {4, 0.002, other}, {5, 3.008, second}};
  const struct evp_metric pauses[] = {{.series = &series[0], .value.buckets = &values[0]},
    {.series = &series[1], .value.buckets = &values[1]}, {.series = &series[0], .value.buckets = &values[2]}};
  ck_assert_int_eq(begin("summary", path, EVP_METRICS), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, pauses, 2), EVP_OK);
  ck_assert_int_eq(print->tick(host->self, 1000000000, NULL), EVP_OK);
  ck_assert_int_eq(write_items(EVP_METRICS, pauses + 2, 1), EVP_OK);
  const char *text = finish();
  ck_assert_msg(
    strstr(text, "  gc pause                               8  mean 1.25 ms, all <= 25.00 ms\n"), "%s", text);
  ck_assert_msg(strstr(text, "  gc pause                               9"), "%s", text);
  ck_assert_msg(strstr(text, "  mean 334.44 ms, some > 2.50 s\n"), "%s", text);
}
END_TEST

START_TEST(the_summary_is_bounded)
{
  static char names[2000][16];
  ck_assert_int_eq(begin("summary", path, EVP_METRICS), EVP_OK);
  for (unsigned i = 0; i < 2000; i++) {
    snprintf(names[i], sizeof names[i], "m%u", i);
    const struct evp_series series = {
      .id = 1000 + i, .name = names[i], .unit = "", .kind = EVP_GAUGE, .type = EVP_INT64};
    const struct evp_metric metric = {.series = &series, .value.i = i};
    ck_assert_int_eq(write_items(EVP_METRICS, &metric, 1), EVP_OK);
  }
  const char *text = finish();
  ck_assert_ptr_nonnull(strstr(text, "  m31 "));
  ck_assert_ptr_null(strstr(text, "  m32 "));
  ck_assert_ptr_nonnull(strstr(text, "1968 items were too many to be shown\n"));
}
END_TEST

static const char *replaced(const struct terminal *terminal, const char *picture)
{
  static struct evp_buf out;
  out.size = 0;
  ck_assert(terminal_replace(&out, terminal, picture, strlen(picture)) && text_put_char(&out, '\0'));
  return (const char *)out.data;
}

START_TEST(a_picture_is_cut_to_the_terminal)
{
  struct terminal terminal = {.in_place = true, .width = 5, .height = 4};
  ck_assert_str_eq(replaced(&terminal, "abcdefgh\nxy\nnot shown\n"),
    "\033[?25l\r\033[K\r\nabcde\033[K\r\nxy\033[K\033[J\r\033[2A\033[?25h");
  ck_assert_str_eq(replaced(&terminal, "\033[1mab\033[0mcdefgh\n"),
    "\033[?25l\r\033[K\r\n\033[1mab\033[0mcde\033[0m\033[K\033[J\r\033[1A\033[?25h");
  ck_assert_str_eq(replaced(&terminal, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"),
    "\033[?25l\r\033[K\r\n\xe6\xbc\xa2\xe6\xbc\xa2\033[K\033[J\r\033[1A\033[?25h");
}
END_TEST

START_TEST(cells_are_counted)
{
  struct evp_buf out = {0};
  unsigned used;
  ck_assert(terminal_put_cells(&out, "e\xcc\x81\xff\033x", 6, 10, &used));
  ck_assert_uint_eq(used, 4); /* the accent takes none */
  ck_assert(memmem(out.data, out.size, "\033", 1) == NULL);
  text_free(&out);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("print");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, show_has_the_table_and_an_empty_line_at_the_end);
  tcase_add_test(tests, a_log_of_a_header_alone_has_its_table);
  tcase_add_test(tests, without_a_header_nothing_is_printed);
  tcase_add_test(tests, show_of_metrics_and_logs);
  tcase_add_test(tests, json_of_metrics_and_logs);
  tcase_add_test(tests, influx_is_line_protocol);
  tcase_add_test(tests, influx_refuses_events);
  tcase_add_test(tests, a_reader_that_leaves_ends_it_quietly);
  tcase_add_test(tests, a_reader_that_stands_still_does_not_hold_up_the_end);
  tcase_add_test(tests, a_full_disk_is_said_once);
  tcase_add_test(tests, what_can_not_be_opened);
  tcase_add_test(tests, the_summary_elsewhere_is_a_block_when_there_is_news);
  tcase_add_test(tests, the_summary_of_a_histogram);
  tcase_add_test(tests, the_summary_is_bounded);
  tcase_add_test(tests, a_picture_is_cut_to_the_terminal);
  tcase_add_test(tests, cells_are_counted);
  return check_main("print", tests);
}
