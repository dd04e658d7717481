#include "check_main.h"
#include "config/units.h"
#include <evpipe.h>
#include <stdio.h>

struct sample {
  const char *text;
  uint64_t value;
};

static const struct sample sizes[] = {{"0", 0}, {"65536", 65536}, {"64K", 65536}, {"64KiB", 65536}, {"64 KiB", 65536},
  {"2M", 2097152}, {"2MiB", 2097152}, {"1GiB", 1073741824}, {"1G", 1073741824}, {"1TiB", 1099511627776},
  {"10MB", 10000000}, {"10kB", 10000}, {"10KB", 10000}, {"1.5KiB", 1536}, {"0.5MB", 500000}, {"7B", 7},
  {"9223372036854775807", INT64_MAX}, {"9007199254740993", 9007199254740993}, {"8589934591GiB", 9223372035781033984u}};

static const struct sample durations[] = {{"0", 0}, {"0s", 0}, {"250ms", 250000000}, {"30s", 30000000000},
  {"2m", 120000000000}, {"2min", 120000000000}, {"1h", 3600000000000}, {"1d", 86400000000000}, {"5us", 5000},
  {"7ns", 7}, {"1.5s", 1500000000}, {"1 s", 1000000000}, {"0.25ms", 250000}, {"none", EVP_NEVER}, {"never", EVP_NEVER},
  {"106751d", 9223286400000000000u}};

static const char *const no_sizes[] = {"", " ", "x", "KiB", "-1", "-1K", "+1", "1e3", "1 Mega", "1KiBB", "1kib", "0x10",
  "1.2.3", ".", "inf", "nan", "none", "never", "9223372036854775808", "18446744073709551616", "8589934592GiB", "1s",
  "1KiB ", "1,5K"};

static const char *const no_durations[] = {"", "10", "1", "-1s", "1sec", "s", "1e3s", "1 hour", "1M", "1s ", "soon",
  "106752d", "None", "0x1s", "nan", "99999999999999999999s", "1.5"};

START_TEST(sizes_with_units)
{
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint64_t value = 1234;
    ck_assert_msg(parse_size(sizes[i].text, &value), "%s", sizes[i].text);
    ck_assert_msg(value == sizes[i].value, "%s is %llu", sizes[i].text, (unsigned long long)value);
  }
  for (size_t i = 0; i < sizeof no_sizes / sizeof *no_sizes; i++) {
    uint64_t value = 1234;
    ck_assert_msg(!parse_size(no_sizes[i], &value), "'%s'", no_sizes[i]);
    ck_assert_uint_eq(value, 1234);
  }
}
END_TEST

START_TEST(durations_with_units)
{
  for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
    uint64_t value = 1234;
    ck_assert_msg(parse_duration(durations[i].text, &value), "%s", durations[i].text);
    ck_assert_msg(value == durations[i].value, "%s is %llu", durations[i].text, (unsigned long long)value);
  }
  for (size_t i = 0; i < sizeof no_durations / sizeof *no_durations; i++) {
    uint64_t value = 1234;
    ck_assert_msg(!parse_duration(no_durations[i], &value), "'%s'", no_durations[i]);
    ck_assert_uint_eq(value, 1234);
  }
}
END_TEST

START_TEST(whole_numbers)
{
  static const char *const wrong[] = {"", " 1", "1 ", "1.0", "+1", "0x10", "1e3", "one", "9223372036854775808", "--1"};
  int64_t value;
  ck_assert(parse_int("0", &value) && value == 0);
  ck_assert(parse_int("-17", &value) && value == -17);
  ck_assert(parse_int("9223372036854775807", &value) && value == INT64_MAX);
  ck_assert(parse_int("-9223372036854775808", &value) && value == INT64_MIN);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_msg(!parse_int(wrong[i], &value), "'%s'", wrong[i]);
}
END_TEST

START_TEST(real_numbers)
{
  static const char *const wrong[] = {"", " 1", "1 ", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", "one", "+1"};
  double value;
  ck_assert(parse_double("0.2", &value) && value > 0.1999 && value < 0.2001);
  ck_assert(parse_double("-3", &value) && value < -2.9 && value > -3.1);
  ck_assert(parse_double("1e3", &value) && value > 999.9 && value < 1000.1);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_msg(!parse_double(wrong[i], &value), "'%s'", wrong[i]);
}
END_TEST

START_TEST(truth)
{
  bool value;
  ck_assert(parse_bool("true", &value) && value);
  ck_assert(parse_bool("Yes", &value) && value);
  ck_assert(parse_bool("on", &value) && value);
  ck_assert(parse_bool("false", &value) && !value);
  ck_assert(parse_bool("no", &value) && !value);
  ck_assert(parse_bool("OFF", &value) && !value);
  ck_assert(!parse_bool("", &value) && !parse_bool("1", &value) && !parse_bool("y", &value));
}
END_TEST

/* The schema's patterns are made of these. */
START_TEST(units_are_those_that_parse)
{
  char text[32];
  uint64_t value;
  size_t n = 0;
  for (; size_unit(n); n++) {
    snprintf(text, sizeof text, "3%s", size_unit(n));
    ck_assert_msg(parse_size(text, &value), "%s", text);
  }
  ck_assert_uint_gt(n, 10);
  for (n = 0; duration_unit(n); n++) {
    snprintf(text, sizeof text, "3%s", duration_unit(n));
    ck_assert_msg(parse_duration(text, &value), "%s", text);
  }
  ck_assert_uint_gt(n, 5);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("units");
  tcase_add_test(tests, sizes_with_units);
  tcase_add_test(tests, durations_with_units);
  tcase_add_test(tests, whole_numbers);
  tcase_add_test(tests, real_numbers);
  tcase_add_test(tests, truth);
  tcase_add_test(tests, units_are_those_that_parse);
  return check_main("units", tests);
}
