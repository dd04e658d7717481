/* Censuses of the filter `heap`: what is emitted when, with and without SAMPLE_END, and of many bands. */
#include "heap_test.h"

#include <stdio.h>
#include <string.h>

/* --------------------------------------------------------------------------------------------------- censuses */

START_TEST(census_is_one_group_at_its_begin)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 102, 0, 16, "ARR_WORDS");
  expect("");
  put_end(host, 105);
  expect("100 " BAND("THUNK") " 8\n"
                              "100 " BAND("ARR_WORDS") " 16\n"
                                                       "100 " SUM " 24\n--\n");
}
END_TEST

START_TEST(equal_labels_are_added_up)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 101, 0, 1, "FUN");
  put_row(host, 102, 0, 16, "THUNK");
  put_end(host, 105);
  expect("100 " BAND("THUNK") " 24\n100 " BAND("FUN") " 1\n100 " SUM " 25\n--\n");
}
END_TEST

START_TEST(vanished_band_is_taken_back_once)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 102, 0, 16, "FUN");
  put_end(host, 105);
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 202, 0, 17, "FUN");
  put_end(host, 205);
  expect("200 " BAND("FUN") " 17\n200 " BAND("THUNK") " 0\nend " BAND("THUNK") "\n200 " SUM " 17\n--\n");
  metric_host_clear(host);
  put_begin(host, 300);
  put_row(host, 302, 0, 18, "FUN");
  put_end(host, 305);
  expect("300 " BAND("FUN") " 18\n300 " SUM " 18\n--\n");
  metric_host_clear(host);
  put_begin(host, 400);
  put_row(host, 401, 0, 5, "THUNK");
  put_row(host, 402, 0, 19, "FUN");
  put_end(host, 405);
  expect("400 " BAND("THUNK") " 5\n400 " BAND("FUN") " 19\n400 " SUM " 24\n--\n");
}
END_TEST

START_TEST(end_takes_everything_back_later_than_all)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_end(host, 105);
  metric_host_clear(host);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("106 " BAND("THUNK") " 0\nend " BAND("THUNK") "\n106 " SUM " 0\nend " SUM "\n--\n");
  ck_assert_uint_eq(metric_host_open_series(host), 0);
}
END_TEST

START_TEST(end_without_a_census_says_nothing)
{
  begin("");
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("");
}
END_TEST

START_TEST(empty_census_takes_back_and_sums_to_zero)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_end(host, 105);
  expect("100 " SUM " 0\n--\n");
}
END_TEST

START_TEST(biography_has_the_time_of_its_record)
{
  begin("");
  put_profile(host, 0, 6);
  put_number(host, 8, 7);
  put_number(host, 8, 40);
  send(host, EVP_HEAP_BIO_PROF_SAMPLE_BEGIN, 900, false);
  put_row(host, 901, 0, 0, "VOID");
  put_row(host, 901, 0, 3, "DRAG");
  put_end(host, 902);
  expect("40 ghc_heap_census_bytes{breakdown=biography,band=VOID} 0\n"
         "40 ghc_heap_census_bytes{breakdown=biography,band=DRAG} 3\n"
         "40 ghc_heap_profiled_bytes{breakdown=biography} 3\n--\n");
  metric_host_clear(host);
  metric_host_end(host);
  ck_assert_ptr_nonnull(
    strstr(metric_host_output(host), "903 ghc_heap_census_bytes{breakdown=biography,band=DRAG} 0\n"));
}
END_TEST

START_TEST(rows_outside_of_a_census_are_counted)
{
  begin("");
  put_row(host, 10, 0, 8, "THUNK");
  put_end(host, 11);
  put_row(host, 12, 0, 8, "THUNK");
  expect("drop 1 outside_census\ninfo rows of a heap census whose begin was not seen are left out\n"
         "drop 1 outside_census\n");
}
END_TEST

