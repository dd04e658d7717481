/* The text of events against what ghc-events itself prints, and at the edges that no real log has. */
#include "check_main.h"
#include "event_format.h"
#include "event_text.h"
#include "fake_host.h"

#include <evpipe/events.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct evp_event_type types[] = {
  {.number = EVP_STOP_THREAD, .size = 10, .description = "Stop thread"},
  {.number = EVP_HEAP_LIVE, .size = 12, .description = "Current heap live data"},
  {.number = EVP_USER_MSG, .size = 0xffff, .description = "User message"},
  {.number = 300, .size = 0xffff, .description = "Something new"},
};

static struct fake_log *log_of_types(uint32_t dialect)
{
  return fake_log_new(types, sizeof types / sizeof *types, dialect);
}

/* The text (or JSON) of one event of no capability at time 7. */
static const char *print(bool (*append)(struct evp_buf *, const struct evp_stream *, const struct evp_event *),
  uint32_t dialect, uint16_t type, uint16_t flags, const void *data, size_t size)
{
  static char printed[1 << 20];
  struct fake_log *log = log_of_types(dialect);
  fake_log_add(log, 7, type, EVP_NO_CAP, flags, data, (uint16_t)size);
  struct evp_buf buffer = {0};
  ck_assert(append(&buffer, log->stream, &log->events[0]));
  ck_assert_uint_lt(buffer.size, sizeof printed);
  memcpy(printed, buffer.data, buffer.size);
  printed[buffer.size] = 0;
  free(buffer.data);
  fake_log_free(log);
  return printed;
}

#define TEXT(dialect, type, flags, data) print(event_text_append, dialect, type, flags, data, sizeof(data) - 1)
#define JSON(type, flags, data) print(event_json_append, 0, type, flags, data, sizeof(data) - 1)

static int by_time(const void *a, const void *b)
{
  const struct evp_event *left = *(const struct evp_event *const *)a, *right = *(const struct evp_event *const *)b;
  if (left->time != right->time) return left->time < right->time ? -1 : 1;
  return left < right ? -1 : 1; /* the order of the file */
}

static struct evp_buf show(const struct fake_log *log)
{
  const struct evp_event **order = calloc(log->n + 1, sizeof *order);
  for (size_t i = 0; i < log->n; i++) order[i] = &log->events[i];
  qsort(order, log->n, sizeof *order, by_time);
  struct evp_buf text = {0};
  ck_assert(event_types_append(&text, log->stream));
  for (size_t i = 0; i < log->n; i++) ck_assert(event_text_append(&text, log->stream, order[i]));
  ck_assert(evp_buf_append(&text, "\n", 1));
  free(order);
  return text;
}

static void compare(const char *path, const struct evp_buf *text)
{
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  char *expected = malloc(text->size + 2);
  size_t size = fread(expected, 1, text->size + 2, file);
  size_t same = 0;
  while (same < size && same < text->size && expected[same] == (char)text->data[same]) same++;
  ck_assert_msg(same == size && size == text->size, "%s: differs from byte %zu on: %.60s", path, same,
    same < text->size ? (const char *)text->data + same : "(end)");
  free(expected);
  fclose(file);
}

START_TEST(test_references)
{
  const char *folder = getenv("EVPIPE_EVENTLOGS");
  char pattern[4096];
  snprintf(pattern, sizeof pattern, "%s/ghc-events/*.reference", folder);
  glob_t references;
  ck_assert_int_eq(glob(pattern, 0, NULL, &references), 0);
  for (size_t i = 0; i < references.gl_pathc; i++) {
    char log_path[4096];
    snprintf(log_path, sizeof log_path, "%s", references.gl_pathv[i]);
    log_path[strlen(log_path) - strlen(".reference")] = 0;
    struct fake_log *log = fake_log_read(log_path);
    ck_assert_ptr_nonnull(log);
    struct evp_buf text = show(log);
    compare(references.gl_pathv[i], &text);
    free(text.data);
    fake_log_free(log);
  }
  ck_assert_uint_ge(references.gl_pathc, 12);
  globfree(&references);
}
END_TEST

