/* Filter select: what passes, and what its options are told to be wrong. */
#include "check_main.h"
#include "fake_host.h"

#include <evpipe/events.h>
#include <stdio.h>
#include <stdlib.h>

static struct fake_filter *new_select(const char *key, const char *const *items, size_t n)
{
  struct fake_filter *select = fake_filter_new(&evp_plugin_entry, NULL);
  if (key) fake_filter_strings(select, key, items, n);
  return select;
}

#define LIST(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void add_thread_event(struct fake_log *log, uint16_t type, uint16_t cap, uint8_t thread)
{
  uint8_t payload[10] = {0, 0, 0, thread};
  fake_log_add(log, log->n, type, cap, 0, payload, type == EVP_STOP_THREAD ? 10 : 4);
}

static void add_text(struct fake_log *log, uint16_t type, uint16_t cap, const char *text)
{
  fake_log_add(log, log->n, type, cap, EVP_EVENT_VARIABLE, text, (uint16_t)strlen(text));
}

/* The places of the events that pass, "0 3 4", by batches of two. */
static const char *passed(struct fake_filter *select, const struct fake_log *log)
{
  static char places[1024];
  ck_assert_int_eq(fake_filter_create(select), EVP_OK);
  for (size_t from = 0; from < log->n; from += 2)
    fake_filter_select(select, log, from, from + 2 < log->n ? from + 2 : log->n);
  size_t size = 0;
  places[0] = 0;
  for (size_t i = 0; i < select->output->n; i++)
    size += (size_t)snprintf(
      places + size, sizeof places - size, "%s%u", i ? " " : "", (unsigned)select->output->events[i].time);
  fake_filter_free(select);
  return places;
}

static struct fake_log *log_of_types(void)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  const uint16_t types[] = {EVP_HEAP_LIVE, EVP_HEAP_SIZE, EVP_USER_MARKER, EVP_GC_START, 300, EVP_HEAP_PROF_BEGIN};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    fake_log_add(log, i, types[i], i == 5 ? EVP_NO_CAP : (uint16_t)(i % 4), 0, "", 0);
  return log;
}

START_TEST(test_events)
{
  struct fake_log *log = log_of_types();
  ck_assert_str_eq(passed(new_select(NULL, NULL, 0), log), "0 1 2 3 4 5");
  ck_assert_str_eq(passed(new_select("events", LIST("*")), log), "0 1 2 3 4 5");
  ck_assert_str_eq(passed(new_select("events", LIST("HEAP_*")), log), "0 1 5");
  ck_assert_str_eq(passed(new_select("events", LIST("heap_l?ve", "USER_MARKER")), log), "0 2");
  ck_assert_str_eq(passed(new_select("events", LIST("9", "290-310")), log), "3 4");
  fake_log_free(log);
}
END_TEST

START_TEST(test_capabilities)
{
  struct fake_log *log = log_of_types();
  ck_assert_str_eq(passed(new_select("capabilities", LIST("0")), log), "0 4");
  ck_assert_str_eq(passed(new_select("capabilities", LIST("none", "1-2")), log), "1 2 5");
  fake_log_free(log);
}
END_TEST

START_TEST(test_threads)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  add_thread_event(log, EVP_CREATE_THREAD, 0, 5);
  add_thread_event(log, EVP_RUN_THREAD, 0, 5);
  add_thread_event(log, EVP_RUN_THREAD, 1, 6);
  add_text(log, EVP_USER_MSG, 0, "of 5");
  add_text(log, EVP_USER_MSG, 1, "of 6");
  add_thread_event(log, EVP_CREATE_THREAD, 1, 5); /* about 5, by 6 */
  add_thread_event(log, EVP_STOP_THREAD, 0, 5);
  add_text(log, EVP_USER_MSG, 0, "of nobody");
  add_text(log, EVP_USER_MSG, EVP_NO_CAP, "of no capability");
  fake_log_add(log, log->n, EVP_RUN_THREAD, 0, EVP_EVENT_MALFORMED, "", 0); /* is nobody's */
  add_text(log, EVP_USER_MSG, 0, "of nobody known");
  ck_assert_str_eq(passed(new_select("threads", LIST("5")), log), "0 1 3 5 6");
  ck_assert_str_eq(passed(new_select("threads", LIST("6-9")), log), "2 4 5");
  fake_log_free(log);
}
END_TEST

