/* What InfluxDB reads of what we write: with a reader that scans as influxdb 1.x's models/points.go does. */
#include "check_main.h"
#include "line_protocol.h"
#include "sink_host.h"
#include "text.h"
#include <math.h>
#include <stdio.h>

static struct sink_host *host;
static struct line_protocol *lines;
static struct evp_buf out;
static struct sink_host_stream stream_facts = {.source = "app", .service = "oddball"};

static void setup(void)
{
  host = sink_host_new(NULL, "");
  lines = line_protocol_new(sink_host_ctx(host));
  out = (struct evp_buf){0};
}

static void teardown(void)
{
  line_protocol_free(lines);
  sink_host_free(host);
  text_free(&out);
}

static const char *encode(enum evp_signal signal, const void *items, uint32_t n)
{
  struct sink_host_batch batch;
  out.size = 0;
  ck_assert_int_eq(
    line_protocol_encode(lines, sink_host_batch(&batch, signal, sink_host_stream(&stream_facts), items, n), &out),
    EVP_OK);
  ck_assert(text_put_char(&out, '\0'));
  out.size--;
  return (const char *)out.data;
}

static struct evp_series series_of(uint64_t id, uint16_t type, const struct evp_label *labels, uint32_t n)
{
  return (struct evp_series){
    .id = id, .name = "ghc_heap_live_bytes", .kind = EVP_GAUGE, .type = type, .n_labels = n, .labels = labels};
}

static const char *encode_int(const struct evp_series *series, int64_t value, int64_t time)
{
  const struct evp_metric metric = {.time = time, .series = series, .value.i = value};
  return encode(EVP_METRICS, &metric, 1);
}

START_TEST(integers_and_floats)
{
  const struct evp_label labels[] = {{"service", "oddball"}, {"zone", ""}};
  const struct evp_series integers = series_of(1, EVP_INT64, labels, 2), floats = series_of(2, EVP_DOUBLE, NULL, 0);
  ck_assert_str_eq(encode_int(&integers, -5, 1700000000000000000),
    "ghc_heap_live_bytes,service=oddball value=-5i 1700000000000000000\n");
  ck_assert_str_eq(
    encode_int(&integers, INT64_MIN, -1), "ghc_heap_live_bytes,service=oddball value=-9223372036854775808i -1\n");
  const struct evp_metric metrics[] = {
    {.time = 7, .series = &floats, .value.d = 0.25}, {.time = 7, .series = &floats, .value.d = 1}};
  ck_assert_str_eq(
    encode(EVP_METRICS, metrics, 2), "ghc_heap_live_bytes value=0.25 7\nghc_heap_live_bytes value=1 7\n");
}
END_TEST

START_TEST(a_histogram_is_one_point)
{
  const double bounds[] = {0.0001, 0.5, 2.5};
  const uint64_t counts[] = {1, 0, 2, 4};
  struct evp_series series = series_of(3, EVP_BUCKETS, NULL, 0);
  series.bounds = bounds;
  series.n_bounds = 3;
  const struct evp_buckets buckets = {.count = 7, .sum = 12.5, .counts = counts};
  const struct evp_metric metric = {.time = 9, .series = &series, .value.buckets = &buckets};
  ck_assert_str_eq(
    encode(EVP_METRICS, &metric, 1), "ghc_heap_live_bytes count=7i,sum=12.5,0.0001=1i,0.5=1i,2.5=3i 9\n");
}
END_TEST

START_TEST(what_has_no_form_is_dropped_and_counted)
{
  const struct evp_series floats = series_of(4, EVP_DOUBLE, NULL, 0);
  struct evp_series nameless = series_of(5, EVP_INT64, NULL, 0);
  nameless.name = "";
  const struct evp_metric metrics[] = {{.series = &floats, .value.d = NAN}, {.series = &floats, .value.d = -INFINITY},
    {.series = &nameless}, {.series = &floats, .value.d = 2}};
  ck_assert_str_eq(encode(EVP_METRICS, metrics, 4), "ghc_heap_live_bytes value=2 0\n");
  ck_assert_str_eq(sink_host_said(host), "drop 1 not_finite\ndrop 1 not_finite\ndrop 1 bad_name\n");
}
END_TEST

