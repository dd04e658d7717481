/* The filter `gc`: pairing in every order, what is not whole, what is damaged, and noise. */
#include "../metric_host.h"
#include "check_main.h"
#include "next_random.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

static struct metric_host *host;

static void begin(void)
{
  host = metric_host_new("", NULL);
  ck_assert_ptr_nonnull(host);
}

/* A program before GHC 7.6: no GC_STATS_GHC. */
static void begin_old(uint16_t capabilities)
{
  begin();
  metric_host_declare(host, EVP_GC_START);
  metric_host_put_number(host, 2, capabilities);
  metric_host_event(host, EVP_STARTUP, 0, EVP_NO_CAP, false);
}

static void teardown(void)
{
  if (host) metric_host_free(host);
  host = NULL;
}

static void send(uint16_t type, uint64_t time, uint16_t cap)
{
  ck_assert_int_eq(metric_host_event(host, type, time, cap, false), EVP_OK);
}

/* Slop and fragmentation are 3 and 4, threads 2. */
static void put_statistics(uint64_t time, uint16_t cap, uint16_t generation, uint64_t copied, uint64_t slop)
{
  metric_host_put_number(host, 4, 0);
  metric_host_put_number(host, 2, generation);
  metric_host_put_number(host, 8, copied);
  metric_host_put_number(host, 8, slop);
  metric_host_put_number(host, 8, 4);
  metric_host_put_number(host, 4, 2);
  for (int i = 0; i < 3; i++) metric_host_put_number(host, 8, 0);
  send(EVP_GC_STATS_GHC, time, cap);
}

static void statistics(uint64_t time, uint16_t cap, uint16_t generation)
{
  put_statistics(time, cap, generation, 100, 3);
}

#define expect(text) ck_assert_str_eq(metric_host_output(host), text)

/* What statistics() makes, as the n-th of its generation and the m-th of all. */
#define STATISTICS(time, generation, n, copied) \
  time " ghc_gc_total{generation=" generation "} " n "\n" time " ghc_gc_copied_bytes_total " copied "\n" time \
       " ghc_gc_slop_bytes 3\n" time " ghc_gc_fragmentation_bytes 4\n" time " ghc_gc_par_threads 2\n"
#define PAUSE(time, generation, rest) time " ghc_gc_pause_seconds{generation=" generation "} " rest "\n"

/* ------------------------------------------------------------------------------------------------------ pairing */

START_TEST(a_collection_as_ghc_writes_it)
{
  begin();
  send(EVP_REQUEST_PAR_GC, 90, 0);
  send(EVP_GC_START, 1000, 0);
  statistics(201100, 0, 0);
  send(EVP_GC_END, 201000, 0); /* its time is before that of the record in front of it */
  expect(STATISTICS("201100", "0", "1", "100") PAUSE("201000", "0", "count=1 sum=0.0002 <=0.00025:1"));
}
END_TEST

START_TEST(a_collection_sorted_by_time)
{
  begin();
  send(EVP_GC_START, 1000, 0);
  send(EVP_GC_END, 201000, 0);
  expect("");
  statistics(201100, 0, 0);
  expect(STATISTICS("201100", "0", "1", "100") PAUSE("201000", "0", "count=1 sum=0.0002 <=0.00025:1"));
}
END_TEST

START_TEST(helpers_are_not_counted)
{
  begin();
  for (int sorted = 0; sorted < 2; sorted++) {
    send(EVP_GC_START, 900, 1);
    send(EVP_GC_START, 1000, 0);
    send(EVP_GC_START, 1100, 2);
    if (sorted) send(EVP_GC_END, 2000, 0);
    statistics(2100, 0, 1);
    if (!sorted) send(EVP_GC_END, 2000, 0);
    send(EVP_GC_END, 2200, 1);
    send(EVP_GC_END, 2300, 2);
  }
  /* Now a helper leads. */
  send(EVP_GC_START, 3000, 0);
  send(EVP_GC_START, 3001, 1);
  send(EVP_GC_END, 4000, 0);
  statistics(4002, 1, 0);
  send(EVP_GC_END, 4001, 1);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect(STATISTICS("2100", "1", "1", "100") PAUSE("2000", "1", "count=1 sum=1e-06 <=0.0001:1") STATISTICS("2100", "1",
    "2", "200") PAUSE("2000", "1", "count=2 sum=2e-06 <=0.0001:2") STATISTICS("4002", "0", "1", "300") PAUSE("4001",
    "0", "count=1 sum=1e-06 <=0.0001:1") "4003 ghc_gc_slop_bytes 0\nend ghc_gc_slop_bytes\n"
                                         "4003 ghc_gc_fragmentation_bytes 0\nend ghc_gc_fragmentation_bytes\n"
                                         "4003 ghc_gc_par_threads 0\nend ghc_gc_par_threads\n");
}
END_TEST

