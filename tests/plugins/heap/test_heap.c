/* The filter `heap`: labels, sizes, the program, what is malformed, and noise. */
#include "heap_test.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- labels */

static char *label_of(const void *raw, size_t size)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_number(host, 1, 0);
  put_number(host, 8, 8);
  metric_host_put_bytes(host, raw, size);
  metric_host_put_bytes(host, "", 1);
  send(host, EVP_HEAP_PROF_SAMPLE_STRING, 101, true);
  put_end(host, 102);
  static const char before[] = "100 ghc_heap_census_bytes{breakdown=closure_type,band=";
  const char *output = metric_host_output(host);
  ck_assert_ptr_eq(strstr(output, before), output);
  char *label = strdup(output + sizeof before - 1);
  *strstr(label, "} 8\n") = '\0';
  teardown();
  return label;
}

static void expect_label(const void *raw, size_t size, const char *label)
{
  char *made = label_of(raw, size);
  ck_assert_str_eq(made, label);
  free(made);
}

START_TEST(odd_labels_are_made_good)
{
  expect_label("", 0, "(empty)");
  expect_label("a\nb\x7f\x1b", 5,
    "a\xef\xbf\xbd"
    "b\xef\xbf\xbd\xef\xbf\xbd");
  expect_label("\xff\xc3\xa9\xc3", 4, "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
  expect_label("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(long_labels_are_cut_with_a_hash)
{
  char raw[65000];
  memset(raw, 'x', sizeof raw);
  char *whole = label_of(raw, 1024);
  ck_assert_uint_eq(strlen(whole), 1024);
  ck_assert_uint_eq(strspn(whole, "x"), 1024);
  char *one = label_of(raw, sizeof raw);
  char *other = label_of(raw, sizeof raw - 1);
  ck_assert_uint_eq(strlen(one), 1024);
  ck_assert_uint_eq(strspn(one, "x"), 1007);
  ck_assert_int_eq(one[1007], '#');
  ck_assert_str_ne(one, other);
  memcpy(raw + 1006, "\xc3\xa9", 2);
  char *accent = label_of(raw, sizeof raw);
  ck_assert_uint_eq(strlen(accent), 1023);
  free(whole);
  free(one);
  free(other);
  free(accent);
}
END_TEST

START_TEST(labels_that_become_equal_are_one_band)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "\xff");
  put_row(host, 101, 0, 9, "\xfe");
  put_end(host, 102);
  expect("100 " BAND("\xef\xbf\xbd") " 17\n100 " SUM " 17\n--\n");
}
END_TEST

/* ------------------------------------------------------------------------------------------- sizes, the program */

START_TEST(sizes_become_gauges)
{
  begin("");
  put_number(host, 4, 0);
  put_number(host, 8, 1048576);
  metric_host_event(host, EVP_HEAP_SIZE, 10, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 4711);
  metric_host_event(host, EVP_HEAP_LIVE, 11, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 4096);
  metric_host_event(host, EVP_BLOCKS_SIZE, 12, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 99);
  metric_host_event(host, EVP_HEAP_ALLOCATED, 13, 3, false);
  for (uint64_t i = 0; i < 4; i++) put_number(host, 4, i);
  metric_host_event(host, EVP_MEM_RETURN, 14, 0, false);
  expect("10 ghc_heap_size_bytes 1048576\n11 ghc_heap_live_bytes 4711\n12 ghc_heap_blocks_bytes 4096\n"
         "13 ghc_heap_allocated_bytes_total{capability=3} 99\n14 ghc_memory_current_mblocks 1\n"
         "14 ghc_memory_needed_mblocks 2\n14 ghc_memory_returned_mblocks 3\n");
}
END_TEST

START_TEST(program_is_told_when_all_is_known)
{
  begin("");
  metric_host_facts(host, "oddball", 0, NULL);
  put_end(host, 10);
  expect("");
  metric_host_facts(host, "oddball", 4711, "GHC-9.6.6 rts_thr");
  put_end(host, 20);
  expect("20 ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr} 1\n");
  metric_host_clear(host);
  put_end(host, 30);
  expect("");
  metric_host_end(host);
  expect("32 ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr} 0\n"
         "end ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr}\n");
}
END_TEST

START_TEST(program_is_told_in_part_after_a_while)
{
  begin("");
  metric_host_facts(host, NULL, 0, "GHC-9.0.2 rts_thr");
  put_end(host, 10);
  put_end(host, 5000000009);
  expect("");
  put_end(host, 5000000010);
  expect("5000000010 ghc_program_info{rts=GHC-9.0.2 rts_thr} 1\n");
}
END_TEST

START_TEST(malformed_records_are_counted)
{
  begin("");
  put_begin(host, 100);
  for (size_t size = 0; size < 10; size++) {
    metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff", size);
    send(host, EVP_HEAP_PROF_SAMPLE_STRING, 101, true);
    metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff", size);
    send(host, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, 101, true);
  }
  metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff\0\0\0", 13); /* depth 255, three bytes of ids */
  send(host, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, 101, true);
  static const uint16_t types[] = {EVP_HEAP_PROF_BEGIN, EVP_HEAP_PROF_COST_CENTRE, EVP_IPE, EVP_PROGRAM_ARGS};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) send(host, types[i], 101, true);
  send(host, EVP_HEAP_SIZE, 101, false);
  const char *output = metric_host_output(host);
  size_t lines = 0;
  for (; strncmp(output, "drop 1 malformed\n", 17) == 0; output += 17) lines++;
  ck_assert_str_eq(output, "");
  ck_assert_uint_eq(lines, 26);
}
END_TEST

