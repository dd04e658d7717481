/* Numbers, JSON, times and what a terminal may see. */
#include "check_main.h"
#include "complaint.h"
#include "sink_host.h"
#include "text.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static struct evp_buf text;

static const char *finish(bool good)
{
  ck_assert(good && text_put_char(&text, '\0'));
  text.size = 0;
  return (const char *)text.data;
}

START_TEST(integers_are_those_of_printf)
{
  uint64_t value = 0;
  for (int i = 0; i < 4000; i++) {
    char expected[32];
    snprintf(expected, sizeof expected, "%" PRIu64, value);
    ck_assert_str_eq(finish(text_put_unsigned(&text, value)), expected);
    snprintf(expected, sizeof expected, "%" PRId64, (int64_t)value);
    ck_assert_str_eq(finish(text_put_integer(&text, (int64_t)value)), expected);
    value = i < 1000 ? (uint64_t)i : value * UINT64_C(6364136223846793005) + 1442695040888963407u;
    if (i % 3 == 0) value >>= i % 64;
  }
  ck_assert_str_eq(finish(text_put_integer(&text, INT64_MIN)), "-9223372036854775808");
  ck_assert_str_eq(finish(text_put_unsigned(&text, UINT64_MAX)), "18446744073709551615");
}
END_TEST

START_TEST(doubles_read_back_the_same)
{
  uint64_t bits = 1;
  for (int i = 0; i < 20000; i++) {
    double value;
    bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    double back = strtod(finish(text_put_double(&text, value)), NULL);
    ck_assert_mem_eq(&back, &value, sizeof value);
  }
}
END_TEST

START_TEST(doubles_are_short)
{
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"}, {-0.0, "-0"}, {1, "1"}, {-17, "-17"}, {0.1, "0.1"}, {0.00025, "0.00025"}, {1e300, "1e+300"},
    {123456789012345, "123456789012345"}, {1e15, "1e+15"}, {NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_str_eq(finish(text_put_double(&text, cases[i].value)), cases[i].text);
}
END_TEST

START_TEST(json_is_json)
{
  ck_assert_str_eq(finish(text_put_json(&text, "a\"b\\c\n\t\r\x01\x7f", 10)), "\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007f\"");
  ck_assert_str_eq(finish(text_put_json(&text, "\0x", 2)), "\"\\u0000x\"");
  ck_assert_str_eq(
    finish(text_put_json(&text, "\xce\xbb\xff\xe2\x82", 5)), "\"\xce\xbb\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  ck_assert_str_eq(finish(text_put_json_string(&text, "")), "\"\"");
}
END_TEST

START_TEST(times_are_utc)
{
  ck_assert_str_eq(finish(text_put_time(&text, 0)), "1970-01-01T00:00:00.000000000Z");
  ck_assert_str_eq(finish(text_put_time(&text, INT64_C(1700000000123456789))), "2023-11-14T22:13:20.123456789Z");
  ck_assert_str_eq(finish(text_put_time(&text, -1)), "1969-12-31T23:59:59.999999999Z");
}
END_TEST

START_TEST(a_terminal_sees_no_controls)
{
  ck_assert_str_eq(finish(text_put_visible(&text,
                     "a\033[2J\n\xc2\x9b"
                     "b\xce\xbb",
                     11)),
    "a\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd"
    "b\xce\xbb");
}
END_TEST

START_TEST(a_complaint_is_made_once)
{
  struct complaint complaint = {0};
  uint64_t unsaid;
  ck_assert(!complaint_over(&complaint));
  ck_assert(complaint_is_due(&complaint, "refused", &unsaid));
  ck_assert(!complaint_is_due(&complaint, "refused", &unsaid));
  ck_assert(!complaint_is_due(&complaint, "refused", &unsaid));
  ck_assert(complaint_is_due(&complaint, "reset", &unsaid));
  complaint.said -= UINT64_C(61000000000);
  complaint.unsaid = 7;
  ck_assert(complaint_is_due(&complaint, "reset", &unsaid));
  ck_assert_uint_eq(unsaid, 7);
  ck_assert(complaint_over(&complaint));
  ck_assert(!complaint_over(&complaint));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("text");
  tcase_add_test(tests, integers_are_those_of_printf);
  tcase_add_test(tests, doubles_read_back_the_same);
  tcase_add_test(tests, doubles_are_short);
  tcase_add_test(tests, json_is_json);
  tcase_add_test(tests, times_are_utc);
  tcase_add_test(tests, a_terminal_sees_no_controls);
  tcase_add_test(tests, a_complaint_is_made_once);
  int status = check_main("text", tests);
  text_free(&text);
  return status;
}