START_TEST(begin_within_a_census_completes_it)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_begin(host, 200);
  expect("100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n");
  put_row(host, 201, 0, 9, "THUNK");
  put_end(host, 202);
  put_end(host, 203); /* of the outer one, if they were nested: nothing is left of it */
  expect("100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n200 " BAND("THUNK") " 9\n200 " SUM " 9\n--\n");
}
END_TEST

START_TEST(census_cut_by_the_end_is_shown_and_said)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 101, 0, 8, "FUN");
  put_end(host, 102);
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 201, 0, 9, "THUNK");
  metric_host_end(host);
  const char *output = metric_host_output(host);
  ck_assert_ptr_eq(strstr(output, "warn the stream ended within a heap census"), output);
  ck_assert_ptr_nonnull(strstr(output, "200 " BAND("THUNK") " 9\n200 " SUM " 9\n--\n"));
  ck_assert_ptr_null(strstr(output, "200 " BAND("FUN") " 0")); /* nobody knows */
  ck_assert_ptr_nonnull(strstr(output, "202 " BAND("FUN") " 0\n"));
}
END_TEST

/* ------------------------------------------------------------------------------- GHC 8.2 to 8.8: no SAMPLE_END */

static void begin_old(const char *options)
{
  begin(options);
  metric_host_declare(host, EVP_HEAP_PROF_SAMPLE_BEGIN);
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
}

#define OLD_CENSUS "100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n"

START_TEST(old_census_ends_with_the_next)
{
  begin_old("");
  put_begin(host, 200);
  expect(OLD_CENSUS);
}
END_TEST

START_TEST(old_census_ends_with_another_global_record)
{
  begin_old("");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, 3, false); /* of a capability: says nothing */
  expect("");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, EVP_NO_CAP, false);
  expect(OLD_CENSUS);
}
END_TEST

START_TEST(old_census_is_complete_at_the_end)
{
  begin_old("");
  metric_host_end(host);
  ck_assert_ptr_eq(strstr(metric_host_output(host), OLD_CENSUS), metric_host_output(host));
}
END_TEST

START_TEST(new_census_goes_on_behind_another_global_record)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, EVP_NO_CAP, false);
  put_row(host, 111, 0, 2, "THUNK");
  put_end(host, 112);
  expect("100 " BAND("THUNK") " 10\n100 " SUM " 10\n--\n");
}
END_TEST

/* -------------------------------------------------------------------------------------------------- many bands */

START_TEST(top_keeps_the_largest)
{
  begin("top=2");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 5, "a");
  put_row(host, 101, 0, 9, "b");
  put_row(host, 101, 0, 7, "c");
  put_row(host, 101, 0, 1, "d");
  put_end(host, 102);
  expect("100 " BAND("b") " 9\n100 " BAND("c") " 7\n100 " BAND("(other)") " 6\n100 " SUM " 22\n--\n");
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 201, 0, 50, "a");
  put_row(host, 201, 0, 9, "b");
  put_end(host, 202);
  expect("200 " BAND("a") " 50\n200 " BAND("b") " 9\n200 " BAND("c") " 0\nend " BAND("c") "\n200 " BAND(
    "(other)") " 0\nend " BAND("(other)") "\n200 " SUM " 59\n--\n");
}
END_TEST

START_TEST(top_takes_the_first_by_name_of_equal_ones)
{
  begin("top=2");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  for (const char *label = "dbca"; *label; label++) put_row(host, 101, 0, 5, (char[]){*label, 0});
  put_end(host, 102);
  expect("100 " BAND("b") " 5\n100 " BAND("a") " 5\n100 " BAND("(other)") " 10\n100 " SUM " 20\n--\n");
}
END_TEST

