/* The filter `logs`, whole, in a small host: what comes out for which events. */
#include "../metric_host.h"
#include "check_main.h"
#include "escape.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

static struct metric_host *host;

static void begin(const char *options)
{
  host = metric_host_new(options, NULL);
  ck_assert_ptr_nonnull(host);
}

static void teardown(void)
{
  if (host) metric_host_free(host);
  host = NULL;
}

#define expect(text) ck_assert_str_eq(metric_host_output(host), text)

static void say(uint16_t type, uint64_t time, uint16_t cap, const char *text)
{
  metric_host_put_bytes(host, text, strlen(text));
  metric_host_event(host, type, time, cap, true);
}

static void run(uint64_t time, uint16_t cap, uint32_t thread)
{
  metric_host_put_number(host, 4, thread);
  metric_host_event(host, EVP_RUN_THREAD, time, cap, false);
}

START_TEST(each_kind_has_its_name)
{
  begin("");
  say(EVP_USER_MSG, 10, 0, "hello");
  say(EVP_USER_MARKER, 11, 1, "here");
  say(EVP_LOG_MSG, 12, EVP_NO_CAP, "cap 0: created\n");
  metric_host_put_number(host, 4, 7);
  say(EVP_THREAD_LABEL, 13, 0, "w\xc3\xb6rker");
  say(EVP_USER_BINARY_MSG, 14, 0, "\x01");
  expect("10 user_message debug cap=0 \"hello\"\n"
         "11 user_marker trace cap=1 \"here\"\n"
         "12 rts_log debug \"cap 0: created\"\n"
         "13 thread_label trace cap=0 thread=7 \"w\xc3\xb6rker\"\n");
}
END_TEST

START_TEST(only_what_is_asked_for_is_read)
{
  begin("messages=false rts=false labels=false");
  ck_assert(!metric_host_wants(host, EVP_USER_MSG));
  ck_assert(!metric_host_wants(host, EVP_LOG_MSG));
  ck_assert(!metric_host_wants(host, EVP_THREAD_LABEL));
  ck_assert(!metric_host_wants(host, EVP_RUN_THREAD));
  ck_assert(metric_host_wants(host, EVP_USER_MARKER));
}
END_TEST

START_TEST(nothing_left_is_an_error)
{
  char *said = NULL;
  ck_assert_ptr_null(metric_host_new("messages=false markers=false labels=false rts=false", &said));
  ck_assert_ptr_eq(strstr(said, "option messages: "), said);
  free(said);
}
END_TEST

START_TEST(thread_is_the_one_that_runs)
{
  begin("threads=true");
  say(EVP_USER_MSG, 1, 0, "nobody");
  run(2, 0, 7);
  run(3, 1, 8);
  say(EVP_USER_MSG, 4, 0, "seven");
  say(EVP_USER_MSG, 5, 1, "eight");
  metric_host_put_number(host, 4, 7);
  metric_host_put_number(host, 2, 3);
  metric_host_put_number(host, 4, 0);
  metric_host_event(host, EVP_STOP_THREAD, 6, 0, false);
  say(EVP_USER_MSG, 7, 0, "stopped");
  say(EVP_USER_MSG, 8, 1, "eight");
  run(9, 60000, 9);
  say(EVP_USER_MSG, 10, 60000, "too many");
  expect("1 user_message debug cap=0 \"nobody\"\n"
         "4 user_message debug cap=0 thread=7 \"seven\"\n"
         "5 user_message debug cap=1 thread=8 \"eight\"\n"
         "7 user_message debug cap=0 \"stopped\"\n"
         "8 user_message debug cap=1 thread=8 \"eight\"\n"
         "10 user_message debug cap=60000 \"too many\"\n");
}
END_TEST