START_TEST(names_that_influxdb_refuses)
{
  const struct evp_label labels[] = {{"_field", "a"}, {"time", "now"}};
  struct evp_series series = series_of(6, EVP_INT64, labels, 2);
  series.name = "#a b,c=d";
  ck_assert_str_eq(encode_int(&series, 1, 2), "_a\\ b\\,c=d,_field_=a,time_=now value=1i 2\n");
}
END_TEST

START_TEST(series_that_share_a_place_in_the_table)
{
  const struct evp_label first[] = {{"band", "A"}}, second[] = {{"band", "a longer name than that of the first"}};
  const struct evp_series a = series_of(7, EVP_INT64, first, 1), b = series_of(7 + 8192, EVP_INT64, second, 1);
  for (int i = 0; i < 3; i++) {
    ck_assert_str_eq(encode_int(&a, 1, 2), "ghc_heap_live_bytes,band=A value=1i 2\n");
    ck_assert_str_eq(
      encode_int(&b, 1, 2), "ghc_heap_live_bytes,band=a\\ longer\\ name\\ than\\ that\\ of\\ the\\ first value=1i 2\n");
  }
}
END_TEST

/* ---------------------------------------------------------------------------------------------- as InfluxDB reads tags */

/* scanLine(): where the line ends; a backslash hides the byte behind it. */
static size_t scan_line(const char *text, size_t size)
{
  bool quoted = false, fields = false;
  size_t i = 0, equals = 0, commas = 0;
  while (i < size) {
    if (text[i] == '\\' && i + 2 < size) {
      i += 2;
      continue;
    }
    if (text[i] == ' ') fields = true;
    if (fields) {
      if (!quoted && text[i] == '=') equals++;
      if (!quoted && text[i] == ',') commas++;
      if (text[i] == '"' && equals > commas) quoted = !quoted;
    }
    if (text[i] == '\n' && !quoted) return i;
    i++;
  }
  return i;
}

/* scanTags(): up to a separator whose last byte is no backslash; unescapeTag(). */
static size_t scan_tag(const char *text, size_t from, const char *ends, char *value)
{
  size_t i = from, n = 0;
  while (text[i] && !(strchr(ends, text[i]) && text[i - 1] != '\\')) i++;
  for (size_t j = from; j < i; j++) {
    if (text[j] == '\\' && j + 1 < i && strchr(", =", text[j + 1])) j++;
    value[n++] = text[j];
  }
  value[n] = 0;
  return i;
}

/* What a tag is read back as. */
static void expected_tag(const char *text, char *to)
{
  for (; *text; text++) {
    char character = (unsigned char)*text < 0x20 ? ' ' : *text;
    char next = (unsigned char)text[1] < 0x20 && text[1] ? ' ' : text[1];
    if (character == '\\' && (!next || strchr(",= ", next)))
      to = stpcpy(to, "\xef\xbc\xbc");
    else
      *to++ = character;
  }
  *to = 0;
}

static void random_text(char *text, size_t size, uint64_t *seed)
{
  static const char letters[] = "a\\\\ ,=\"\n;Z\x01";
  for (size_t i = 0; i < size; i++) {
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    text[i] = letters[(*seed >> 33) % (sizeof letters - 1)];
  }
  text[size] = 0;
}

START_TEST(any_tag_is_read_back)
{
  uint64_t seed = 42;
  for (uint64_t id = 1; id <= 20000; id++) {
    char a[16], b[16], got[64], expected[64];
    random_text(a, 1 + id % 8, &seed);
    random_text(b, 1 + id % 11, &seed);
    const struct evp_label labels[] = {{"a", a}, {"b", b}};
    const struct evp_series series = series_of(id, EVP_INT64, labels, 2);
    const struct evp_metric metrics[] = {
      {.time = 5, .series = &series, .value.i = 6}, {.time = 7, .series = &series, .value.i = 8}};
    const char *text = encode(EVP_METRICS, metrics, 2);
    size_t end = scan_line(text, out.size);
    ck_assert_msg(end == out.size / 2 - 1, "'%s' '%s': %s", a, b, text);
    ck_assert_uint_eq(line_protocol_line_end(out.data, out.size, 0), end + 1);
    ck_assert_uint_eq(line_protocol_lines(out.data, out.size), 2);
    size_t at = strlen("ghc_heap_live_bytes,a=");
    at = scan_tag(text, at, ", ", got);
    expected_tag(a, expected);
    ck_assert_str_eq(got, expected);
    ck_assert_int_eq(strncmp(text + at, ",b=", 3), 0);
    at = scan_tag(text, at + 3, ", ", got);
    expected_tag(b, expected);
    ck_assert_str_eq(got, expected);
    ck_assert_int_eq(strncmp(text + at, " value=6i 5\n", 12), 0);
  }
}
END_TEST