START_TEST(top_is_right_for_any_order)
{
  for (unsigned seed = 1; seed <= 20; seed++) {
    begin("top=7");
    put_profile(host, 0, 7);
    put_begin(host, 100);
    unsigned step = 2 * seed + 1; /* odd: a permutation of 0 ... 255 */
    for (unsigned i = 0; i < 256; i++) {
      char label[16];
      unsigned size = (i * step + seed) % 256;
      snprintf(label, sizeof label, "band%u", size);
      put_row(host, 101, 0, size, label);
    }
    put_end(host, 102);
    for (unsigned size = 249; size < 256; size++) {
      char line[100];
      snprintf(line, sizeof line, "100 " BAND("band%u") " %u\n", size, size);
      ck_assert_ptr_nonnull(strstr(metric_host_output(host), line));
    }
    ck_assert_ptr_nonnull(strstr(metric_host_output(host), "100 " BAND("(other)") " 30876\n")); /* 0 + ... + 248 */
    teardown();
  }
}
END_TEST

/* Labels of every length at which comparing them goes another way, three of each that differ in one byte, in two profiles. */
enum { LABELS = 3 * 31, PROFILES = 2, LONGEST = 70 };
static char labels[LABELS][LONGEST + 1];

static void make_labels(uint32_t *random)
{
  static const unsigned char lengths[LABELS / 3] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 25, 31, 32, 33, 34,
    39, 40, 41, 47, 48, 49, 50, 56, 63, 64, 65, LONGEST};
  for (unsigned i = 0; i < LABELS; i++) {
    unsigned length = lengths[i / 3];
    memset(labels[i], 'a', length);
    if (i % 3) labels[i][next_random(random) % length] = i % 3 == 1 ? 'b' : 'c';
  }
}

/* Mostly in the order of the census before; some are missing, some come twice, and now and then it begins elsewhere. */
static void put_some_rows(uint32_t *random, uint64_t time, uint64_t (*sums)[LABELS])
{
  unsigned shift = next_random(random) % 4 ? 0 : next_random(random);
  unsigned missing = 2 + next_random(random) % 20;
  for (unsigned i = 0; i < LABELS * PROFILES; i++) {
    unsigned number = (i + shift) % (LABELS * PROFILES), profile = number % PROFILES, label = number / PROFILES;
    unsigned rows = next_random(random) % missing == 0 ? 0 : 1 + (next_random(random) % 16 == 0);
    for (; rows > 0; rows--) {
      unsigned bytes = 1 + next_random(random) % 1000;
      sums[profile][label] += bytes;
      put_row(host, time, (uint8_t)profile, bytes, labels[label]);
    }
  }
}

static void expect_sums(uint64_t time, uint64_t (*sums)[LABELS], bool (*shown)[LABELS])
{
  static const char *const breakdowns[PROFILES] = {"closure_type", "module"};
  for (unsigned i = 0; i < LABELS * PROFILES; i++) {
    unsigned profile = i % PROFILES, label = i / PROFILES;
    char line[200];
    snprintf(line, sizeof line, "%llu ghc_heap_census_bytes{breakdown=%s,band=%s} %llu\n", (unsigned long long)time,
      breakdowns[profile], labels[label], (unsigned long long)sums[profile][label]);
    bool told = strstr(metric_host_output(host), line) != NULL;
    ck_assert_msg(told == (sums[profile][label] || shown[profile][label]), "%s", line);
    shown[profile][label] = sums[profile][label] > 0;
  }
}

START_TEST(rows_are_told_apart_whatever_is_missing)
{
  uint32_t random = (uint32_t)_i + 1;
  bool shown[PROFILES][LABELS] = {{false}};
  make_labels(&random);
  begin("");
  put_profile(host, 0, 7);
  put_profile(host, 1, 2);
  for (uint64_t time = 100; time < 1100; time += 100) {
    uint64_t sums[PROFILES][LABELS] = {{0}};
    metric_host_clear(host);
    put_begin(host, time);
    put_some_rows(&random, time, sums);
    put_end(host, time);
    expect_sums(time, sums, shown);
  }
}
END_TEST