START_TEST(buckets_are_closed_above)
{
  static const uint64_t pauses[] = {0, 100000, 100001, 2500000000, 2500000001, 9000000000};
  begin();
  for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
    send(EVP_GC_START, 20000000000 * i, 0);
    statistics(20000000000 * i + pauses[i], 0, 0);
    metric_host_clear(host);
    send(EVP_GC_END, 20000000000 * i + pauses[i], 0);
  }
  expect(PAUSE("109000000000", "0", "count=6 sum=14.000200002 <=0.0001:2 <=0.00025:1 <=2.5:1 >2.5:2"));
}
END_TEST

START_TEST(capabilities_that_come_late_do_not_turn_time_back)
{
  begin();
  send(EVP_GC_START, 8000, 0);
  statistics(9000, 0, 0);
  send(EVP_GC_END, 8999, 0);
  metric_host_clear(host);
  send(EVP_GC_START, 1000, 1);
  statistics(2000, 1, 0);
  send(EVP_GC_END, 1999, 1);
  expect("9000 ghc_gc_total{generation=0} 2\n9000 ghc_gc_copied_bytes_total 200\n2000 ghc_gc_slop_bytes 3\n"
         "2000 ghc_gc_fragmentation_bytes 4\n2000 ghc_gc_par_threads 2\n" PAUSE(
           "8999", "0", "count=2 sum=1.998e-06 <=0.0001:2"));
}
END_TEST

/* ------------------------------------------------------------------------------------------------ what is missing */

START_TEST(a_begin_that_was_not_seen)
{
  begin();
  send(EVP_GC_END, 50, 1); /* of a helper */
  statistics(100, 0, 0);
  send(EVP_GC_END, 99, 0);
  expect(STATISTICS("100", "0", "1", "100"));
  metric_host_clear(host);
  send(EVP_GC_START, 200, 1);
  expect("");
  send(EVP_GC_START, 200, 0);
  expect("drop 1 unpaired\ninfo collections whose begin or end was not seen are not among the pauses\n");
  metric_host_clear(host);
  statistics(300, 0, 0);
  send(EVP_GC_END, 299, 0);
  expect(STATISTICS("300", "0", "2", "200") PAUSE("299", "0", "count=1 sum=9.9e-08 <=0.0001:1"));
}
END_TEST

START_TEST(an_end_that_was_not_seen)
{
  begin();
  send(EVP_GC_START, 100, 0);
  statistics(200, 0, 0);
  send(EVP_GC_START, 300, 0);
  statistics(400, 0, 0);
  statistics(500, 0, 1); /* of one of which there was nothing else */
  metric_host_clear(host);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  ck_assert_ptr_eq(
    strstr(metric_host_output(host), "drop 1 unpaired\n501 ghc_gc_slop_bytes 0\n"), metric_host_output(host));
  ck_assert_ptr_null(strstr(metric_host_output(host), "pause"));
}
END_TEST

START_TEST(a_begin_that_nothing_follows)
{
  begin();
  send(EVP_GC_START, 100, 0);
  send(EVP_GC_START, 200, 0);
  send(EVP_GC_END, 300, 0);
  send(EVP_GC_END, 400, 0);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("");
}
END_TEST

START_TEST(a_time_that_runs_backwards)
{
  begin();
  send(EVP_GC_START, 300, 0);
  statistics(200, 0, 0);
  metric_host_clear(host);
  send(EVP_GC_END, 200, 0);
  expect("drop 1 unpaired\ninfo collections whose begin or end was not seen are not among the pauses\n");
}
END_TEST

/* ----------------------------------------------------------------------------------------------- before GHC 7.6 */

START_TEST(old_program_of_one_capability)
{
  begin_old(1);
  send(EVP_GC_START, 100, 0);
  send(EVP_GC_END, 200, 0);
  send(EVP_REQUEST_SEQ_GC, 210, 0);
  send(EVP_GC_START, 300, 0);
  send(EVP_GC_END, 400, 0);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("200 ghc_gc_total 1\n200 ghc_gc_pause_seconds count=1 sum=1e-07 <=0.0001:1\n"
         "400 ghc_gc_total 2\n400 ghc_gc_pause_seconds count=2 sum=2e-07 <=0.0001:2\n");
}
END_TEST