START_TEST(test_stop_status)
{
  const char mvar_read[] = "\0\0\0\5\0\x14\0\0\0\0", eight[] = "\0\0\0\5\0\x8\0\0\0\x9", odd[] = "\0\0\0\5\1\0\0\0\0\0";
  ck_assert_str_eq(TEXT(EVP_DIALECT_STOP_D, 2, 0, mvar_read), "7: stopping thread 5 (blocked reading an MVar)\n");
  ck_assert_str_eq(
    TEXT(EVP_DIALECT_STOP_D, 2, 0, eight), "7: stopping thread 5 (blocked on black hole owned by thread 9)\n");
  ck_assert_str_eq(TEXT(EVP_DIALECT_STOP_C, 2, 0, eight), "7: stopping thread 5 (blocked reading an MVar)\n");
  ck_assert_str_eq(TEXT(EVP_DIALECT_STOP_D, 2, 0, odd), "7: stopping thread 5 (status 256)\n");
  ck_assert_str_eq(
    TEXT(EVP_DIALECT_STOP_D, 2, 0, "\0\0\0\5\0\2\0\0\1\0"), "7: stopping thread 5 (stack overflow, size 256)\n");
  /* ghc-events does not decode the form of 7.0 any more; JSON does. */
  ck_assert_str_eq(TEXT(EVP_DIALECT_STOP_A, 2, 0, "\0\0\0\5\0\4"), "7: Stop thread\n");
  ck_assert_str_eq(print(event_json_append, EVP_DIALECT_STOP_A, 2, 0, "\0\0\0\5\0\4", 6),
    "{\"time\":7,\"cap\":null,\"type\":2,\"name\":\"STOP_THREAD\",\"fields\":{\"thread\":5,\"status\":4,"
    "\"status_name\":\"blocked\"}}\n");
}
END_TEST

START_TEST(test_unreadable_events)
{
  ck_assert_str_eq(TEXT(0, 300, EVP_EVENT_VARIABLE, "abc"), "7: Something new\n");
  ck_assert_str_eq(TEXT(0, EVP_HEAP_LIVE, EVP_EVENT_MALFORMED, "abc"), "7: Current heap live data\n");
  ck_assert_str_eq(TEXT(0, 301, 0, "abc"), "7: event of undeclared type 301\n");
  ck_assert_str_eq(TEXT(0, EVP_USER_MSG, 0, "fixed"), "7: User message\n");
  ck_assert_str_eq(
    TEXT(0, EVP_HEAP_LIVE, EVP_EVENT_VARIABLE, "\0\0\0\0\0\0\0\0\0\0\0\0"), "7: Current heap live data\n");
  ck_assert_str_eq(JSON(300, EVP_EVENT_VARIABLE, "a\"\xff"),
    "{\"time\":7,\"cap\":null,\"type\":300,\"name\":null,\"description\":\"Something new\","
    "\"payload\":\"a\\u0022\\u00ff\"}\n");
}
END_TEST

START_TEST(test_longer_than_known)
{
  ck_assert_str_eq(
    TEXT(0, EVP_HEAP_LIVE, 0, "\0\0\0\0\0\0\0\0\0\0\1\0and more"), "7: live data in heap capset 0: 256 bytes\n");
}
END_TEST

START_TEST(test_list_escapes)
{
  const uint16_t variable = EVP_EVENT_VARIABLE;
  ck_assert_str_eq(TEXT(0, EVP_PROGRAM_ARGS, variable, "\0\0\0\0"), "7: capset 0: args: [\"\"]\n");
  ck_assert_str_eq(
    TEXT(0, EVP_PROGRAM_ARGS, variable, "\0\0\0\0a\0\0b\0\0\0"), "7: capset 0: args: [\"a\",\"\",\"b\"]\n");
  ck_assert_str_eq(TEXT(0, EVP_PROGRAM_ENV, variable,
                     "\0\0\0\1\"\\\n\x1b\x7f\x0e"
                     "H\x0eI\xce\xbb"
                     "1\xce\xbbx\0"),
    "7: capset 1: env: [\"\\\"\\\\\\n\\ESC\\DEL\\SO\\&H\\SOI\\955\\&1\\955x\"]\n");
  ck_assert_str_eq(TEXT(0, EVP_PROGRAM_ARGS, variable,
                     "\0\0\0\0\xff"
                     "9\0"),
    "7: capset 0: args: [\"\\65533\\&9\"]\n");
}
END_TEST

START_TEST(test_binary_messages)
{
  ck_assert_str_eq(
    TEXT(0, EVP_USER_BINARY_MSG, EVP_EVENT_VARIABLE, "a\n\xc3\xa9\xc2\x80\xff\xe2\x82|\xed\xa0\x80~\xc2\xa0"),
    "7: binary message a.\xc3\xa9....|...~\xc2\xa0\n");
}
END_TEST

START_TEST(test_invalid_text)
{
  ck_assert_str_eq(TEXT(0, EVP_USER_MSG, EVP_EVENT_VARIABLE,
                     "a\xff"
                     "b\xc3"),
    "7: a\xef\xbf\xbd"
    "b\xef\xbf\xbd\n");
  ck_assert_str_eq(JSON(EVP_USER_MSG, EVP_EVENT_VARIABLE, "a\xff\"\n"),
    "{\"time\":7,\"cap\":null,\"type\":19,\"name\":\"USER_MSG\",\"fields\":{\"message\":\"a\xef\xbf\xbd\\\"\\n\"}}\n");
}
END_TEST