START_TEST(bands_beyond_the_bound_are_added_up_and_counted)
{
  begin("max_bands=2");
  put_profile(host, 0, 7);
  for (uint64_t time = 100; time <= 200; time += 100) {
    metric_host_clear(host);
    put_begin(host, time);
    put_row(host, time + 1, 0, 1, "a");
    put_row(host, time + 1, 0, 2, "b");
    put_row(host, time + 1, 0, 3, "c");
    put_row(host, time + 1, 0, 4, "d");
    put_end(host, time + 2);
  }
  expect("200 " BAND("a") " 1\n200 " BAND("b") " 2\n200 " BAND("(other)") " 7\n200 " SUM " 10\n--\n"
                                                                          "drop 2 max_bands\n");
}
END_TEST

START_TEST(bands_not_seen_for_long_are_forgotten)
{
  begin("");
  put_profile(host, 0, 7);
  uint64_t time = 100;
  put_begin(host, time);
  put_row(host, time, 0, 8, "old");
  put_row(host, time, 0, 8, "kept");
  put_end(host, time);
  for (int i = 0; i < 100; i++) {
    time += 100;
    put_begin(host, time);
    put_row(host, time, 0, 9, "kept");
    put_end(host, time);
  }
  ck_assert_ptr_nonnull(strstr(metric_host_output(host), "end " BAND("old") "\n"));
  metric_host_clear(host);
  put_begin(host, 90000);
  put_row(host, 90000, 0, 9, "kept");
  put_row(host, 90000, 0, 7, "old");
  put_end(host, 90000);
  expect("90000 " BAND("kept") " 9\n90000 " BAND("old") " 7\n90000 " SUM " 16\n--\n");
}
END_TEST

START_TEST(churning_labels_do_not_pile_up)
{
  begin("max_bands=1000");
  metric_host_count_only(host);
  put_profile(host, 0, 7);
  for (unsigned census = 0; census < 400; census++) {
    put_begin(host, 100 * census);
    for (unsigned i = 0; i < 100; i++) {
      char label[32];
      snprintf(label, sizeof label, "census %u band %u", census, i);
      put_row(host, 100 * census + 1, 0, 8, label);
    }
    put_end(host, 100 * census + 2);
    ck_assert_uint_le(metric_host_open_series(host), 1100);
  }
  expect(""); /* nothing was dropped for it */
}
END_TEST

START_TEST(many_bands_are_warned_of_once)
{
  begin("");
  put_profile(host, 0, 7);
  metric_host_count_only(host);
  for (unsigned census = 1; census <= 3; census++) {
    put_begin(host, 100 * census);
    for (unsigned i = 0; i < 100000; i++) {
      char label[32];
      snprintf(label, sizeof label, "band %u", i);
      put_row(host, 100 * census + 1, 0, 8, label);
    }
    put_end(host, 100 * census + 2);
  }
  ck_assert_uint_eq(metric_host_metrics(host), 3 * 100001);
  expect("warn a heap census has 100000 bands, each a time series of its own: `top: 50` keeps the largest\n");
}
END_TEST

int main(void)
{
  const TTest *const all[] = {census_is_one_group_at_its_begin, equal_labels_are_added_up,
    vanished_band_is_taken_back_once, end_takes_everything_back_later_than_all, end_without_a_census_says_nothing,
    empty_census_takes_back_and_sums_to_zero, biography_has_the_time_of_its_record,
    rows_outside_of_a_census_are_counted, begin_within_a_census_completes_it, census_cut_by_the_end_is_shown_and_said,
    old_census_ends_with_the_next, old_census_ends_with_another_global_record, old_census_is_complete_at_the_end,
    new_census_goes_on_behind_another_global_record, top_keeps_the_largest, top_takes_the_first_by_name_of_equal_ones,
    top_is_right_for_any_order, bands_beyond_the_bound_are_added_up_and_counted, bands_not_seen_for_long_are_forgotten,
    churning_labels_do_not_pile_up, many_bands_are_warned_of_once};
  TCase *tests = heap_tests(all, sizeof all / sizeof *all);
  tcase_add_loop_test(tests, rows_are_told_apart_whatever_is_missing, 0, 5);
  return check_main("heap: censuses", tests);
}