START_TEST(body_is_text)
{
  begin("");
  say(EVP_USER_MSG, 1, 0, "");
  say(EVP_USER_MSG, 2, 0, "a\nb\xff");
  metric_host_put_bytes(host, "x\0y", 3);
  metric_host_event(host, EVP_USER_MSG, 3, 0, true);
  metric_host_put_bytes(host, "cut\n\0", 5);
  metric_host_event(host, EVP_LOG_MSG, 4, 0, true);
  static const char before[] = "1 user_message debug cap=0 \"\"\n2 user_message debug cap=0 \"a\nb\xef\xbf\xbd\"\n"
                               "3 user_message debug cap=0 \"x";
  const char *output = metric_host_output(host);
  ck_assert_int_eq(strncmp(output, before, sizeof before - 1), 0);
  ck_assert_str_eq(output + sizeof before, "y\"\n4 rts_log debug cap=0 \"cut\"\n");
}
END_TEST

START_TEST(body_is_cut_at_a_character)
{
  static char text[65536];
  memset(text, 'x', 65535);
  begin("");
  say(EVP_USER_MSG, 1, 0, text);
  const char *body = strchr(metric_host_output(host), '"') + 1;
  ck_assert_uint_eq(strspn(body, "x"), 32768);
  metric_host_clear(host);
  memcpy(text + 32767, "\xc3\xa9", 2);
  say(EVP_USER_MSG, 1, 0, text);
  body = strchr(metric_host_output(host), '"') + 1;
  ck_assert_uint_eq(strspn(body, "x"), 32767);
  ck_assert_int_eq(body[32767], '"');
}
END_TEST

START_TEST(binary_messages_on_request)
{
  begin("binary=hex");
  metric_host_put_bytes(host, "\x00\xff!", 3);
  metric_host_event(host, EVP_USER_BINARY_MSG, 1, 0, true);
  metric_host_event(host, EVP_USER_BINARY_MSG, 2, 0, true);
  expect("1 user_message debug cap=0 \"00ff21\"\n2 user_message debug cap=0 \"\"\n");
  teardown();
  begin("binary=escaped");
  metric_host_put_bytes(host, "a\\\n\x00\xff\xc3\xa9\xc2\x85", 9);
  metric_host_event(host, EVP_USER_BINARY_MSG, 1, 0, true);
  expect("1 user_message debug cap=0 \"a\\\\\\x0a\\x00\\xff\xc3\xa9\\xc2\\x85\"\n");
}
END_TEST

START_TEST(escapes_are_cut_whole)
{
  char to[8];
  ck_assert_uint_eq(escape_hex(to, 5, (const uint8_t *)"abc", 3), 4);
  ck_assert_uint_eq(escape_bytes(to, 7, (const uint8_t *)"\1\2", 2), 4);
  ck_assert_uint_eq(escape_bytes(to, 2, (const uint8_t *)"a\\", 2), 1);
  ck_assert_uint_eq(escape_bytes(to, 2, (const uint8_t *)"a\xc3\xa9", 3), 1);
}
END_TEST

START_TEST(malformed_records_are_counted)
{
  begin("threads=true");
  metric_host_put_number(host, 2, 7);
  metric_host_event(host, EVP_THREAD_LABEL, 1, 0, true);
  metric_host_put_number(host, 2, 7);
  metric_host_event(host, EVP_RUN_THREAD, 1, 0, false);
  metric_host_event(host, EVP_USER_MSG, 1, 0, false);
  expect("drop 1 malformed\ndrop 1 malformed\ndrop 1 malformed\n");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("filter");
  tcase_add_checked_fixture(tests, NULL, teardown);
  const TTest *const all[] = {each_kind_has_its_name, only_what_is_asked_for_is_read, nothing_left_is_an_error,
    thread_is_the_one_that_runs, body_is_text, body_is_cut_at_a_character, binary_messages_on_request,
    escapes_are_cut_whole, malformed_records_are_counted};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tcase_add_test(tests, all[i]);
  return check_main("logs", tests);
}