START_TEST(old_program_of_two_capabilities)
{
  begin_old(2);
  send(EVP_GC_START, 100, 1);
  send(EVP_GC_END, 200, 1);
  expect("");
  send(EVP_REQUEST_PAR_GC, 90, 0);
  send(EVP_GC_START, 100, 0);
  send(EVP_GC_END, 190, 0);
  send(EVP_GC_START, 300, 0); /* helps */
  send(EVP_GC_END, 400, 0);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("190 ghc_gc_total 1\n190 ghc_gc_pause_seconds count=1 sum=9e-08 <=0.0001:1\n");
}
END_TEST

/* -------------------------------------------------------------------------------------------------------- damage */

START_TEST(numbers_at_the_edges)
{
  begin();
  put_statistics(10, 0, 0, UINT64_MAX, (uint64_t)-117456);
  put_statistics(20, 0, 255, 7, 0);
  const char *output = metric_host_output(host);
  ck_assert_ptr_nonnull(strstr(output, "10 ghc_gc_copied_bytes_total 9223372036854775807\n"));
  ck_assert_ptr_nonnull(strstr(output, "10 ghc_gc_slop_bytes -117456\n"));
  ck_assert_ptr_nonnull(strstr(output, "20 ghc_gc_copied_bytes_total 9223372036854775807\n"));
  ck_assert_ptr_nonnull(strstr(output, "20 ghc_gc_total{generation=255} 1\n"));
}
END_TEST

START_TEST(damaged_records_are_counted)
{
  begin();
  put_statistics(10, 0, 256, 1, 1);
  send(EVP_GC_START, 11, 1024);
  send(EVP_GC_END, 11, EVP_NO_CAP);
  metric_host_put_number(host, 4, 0);
  send(EVP_GC_STATS_GHC, 12, 0);
  send(EVP_STARTUP, 13, EVP_NO_CAP);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("drop 1 generation\ndrop 1 capability\ndrop 1 capability\ndrop 1 malformed\ndrop 1 malformed\n");
}
END_TEST

START_TEST(only_collections_are_wanted)
{
  begin();
  uint32_t n = 0;
  for (uint32_t type = 0; type < 65536; type++) n += metric_host_wants(host, (uint16_t)type);
  ck_assert_uint_eq(n, 6);
}
END_TEST

START_TEST(noise_is_survived)
{
  static const uint16_t types[] = {EVP_GC_START, EVP_GC_START, EVP_GC_END, EVP_GC_END, EVP_REQUEST_PAR_GC, EVP_STARTUP};
  if (_i % 2)
    begin_old(2);
  else
    begin();
  metric_host_count_only(host);
  uint32_t random = (uint32_t)_i + 1;
  for (int i = 0; i < 100000; i++) {
    uint64_t time = next_random(&random);
    uint16_t cap = next_random(&random) % 100 ? next_random(&random) % 4 : (uint16_t)next_random(&random);
    if (next_random(&random) % 3 == 0) {
      uint32_t generation = next_random(&random) % 100 ? next_random(&random) % 3 : next_random(&random);
      put_statistics(time, cap, (uint16_t)generation, (uint64_t)next_random(&random) << 40, time);
      continue;
    }
    for (uint32_t left = next_random(&random) % 4; left > 0; left--) metric_host_put_number(host, 1, 0);
    send(types[next_random(&random) % (sizeof types / sizeof *types)], time, cap);
    if (i % 1000 == 0) metric_host_clear(host);
  }
  ck_assert_uint_gt(metric_host_metrics(host), 1000);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
}
END_TEST

int main(void)
{
  const TTest *const all[] = {a_collection_as_ghc_writes_it, a_collection_sorted_by_time, helpers_are_not_counted,
    buckets_are_closed_above, capabilities_that_come_late_do_not_turn_time_back, a_begin_that_was_not_seen,
    an_end_that_was_not_seen, a_begin_that_nothing_follows, a_time_that_runs_backwards, old_program_of_one_capability,
    old_program_of_two_capabilities, numbers_at_the_edges, damaged_records_are_counted, only_collections_are_wanted};
  TCase *tests = tcase_create("filter");
  tcase_add_checked_fixture(tests, NULL, teardown);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tcase_add_test(tests, all[i]);
  tcase_add_loop_test(tests, noise_is_survived, 0, 4);
  return check_main("gc", tests);
}