/* ---------------------------------------------------------------------------------------------------------------- logs */

static struct evp_log log_of(const char *body, int64_t time)
{
  return (struct evp_log){.time = time,
    .name = "user_message",
    .body = body,
    .body_size = (uint32_t)strlen(body),
    .severity = EVP_DEBUG,
    .cap = 2};
}

START_TEST(logs_are_points_of_one_measurement)
{
  struct evp_log marker = log_of("say \"hi\\\"\nthere", 17);
  marker.name = "user_marker";
  marker.severity = EVP_INFO;
  marker.cap = EVP_NO_CAP;
  marker.thread = 9;
  ck_assert_str_eq(encode(EVP_LOGS, &marker, 1),
    "ghc_log,kind=marker,service=oddball,severity=info message=\"say \\\"hi\\\\\\\"\nthere\",thread=9i 17\n");
  ck_assert_uint_eq(line_protocol_lines(out.data, out.size), 1);
  struct evp_log message = log_of("x", 18);
  const struct evp_label attributes[] = {{"encoding", "base64"}, {"message", "mine"}};
  message.attributes = attributes;
  message.n_attributes = 2;
  ck_assert_str_eq(encode(EVP_LOGS, &message, 1),
    "ghc_log,kind=message,service=oddball,severity=debug message=\"x\",capability=2i,encoding=\"base64\" 18\n");
}
END_TEST

static int64_t time_of_line(const char *text, int line)
{
  while (line--) text = strchr(text, '\n') + 1;
  const char *end = strchr(text, '\n');
  while (end[-1] != ' ') end--;
  return strtoll(end, NULL, 10);
}

START_TEST(logs_of_one_time_are_told_apart)
{
  struct evp_log logs[] = {
    log_of("a", 10), log_of("b", 10), log_of("c", 10), log_of("d", 11), log_of("e", 20), log_of("f", 10)};
  logs[5].name = "user_marker";
  const char *text = encode(EVP_LOGS, logs, 6);
  const int64_t expected[] = {10, 11, 12, 13, 20, 10}; /* the marker is of another series */
  for (int i = 0; i < 6; i++) ck_assert_int_eq(time_of_line(text, i), expected[i]);
}
END_TEST

START_TEST(a_message_is_cut_at_a_character)
{
  char *body = malloc(40001);
  for (size_t i = 0; i < 40000; i += 2) memcpy(body + i, "\xce\xbb", 2);
  body[0] = 'x'; /* so that 32 KiB lies within a character */
  memmove(body + 1, body + 2, 39998);
  body[39999] = 0;
  const struct evp_log log = log_of(body, 1);
  const char *text = encode(EVP_LOGS, &log, 1);
  const char *begin = strchr(text, '"') + 1, *end = strrchr(text, '"');
  ck_assert_uint_eq((size_t)(end - begin), 32767);
  ck_assert_int_eq(strncmp(begin, body, 32767), 0);
  free(body);
}
END_TEST

START_TEST(a_nul_in_a_message)
{
  const struct evp_log log = {
    .time = 1, .name = "rts_log", .body = "a\0b", .body_size = 3, .severity = EVP_WARN, .cap = EVP_NO_CAP};
  ck_assert_str_eq(encode(EVP_LOGS, &log, 1),
    "ghc_log,kind=rts,service=oddball,severity=warning message=\"a\xef\xbf\xbd"
    "b\" 1\n");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("line_protocol");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, integers_and_floats);
  tcase_add_test(tests, a_histogram_is_one_point);
  tcase_add_test(tests, what_has_no_form_is_dropped_and_counted);
  tcase_add_test(tests, names_that_influxdb_refuses);
  tcase_add_test(tests, series_that_share_a_place_in_the_table);
  tcase_add_test(tests, any_tag_is_read_back);
  tcase_add_test(tests, logs_are_points_of_one_measurement);
  tcase_add_test(tests, logs_of_one_time_are_told_apart);
  tcase_add_test(tests, a_message_is_cut_at_a_character);
  tcase_add_test(tests, a_nul_in_a_message);
  return check_main("line_protocol", tests);
}
