/* The prologue: what a late reader needs, growing, bounded, spilled, read by others meanwhile. */
#include "check_main.h"
#include "decoded.h"
#include "eventlog/prologue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static size_t read_all(const struct prologue *prologue, uint8_t *buffer, size_t size)
{
  return prologue_read(prologue, 0, UINT64_MAX, buffer, size);
}

/* A prologue with the usual header; *header is its size. */
static struct prologue *begun(uint64_t max_memory, uint64_t max_size, size_t *header)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  struct prologue *prologue = prologue_new(max_memory, max_size);
  ck_assert(prologue_header(prologue, log->data, log->size));
  *header = log->size;
  log_free(log);
  return prologue;
}

static bool append(struct prologue *prologue, uint16_t cap, uint64_t time, size_t size)
{
  struct log_builder *log = log_new();
  log->sizes[29] = 0xffff;
  char *payload = calloc(1, size);
  log_record(log, 29, time, payload, size);
  bool appended = prologue_append(prologue, cap, time, log->data, log->size, NULL);
  free(payload);
  log_free(log);
  return appended;
}

START_TEST(test_is_a_log)
{
  size_t header;
  struct prologue *prologue = begun(1 << 20, 1 << 20, &header);
  ck_assert_uint_eq(prologue_length(prologue), header);
  append(prologue, 0xffff, 20, 8);
  append(prologue, 0xffff, 10, 8); /* a block's times are its earliest and its latest */
  append(prologue, 3, 30, 8);
  ck_assert_uint_eq(prologue_length(prologue), header); /* nothing is readable before it is sealed */
  uint64_t sealed = prologue_seal(prologue);
  ck_assert_uint_eq(sealed, header + 24 + 20 + 20 + 24 + 20);
  ck_assert_uint_eq(prologue_seal(prologue), sealed);
  append(prologue, 3, 40, 8);
  uint8_t buffer[2000];
  ck_assert_uint_eq(read_all(prologue, buffer, sizeof buffer), sealed);
  struct decoded *decoded = decode_bytes(buffer, sealed);
  assert_events(decoded, "10:-1:18 20:-1:29 10:-1:29 30:3:18 30:3:29");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  ck_assert_uint_eq(decoded->outcome.state.newest_block_end, 30);
  decoded_free(decoded);
  prologue_free(prologue);
}
END_TEST

START_TEST(test_read_bounds)
{
  size_t header;
  struct prologue *prologue = begun(1 << 20, 1 << 20, &header);
  uint8_t buffer[100];
  ck_assert_uint_eq(prologue_read(prologue, 0, 8, buffer, sizeof buffer), 8);
  ck_assert_int_eq(memcmp(buffer, "hdrbhetb", 8), 0);
  ck_assert_uint_eq(prologue_read(prologue, 4, 8, buffer, sizeof buffer), 4);
  ck_assert_uint_eq(prologue_read(prologue, 8, 8, buffer, sizeof buffer), 0);
  ck_assert_uint_eq(prologue_read(prologue, header, UINT64_MAX, buffer, sizeof buffer), 0);
  ck_assert_uint_eq(prologue_read(prologue, UINT64_MAX, UINT64_MAX, buffer, sizeof buffer), 0);
  prologue_free(prologue);
}
END_TEST

/* Secrets are told by their place in the prologue; there is a bound. */
START_TEST(test_secrets)
{
  size_t header;
  struct prologue *prologue = begun(1 << 12, 1 << 26, &header);
  static uint8_t record[12 + 20] = {0, 30, [11] = 20};
  const struct evp_secret secret = {16, 16, EVP_ARGUMENTS};
  size_t kept = 0;
  while (prologue_append(prologue, 0, kept, record, sizeof record, &secret)) kept++;
  ck_assert_uint_eq(kept, 1 << 16);
  uint64_t left_out;
  ck_assert_str_eq(prologue_problem(prologue, &left_out), "there are too many definitions with secrets");
  ck_assert_uint_eq(left_out, 1);
  prologue_seal(prologue);
  struct evp_secret found[4];
  ck_assert_uint_eq(prologue_secrets(prologue, 0, UINT64_MAX, found, 4), 4);
  for (size_t i = 0; i < 4; i++) {
    ck_assert_uint_eq(found[i].offset, header + 24 + 32 * i + 16);
    ck_assert(found[i].size == 16 && found[i].kind == EVP_ARGUMENTS);
  }
  uint64_t begin = found[1].offset;
  ck_assert_uint_eq(prologue_secrets(prologue, begin + 1, begin + 32, found, 4), 1);
  ck_assert_uint_eq(found[0].offset, begin);
  ck_assert_uint_eq(prologue_secrets(prologue, begin + 16, begin + 32, found, 4), 0);
  prologue_free(prologue);
}
END_TEST

/* Beyond its memory it goes on in a file; what was readable stays the same. */
START_TEST(test_spills)
{
  size_t header;
  struct prologue *prologue = begun(2000, 1 << 20, &header);
  uint8_t *early = malloc(1 << 20), *late = malloc(1 << 20);
  uint64_t early_length = 0;
  for (uint64_t i = 0; i < 500; i++) {
    ck_assert(append(prologue, (uint16_t)(i % 3), i, 40));
    if (i % 7 == 0) prologue_seal(prologue);
    if (i == 100) early_length = read_all(prologue, early, 1 << 20);
  }
  uint64_t length = prologue_seal(prologue);
  ck_assert_uint_gt(early_length, 2000);
  ck_assert_uint_eq(read_all(prologue, late, 1 << 20), length);
  ck_assert_int_eq(memcmp(early, late, early_length), 0);
  struct decoded *decoded = decode_bytes(late, length);
  ck_assert_uint_eq(decoded->outcome.by_type[29], 500);
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  free(early);
  free(late);
  uint64_t left_out;
  ck_assert_ptr_null(prologue_problem(prologue, &left_out));
  prologue_free(prologue);
}
END_TEST