START_TEST(test_forms)
{
  const uint16_t variable = EVP_EVENT_VARIABLE;
  ck_assert_str_eq(TEXT(0, EVP_TASK_CREATE, 0, "\0\0\0\0\0\0\xab\xcd\0\1\0\0\0\0\0\0\0\2"),
    "7: task 0xabcd created on cap 1 with OS kernel thread 2\n");
  ck_assert_str_eq(TEXT(0, EVP_PERF_COUNTER, 0, "\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\x9"),
    "7: perf event counter 1 incremented by 10 in OS thread 2\n");
  ck_assert_str_eq(TEXT(0, EVP_CAPSET_CREATE, 0, "\0\0\0\1\0\x9"), "7: created capset 1 of type CapsetUnknown\n");
  ck_assert_str_eq(TEXT(0, EVP_NONMOVING_HEAP_CENSUS, 0, "\x5\0\0\0\1\0\0\0\2\0\0\0\3"),
    "7: nonmoving heap census 32: 1 active segments, 2 filled segments, 3 live blocks\n");
  ck_assert_str_eq(TEXT(0, EVP_VERSION, variable, "\xe9"), "7: compiler version is \xc3\xa9\n");
  ck_assert_str_eq(TEXT(0, EVP_INTERN_STRING, variable, "abc\0\0\0\1"), "7: Interned string: \"abc\" with id 1\n");
  ck_assert_str_eq(TEXT(0, EVP_PROF_SAMPLE_COST_CENTRE, variable, "\0\1\0\2\0\0\0\0\0\0\0\3\2\0\0\0\1\0\0\0\2"),
    "7: cap no 2, prof sample 3, cost centre stack 1, 2\n");
  ck_assert_str_eq(TEXT(0, EVP_HEAP_PROF_BEGIN, variable, "\0\0\0\0\0\0\0\0\5\0\0\0\1m\0\0\0c\0\0\0\0"),
    "7: start heap profiling 0 at sampling period 5 broken down by cost centre filtered by m, c, \n");
  ck_assert_str_eq(TEXT(0, EVP_HEAP_PROF_BEGIN, variable, "\0\0\0\0\0\0\0\0\5\0\0\0\x63\0\0\0\0\0\0\0"),
    "7: start heap profiling 0 at sampling period 5 broken down by 99\n");
  ck_assert_str_eq(
    TEXT(0, EVP_GC_STATS_GHC, 0,
      "\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\7"),
    "7: GC stats for heap capset 0: generation 1, 2 bytes copied, 3 bytes slop, 4 bytes fragmentation, 5 par threads, "
    "6 bytes max par copied, 7 bytes total par copied\n");
}
END_TEST

/* Every event, every size, made of bytes that lie about strings and counts: read within bounds (a sanitizer sees), and one
   line of valid JSON's outline comes out. */
START_TEST(test_any_payload)
{
  uint8_t bytes[80];
  for (unsigned seed = 0; seed < 12; seed++) {
    for (size_t i = 0; i < sizeof bytes; i++)
      bytes[i] = (uint8_t)(seed < 3 ? seed * 127 : (i * 7919 + seed * 104729) >> 3);
    for (uint16_t type = 0; type < 220; type++)
      for (uint16_t size = 0; size <= sizeof bytes; size += (uint16_t)(1 + seed % 3)) {
        uint16_t flags = seed & 1 ? EVP_EVENT_VARIABLE : 0;
        const char *json = print(event_json_append, seed & 3, type, flags, bytes, size);
        ck_assert_ptr_eq(strchr(json, '\n'), json + strlen(json) - 1);
        ck_assert_int_eq(json[strlen(json) - 2], '}');
        print(event_text_append, seed & 3, type, flags, bytes, size);
      }
  }
}
END_TEST

START_TEST(test_no_memory_is_told)
{
  struct fake_log *log = log_of_types(0);
  fake_log_add(log, 7, EVP_USER_MSG, 3, EVP_EVENT_VARIABLE, "message", 7);
  fake_full_after = 0;
  struct evp_buf buffer = {0};
  ck_assert(!event_text_append(&buffer, log->stream, &log->events[0]));
  fake_full_after = 0;
  ck_assert(!event_json_append(&buffer, log->stream, &log->events[0]));
  fake_full_after = -1;
  free(buffer.data);
  fake_log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("event_text");
  if (getenv("EVPIPE_EVENTLOGS") && access(getenv("EVPIPE_EVENTLOGS"), R_OK) == 0)
    tcase_add_test(tests, test_references);
  else
    puts("test_references: skipped, there are no logs at $EVPIPE_EVENTLOGS");
  tcase_add_test(tests, test_stop_status);
  tcase_add_test(tests, test_unreadable_events);
  tcase_add_test(tests, test_longer_than_known);
  tcase_add_test(tests, test_list_escapes);
  tcase_add_test(tests, test_binary_messages);
  tcase_add_test(tests, test_invalid_text);
  tcase_add_test(tests, test_forms);
  tcase_add_test(tests, test_any_payload);
  tcase_add_test(tests, test_no_memory_is_told);
  return check_main("event_text", tests);
}