START_TEST(bad_options_are_refused)
{
  char *said = NULL;
  ck_assert_ptr_null(metric_host_new("top=-1", &said));
  ck_assert_ptr_eq(strstr(said, "option top: "), said);
  free(said);
  ck_assert_ptr_null(metric_host_new("max_bands=0", &said));
  ck_assert_ptr_eq(strstr(said, "option max_bands: "), said);
  free(said);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------- noise */

/* Few distinct bytes, so that ids are defined, strings end and labels meet again. */
static void send_at_random(uint32_t *random, uint64_t time)
{
  static const uint16_t types[] = {EVP_HEAP_PROF_BEGIN, EVP_HEAP_PROF_COST_CENTRE, EVP_HEAP_PROF_SAMPLE_BEGIN,
    EVP_HEAP_PROF_SAMPLE_COST_CENTRE, EVP_HEAP_PROF_SAMPLE_STRING, EVP_HEAP_PROF_SAMPLE_STRING,
    EVP_HEAP_PROF_SAMPLE_STRING, EVP_HEAP_PROF_SAMPLE_END, EVP_HEAP_BIO_PROF_SAMPLE_BEGIN, EVP_IPE, EVP_PROGRAM_ARGS,
    EVP_CAP_CREATE, EVP_HEAP_ALLOCATED, EVP_MEM_RETURN};
  static const uint8_t bytes[] = {0, 0, 0, 0, 1, 2, 8, 'h', 'T', '+', '-', ':', 'x', '0', 0xff, 0xc3};
  for (uint32_t left = next_random(random) % (next_random(random) % 10 ? 40 : 3000); left > 0; left--)
    put_number(host, 1, bytes[next_random(random) % sizeof bytes]);
  uint16_t type = types[next_random(random) % (sizeof types / sizeof *types)];
  uint16_t cap = next_random(random) % 4 ? EVP_NO_CAP : (uint16_t)next_random(random);
  ck_assert_int_eq(metric_host_event(host, type, time, cap, next_random(random) % 8 != 0), EVP_OK);
}

START_TEST(noise_is_survived)
{
  static const char *const options[] = {"", "top=3", "max_bands=5", "top=2 max_bands=1 addresses=true",
    "breakdown=info_table info_tables.max_size=1KiB", "breakdown=cost_centre"};
  begin(options[_i]);
  if (_i % 2) metric_host_declare(host, EVP_HEAP_PROF_SAMPLE_BEGIN);
  metric_host_count_only(host);
  uint32_t random = (uint32_t)_i + 1;
  const uint64_t events = SANITIZED ? 30000 : 100000;
  for (uint64_t time = 0; time < events; time++) {
    send_at_random(&random, time);
    if (time % 1000 == 0) metric_host_clear(host);
  }
  ck_assert_uint_gt(metric_host_metrics(host), events / 10);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
}
END_TEST

int main(void)
{
  const TTest *const all[] = {odd_labels_are_made_good, long_labels_are_cut_with_a_hash,
    labels_that_become_equal_are_one_band, sizes_become_gauges, program_is_told_when_all_is_known,
    program_is_told_in_part_after_a_while, malformed_records_are_counted, bad_options_are_refused};
  TCase *tests = heap_tests(all, sizeof all / sizeof *all);
  tcase_add_loop_test(tests, noise_is_survived, 0, 6);
  return check_main("heap", tests);
}