START_TEST(test_is_bounded)
{
  size_t header;
  struct prologue *prologue = begun(1000, 3000, &header);
  unsigned kept = 0;
  for (uint64_t i = 0; i < 500; i++) kept += append(prologue, 1, i, 40);
  uint64_t length = prologue_seal(prologue);
  ck_assert_uint_le(length, 3000);
  ck_assert_uint_eq(length, header + 24 + kept * 52);
  uint64_t left_out;
  ck_assert_ptr_nonnull(strstr(prologue_problem(prologue, &left_out), "full"));
  ck_assert_uint_eq(left_out, 500 - kept);
  prologue_free(prologue);
}
END_TEST

START_TEST(test_no_disk)
{
  setenv("TMPDIR", "/nonexistent", 1);
  size_t header;
  struct prologue *prologue = begun(1000, 1 << 20, &header);
  for (uint64_t i = 0; i < 50; i++) append(prologue, 1, i, 40);
  uint64_t before = prologue_length(prologue);
  prologue_seal(prologue);
  ck_assert_uint_eq(prologue_length(prologue), before);
  uint64_t left_out;
  ck_assert_ptr_nonnull(strstr(prologue_problem(prologue, &left_out), "can not be kept"));
  ck_assert_uint_eq(left_out, 50);
  prologue_free(prologue);
  unsetenv("TMPDIR");
}
END_TEST

struct reading {
  const struct prologue *prologue;
  atomic_bool over;
  bool wrong;
};

/* What it reads is always a log without damage. */
static void *read_on(void *argument)
{
  struct reading *reading = argument;
  uint8_t *buffer = malloc(1 << 20), *again = malloc(1 << 20);
  while (!atomic_load(&reading->over)) {
    size_t first = read_all(reading->prologue, buffer, 1 << 20);
    size_t second = read_all(reading->prologue, again, 1 << 20);
    if (second < first || memcmp(buffer, again, first) != 0) reading->wrong = true;
  }
  free(buffer);
  free(again);
  return NULL;
}

START_TEST(test_is_read_meanwhile)
{
  size_t header;
  struct prologue *prologue = begun(4000, 1 << 20, &header);
  struct reading reading = {.prologue = prologue};
  pthread_t thread;
  pthread_create(&thread, NULL, read_on, &reading);
  for (uint64_t i = 0; i < 3000; i++) {
    append(prologue, (uint16_t)(i % 2), i, 30);
    if (i % 5 == 0) prologue_seal(prologue);
  }
  atomic_store(&reading.over, true);
  pthread_join(thread, NULL);
  ck_assert(!reading.wrong);
  prologue_free(prologue);
}
END_TEST

/* Fed piecewise, the definitions of the stream are in it; and the length told is that before each step's first event. */
START_TEST(test_of_a_stream)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  size_t header = log->size;
  log_block(log, 0, 1000, 0xffff);
  log_record(log, 29, 10, "\0\0\0\0GHC", 7);
  log_record_u32(log, 1, 20, 1);
  log_provenance(log, 30, 4711, "name", 1);
  log_block_end(log);
  size_t second = log->size;
  log_block(log, 2000, 3000, 1);
  log_record_u32(log, 1, 2001, 1);
  log_block_end(log);
  struct prologue *prologue = prologue_new(1 << 20, 1 << 20);
  struct event_set *wanted = calloc(1, sizeof *wanted);
  event_set_add(wanted, 1);
  struct eventlog_settings settings = {.wanted = wanted, .prologue = prologue, .walk = true};
  struct eventlog *eventlog = eventlog_new(&settings);
  struct evp_event events[10];
  struct eventlog_step step;
  eventlog_step(eventlog, log->data, log->size, events, 10, &step);
  ck_assert_uint_eq(step.prologue_at_sync, 0); /* the header itself */
  size_t at = step.consumed;
  eventlog_step(eventlog, log->data + at, second - at, events, 10, &step);
  ck_assert_int_eq(step.reason, EVENTLOG_FACTS);
  ck_assert_uint_eq(step.prologue, header);
  ck_assert_uint_eq(step.prologue_at_sync, header);
  at += step.consumed;
  eventlog_step(eventlog, log->data + at, second - at, events, 10, &step);
  ck_assert_uint_eq(step.prologue, header + 24 + 19);
  ck_assert_uint_eq(step.n, 1);
  at += step.consumed;
  ck_assert_uint_eq(at, second);
  eventlog_step(eventlog, log->data + at, log->size - at, events, 10, &step);
  ck_assert_uint_eq(step.prologue, prologue_length(prologue));
  ck_assert_uint_eq(step.prologue_at_sync, prologue_length(prologue));
  ck_assert_uint_gt(step.prologue, header + 24 + 19 + 24);
  eventlog_free(eventlog);
  prologue_free(prologue);
  free(wanted);
  log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("prologue");
  tcase_add_test(tests, test_is_a_log);
  tcase_add_test(tests, test_read_bounds);
  tcase_add_test(tests, test_secrets);
  tcase_add_test(tests, test_spills);
  tcase_add_test(tests, test_is_bounded);
  tcase_add_test(tests, test_no_disk);
  tcase_add_test(tests, test_is_read_meanwhile);
  tcase_add_test(tests, test_of_a_stream);
  return check_main("prologue", tests);
}