START_TEST(test_between)
{
  struct fake_log *log = fake_log_new(NULL, 0, 0);
  const char *markers[] = {"end", "begin", "x", "begin", "end", "x", "begin", "x"};
  for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) add_text(log, EVP_USER_MARKER, 0, markers[i]);
  add_text(log, EVP_USER_MSG, 0, "end"); /* no marker */
  ck_assert_str_eq(passed(new_select("between", LIST("begin", "end")), log), "1 2 3 4 6 7 8");
  ck_assert_str_eq(passed(new_select("between", LIST("x", "x")), log), "2 3 4 5 7 8");
  fake_log_free(log);
}
END_TEST

START_TEST(test_all_must_hold)
{
  struct fake_log *log = log_of_types();
  struct fake_filter *select = new_select("events", LIST("HEAP_*"));
  fake_filter_strings(select, "capabilities", LIST("1", "none"));
  ck_assert_str_eq(passed(select, log), "1 5");
  fake_log_free(log);
}
END_TEST

START_TEST(test_what_it_wants)
{
  struct fake_filter *by_type = new_select("events", LIST("HEAP_*")),
                     *by_marker = new_select("between", LIST("a", "b")), *by_thread = new_select("threads", LIST("1"));
  fake_filter_create(by_type), fake_filter_create(by_marker), fake_filter_create(by_thread);
  ck_assert_uint_eq(by_type->n_wanted, 0);
  ck_assert_uint_eq(by_marker->n_wanted, 1);
  ck_assert_uint_eq(by_marker->wanted[0], EVP_USER_MARKER);
  ck_assert_uint_eq(by_thread->n_wanted, 2);
  fake_filter_free(by_type), fake_filter_free(by_marker), fake_filter_free(by_thread);
}
END_TEST

static void check_error(struct fake_filter *select, const char *expected)
{
  ck_assert_int_eq(fake_filter_create(select), EVP_ERROR);
  ck_assert_str_eq(select->option_error, expected);
  fake_filter_free(select);
}

START_TEST(test_wrong_options)
{
  check_error(
    new_select("events", LIST("HEAP_LIV")), "events: no event is called 'HEAP_LIV'; did you mean 'HEAP_LIVE'?");
  check_error(
    new_select("events", LIST("GC_*", "HAEP_*")), "events: no event is called 'HAEP_*'; did you mean 'HEAP_*'?");
  check_error(
    new_select("events", LIST("user_makrer")), "events: no event is called 'user_makrer'; did you mean 'USER_MARKER'?");
  check_error(new_select("events", LIST("quantum*")),
    "events: no event is called 'quantum*'; docs/events.md lists them; a number is taken, too");
  check_error(new_select("events", LIST("65536")),
    "events: no event is called '65536'; docs/events.md lists them; a number is taken, too");
  check_error(
    new_select("events", LIST("")), "events: no event is called ''; docs/events.md lists them; a number is taken, too");
  check_error(new_select("capabilities", LIST("0", "3-1")),
    "capabilities: '3-1' is neither a number nor a range such as 0-3 nor 'none'");
  check_error(new_select("threads", LIST("none")), "threads: 'none' is neither a number nor a range such as 0-3");
  check_error(
    new_select("threads", LIST("4294967296")), "threads: '4294967296' is neither a number nor a range such as 0-3");
  check_error(new_select("between", LIST("a")), "between: takes two markers, [FIRST, LAST]; there is 1");
  check_error(new_select("between", LIST("a", "b", "c")), "between: takes two markers, [FIRST, LAST]; there are 3");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("select");
  tcase_add_test(tests, test_events);
  tcase_add_test(tests, test_capabilities);
  tcase_add_test(tests, test_threads);
  tcase_add_test(tests, test_between);
  tcase_add_test(tests, test_all_must_hold);
  tcase_add_test(tests, test_what_it_wants);
  tcase_add_test(tests, test_wrong_options);
  return check_main("select", tests);
}
