/* The decoder on damaged logs: what is lost, what is not, where it is said to be. */
#include "check_main.h"
#include "decoded.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A block of `n` RUN_THREADs, at times time+1, time+2, ... */
static void log_runs(struct log_builder *log, uint64_t time, uint16_t cap, uint32_t n)
{
  log_block(log, time, time + n + 1, cap);
  for (uint32_t i = 1; i <= n; i++) log_record_u32(log, 1, time + i, i);
  log_block_end(log);
}

static struct log_builder *usual_log(void)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  return log;
}

/* Decodes, expects these events, so many bytes lost and cut, and the first damage there. */
static void expect(
  struct log_builder *log, const char *events, uint64_t skipped, uint64_t cut, uint64_t damage, const char *text)
{
  struct decoded *decoded = decode(log);
  assert_events(decoded, events);
  assert_skipped(decoded, skipped, cut);
  ck_assert_uint_eq(decoded->outcome.first_damage, damage);
  ck_assert_str_eq(decoded->outcome.damage, text);
  decoded_free(decoded);
  log_free(log);
}

START_TEST(test_undeclared_type_costs_the_rest_of_its_block)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  size_t at = log->size;
  log_record_u32(log, 200, 1002, 1);
  log_record_u32(log, 1, 1003, 1);
  log_block_end(log);
  log_runs(log, 3000, 1, 1);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "1000:0:18 1001:0:1 3000:1:18 3001:1:1");
  ck_assert_ptr_nonnull(strstr(decoded->lines, "3000 1 18 4 ")); /* EVP_EVENT_RESYNC */
  ck_assert_ptr_nonnull(strstr(decoded->lines, "3001 1 1 0 "));
  ck_assert_uint_eq(decoded->outcome.state.damages, 1);
  decoded_free(decoded);
  expect(log, "1000:0:18 1001:0:1 3000:1:18 3001:1:1", 28, 0, at, "event type 200 is not declared");
}
END_TEST

/* GHC up to 9.4 wrote the length of a long PROGRAM_ARGS modulo 65536, and all its bytes. */
START_TEST(test_length_modulo)
{
  struct log_builder *log = usual_log();
  char *payload = malloc(70000);
  memset(payload, 'x', 70000);
  log_block(log, 1000, 2000, 0);
  log_record(log, 19, 1001, payload, 70000);
  log_block_end(log);
  log_runs(log, 3000, 1, 1);
  free(payload);
  size_t at = log->size - 24 - 14 - 65536;
  expect(log, "1000:0:18 1001:0:19 3000:1:18 3001:1:1", 65536, 0, at, "event type 30840 is not declared");
}
END_TEST

/* The same with bytes of zero: a type that is declared, of a time that can not be. */
START_TEST(test_zeros)
{
  struct log_builder *log = usual_log();
  char *payload = calloc(1, 70000);
  log_block(log, 5000000000, 6000000000, 0);
  log_record(log, 19, 5000000001, payload, 70000);
  log_block_end(log);
  log_runs(log, 7000000000, 1, 1);
  free(payload);
  size_t at = log->size - 24 - 14 - 65536;
  expect(log, "5000000000:0:18 5000000001:0:19 7000000000:1:18 7000000001:1:1", 65536, 0, at,
    "a record whose time is not that of its block");
}
END_TEST

START_TEST(test_record_overruns_its_block)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  size_t at = log->size;
  log_record(log, 19, 1002, "hello", 5);
  log->data[log->size - 7] = 0x40; /* its length becomes 16389 */
  log_block_end(log);
  log_runs(log, 3000, 1, 2);
  expect(log, "1000:0:18 1001:0:1 3000:1:18 3001:1:1 3002:1:1", 17, 0, at,
    "a record that reaches past the end of its block");
}
END_TEST

/* The block's size is too small: what follows its end is no block, so the record is believed. */
START_TEST(test_block_ends_inside_a_record)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  size_t at = log->size;
  log_record_u32(log, 1, 1002, 1);
  log_record_u32(log, 1, 1003, 1);
  log_block_size(log, 24 + 14 + 12);
  log_runs(log, 3000, 1, 1);
  expect(
    log, "1000:0:18 1001:0:1 1002:0:1 1003:-1:1 3000:1:18 3001:1:1", 0, 0, at, "a block that ends inside a record");
}
END_TEST

START_TEST(test_block_is_smaller_than_its_marker)
{
  static const uint32_t sizes[] = {0, 1, 23};
  for (size_t i = 0; i < 3; i++) {
    struct log_builder *log = usual_log();
    size_t at = log->size;
    log_block(log, 1000, 2000, 4);
    log_record_u32(log, 1, 1001, 1);
    log_record_u32(log, 1, 1002, 1);
    log_block_size(log, sizes[i]);
    log_runs(log, 3000, 1, 1);
    log_end(log);
    char text[40];
    snprintf(text, sizeof text, "a block of %u bytes", sizes[i]);
    expect(log, "1000:4:18 1001:4:1 1002:4:1 3000:1:18 3001:1:1", 0, 0, at, text);
  }
}
END_TEST

START_TEST(test_block_is_larger_than_it_is)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  log_block_size(log, 100000);
  size_t at = log->size;
  log_runs(log, 3000, 1, 2);
  log_runs(log, 4000, 2, 1);
  expect(log, "1000:0:18 1001:0:1 3000:1:18 3001:1:1 3002:1:1 4000:2:18 4001:2:1", 0, 0, at,
    "a block begins inside another one");
}
END_TEST

START_TEST(test_impossible_capability)
{
  struct log_builder *log = usual_log();
  size_t at = log->size;
  log_runs(log, 1000, 0x8000, 1);
  expect(log, "1000:-1:18 1001:-1:1", 0, 0, at, "a block of capability 32768");
}
END_TEST

/* One time is damaged: only that record is lost if its time would be ahead; none if it is behind. */
START_TEST(test_late_time)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  size_t at = log->size;
  log_record_u32(log, 1, UINT64_C(1) << 61, 2);
  log_record_u32(log, 1, 1003, 3);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  ck_assert_ptr_nonnull(strstr(decoded->lines, "1003 0 1 4 00000003\n"));
  ck_assert_uint_eq(decoded->outcome.state.newest_time, 1003);
  decoded_free(decoded);
  expect(log, "1000:0:18 1001:0:1 1003:0:1", 14, 0, at, "a record whose time is not that of its block");
}
END_TEST

START_TEST(test_early_time)
{
  struct log_builder *log = usual_log();
  log_block(log, 5000000000, 5000002000, 0);
  log_record_u32(log, 1, 5000000001, 1);
  log_record_u32(log, 1, 7, 2);
  log_record_u32(log, 1, 5000000002, 3);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "5000000000:0:18 5000000001:0:1 7:0:1 5000000002:0:1");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_malformed)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  size_t at = log->size;
  log_record(log, 164, 1001, "\0\0\0", 3);
  log_record_u32(log, 1, 1002, 1);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  ck_assert_ptr_nonnull(strstr(decoded->lines, "1001 0 164 3 000000\n"));
  ck_assert_uint_eq(decoded->outcome.state.damages, 1);
  decoded_free(decoded);
  expect(log, "1000:0:18 1001:0:164 1002:0:1", 0, 0, at, "an event of type 164 with only 3 bytes");
}
END_TEST

/* A block whose marker is damaged is not found; the next one is, byte by byte. */
START_TEST(test_damaged_marker)
{
  struct log_builder *log = usual_log();
  log_runs(log, 1000, 0, 1);
  size_t at = log->size;
  log_runs(log, 2000, 1, 3);
  log->data[at + 1] = 0x99;
  log_runs(log, 3000, 2, 2);
  log_end(log);
  expect(log, "1000:0:18 1001:0:1 3000:2:18 3001:2:1 3002:2:1", 24 + 3 * 14, 0, at, "event type 153 is not declared");
}
END_TEST

/* What looks like a marker in a payload is not taken for one while the framing is sound, nor when looking for one. */
START_TEST(test_marker_in_a_payload)
{
  struct log_builder *inner = log_new();
  inner->sizes[1] = 4;
  log_runs(inner, 1000, 7, 2);
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record(log, 19, 1001, inner->data, inner->size);
  log_block_end(log);
  size_t at = log->size;
  log_runs(log, 3000, 1, 1);
  log->data[at] = 0x77; /* from here on it looks for a block */
  log_runs(log, 4000, 2, 1);
  log_end(log);
  log_free(inner);
  expect(log, "1000:0:18 1001:0:19 4000:2:18 4001:2:1", 38, 0, at, "event type 30482 is not declared");
}
END_TEST

START_TEST(test_end_marker_in_a_block)
{
  struct log_builder *log = usual_log();
  log_block(log, 1000, 2000, 0);
  log_record_u32(log, 1, 1001, 1);
  size_t at = log->size;
  log_record(log, 9, 1002, "", 0);
  log_block_end(log);
  memset(log->data + at, 0xff, 2);
  log_runs(log, 3000, 1, 1);
  log_end(log);
  expect(log, "1000:0:18 1001:0:1 3000:1:18 3001:1:1", 10, 0, at, "an end marker in the middle of a block");
}
END_TEST

START_TEST(test_trailing)
{
  struct log_builder *log = usual_log();
  log_runs(log, 1000, 0, 1);
  log_end(log);
  size_t at = log->size;
  log_bytes(log, "hdrX garbage", 12);
  expect(log, "1000:0:18 1001:0:1", 12, 0, at, "data behind the end marker");
}
END_TEST

START_TEST(test_nothing_but_a_header)
{
  struct log_builder *log = usual_log();
  struct decoded *decoded = decode(log);
  ck_assert(decoded->outcome.state.header);
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  assert_skipped(decoded, 0, 0);
  decoded_free(decoded);
  log->size -= 3;
  decoded = decode(log);
  ck_assert(!decoded->outcome.state.header);
  assert_skipped(decoded, 0, log->size);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_no_header)
{
  static const char *const inputs[] = {"", "hello, world\n", "\x1f\x8b\x08\0\0\0\0", "hdrbhetX and more", "h"};
  static const size_t sizes[] = {0, 13, 7, 17, 1};
  static const size_t cut[] = {0, 0, 0, 0, 1};
  for (size_t i = 0; i < 5; i++) {
    struct decoded *decoded = decode_bytes(inputs[i], sizes[i]);
    ck_assert(!decoded->outcome.state.header);
    assert_skipped(decoded, sizes[i] - cut[i], cut[i]);
    ck_assert_uint_eq(decoded->outcome.state.leading_bytes, sizes[i] - cut[i]);
    decoded_free(decoded);
  }
}
END_TEST

/* GHC 9.0.2 on a socket: a block marker before the header. */
START_TEST(test_leading)
{
  struct log_builder *log = log_new();
  log_block(log, 1000, 2000, 0xffff);
  log_block_size(log, 3000);
  log_usual_header(log);
  log_runs(log, 1000, 0, 1);
  struct decoded *decoded = decode(log);
  ck_assert_uint_eq(decoded->outcome.state.leading_bytes, 24);
  ck_assert_uint_eq(decoded->outcome.streams, 1);
  decoded_free(decoded);
  expect(log, "1000:0:18 1001:0:1", 24, 0, 0, "no eventlog header where one must begin");
}
END_TEST

START_TEST(test_leading_is_told)
{
  struct log_builder *log = log_new();
  log_bytes(log, "garbage", 7);
  log_usual_header(log);
  struct eventlog_settings settings = {.walk = true};
  struct eventlog *eventlog = eventlog_new(&settings);
  struct evp_event event;
  struct eventlog_step step;
  eventlog_step(eventlog, log->data, log->size, &event, 1, &step);
  ck_assert_int_eq(step.reason, EVENTLOG_HEADER);
  ck_assert_uint_eq(step.leading, 7);
  ck_assert_uint_eq(step.sync, 7);
  ck_assert(!step.framed);
  eventlog_free(eventlog);
  log_free(log);
}
END_TEST

START_TEST(test_damaged_header)
{
  struct log_builder *whole = usual_log();
  for (size_t at = 0; at < whole->size; at += 3) {
    struct log_builder *log = usual_log();
    log->data[at] ^= 0x40;
    log_runs(log, 1000, 0, 1);
    decoded_free(decode(log)); /* it adds up, in all cuts */
    log_free(log);
  }
  struct log_builder *log = usual_log();
  log->data[8 + 26] ^= 0x40; /* where the second type begins */
  size_t damaged = log->size;
  log_usual_header(log); /* a second header: it is that of the stream then */
  log_runs(log, 1000, 0, 1);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "1000:0:18 1001:0:1");
  assert_skipped(decoded, damaged, 0);
  ck_assert_uint_eq(decoded->outcome.streams, 1);
  decoded_free(decoded);
  log_free(log);
  log_free(whole);
}
END_TEST

static struct log_builder *log_with_long_header(size_t types)
{
  struct log_builder *log = log_new();
  char *description = malloc(1000);
  memset(description, 'd', 1000);
  log_header_begin(log);
  log_type(log, 18, 14, "Block marker", 12);
  log_type(log, 1, 4, "Run thread", 10);
  for (size_t i = 0; i < types; i++) log_type(log, (uint16_t)(1000 + i), 4, description, 1000);
  log_header_end(log);
  free(description);
  return log;
}

START_TEST(test_long_header)
{
  struct log_builder *log = log_with_long_header(500); /* half a MiB */
  log_runs(log, 1000, 0, 1);
  expect(log, "1000:0:18 1001:0:1", 0, 0, UINT64_MAX, "");
}
END_TEST

START_TEST(test_header_beyond_all_bounds)
{
  struct log_builder *log = log_with_long_header(1100);
  struct outcome *outcome = calloc(1, sizeof *outcome);
  struct feeding feeding = {.data = log->data, .size = log->size};
  feed(&feeding, outcome);
  ck_assert(!outcome->state.header);
  ck_assert_str_eq(outcome->damage, "the header is longer than 1 MiB");
  ck_assert_uint_eq(outcome->state.skipped_bytes, log->size);
  free(outcome);
  log_free(log);
}
END_TEST

/* A capture of several connections. */
START_TEST(test_restart)
{
  for (int marked = 0; marked <= 1; marked++) {
    struct log_builder *log = usual_log();
    log_runs(log, 1000, 0, 1);
    if (marked) log_end(log);
    log_usual_header(log);
    log_runs(log, 2000, 1, 1);
    log_end(log);
    struct decoded *decoded = decode(log);
    ck_assert_uint_eq(decoded->outcome.streams, 2);
    ck_assert_uint_eq(decoded->outcome.headers, 2);
    decoded_free(decoded);
    expect(log, "1000:0:18 1001:0:1 2000:1:18 2001:1:1", 0, 0, UINT64_MAX, "");
  }
}
END_TEST

/* The same, where the first connection was cut anywhere: no record is made of both. */
START_TEST(test_restart_behind_a_cut)
{
  struct log_builder *first = usual_log();
  size_t header = first->size;
  log_block(first, 1000, 2000, 0);
  log_record(first, 164, 1001, "\0\0\0\0\0\0\0\0\1THUNK", 15);
  log_record_u32(first, 1, 1002, 1);
  log_record(first, 29, 1003, "\0\0\0\0GHC-9.6.6", 13);
  log_record_u32(first, 1, 1004, 1);
  log_record_u32(first, 1, 1005, 1);
  log_block_end(first);
  for (size_t cut = header; cut < first->size; cut++) {
    if (cut == first->size - 1) continue; /* an "h" at a block's end could be anything */
    struct log_builder *log = log_new();
    log_bytes(log, first->data, cut);
    log_usual_header(log);
    log_runs(log, 7000, 1, 1);
    log_end(log);
    struct decoded *decoded = decode(log);
    struct decoded *alone = decode_bytes(first->data, cut);
    ck_assert_msg(decoded->outcome.streams == 2, "cut at %zu of %zu:\n%s", cut, first->size, decoded->lines);
    ck_assert_uint_eq(decoded->outcome.events, alone->outcome.events + 2);
    ck_assert_uint_eq(decoded->outcome.state.skipped_bytes, alone->outcome.state.cut_bytes);
    ck_assert_ptr_nonnull(strstr(decoded->lines, "7001 1 1 0 00000001\n"));
    decoded_free(decoded);
    decoded_free(alone);
    log_free(log);
  }
  log_free(first);
}
END_TEST

/* Damage in each byte of a log of many blocks: never more than a few blocks are lost, and no event is invented. */
START_TEST(test_one_damaged_byte)
{
  struct log_builder *log = usual_log();
  size_t header = log->size;
  for (uint64_t i = 1; i <= 20; i++) log_runs(log, i * 100000000, (uint16_t)(i % 3), 10);
  log_end(log);
  for (size_t at = header; at < log->size; at++) {
    uint8_t before = log->data[at];
    log->data[at] ^= 0x88;
    struct outcome *outcome = calloc(1, sizeof *outcome);
    struct feeding feeding = {.data = log->data, .size = log->size};
    feed(&feeding, outcome);
    ck_assert_msg(
      outcome->events >= 220 - 22 && outcome->events <= 220, "byte %zu: %u events", at, (unsigned)outcome->events);
    free(outcome);
    log->data[at] = before;
  }
  log_free(log);
}
END_TEST

/* Bytes that look like blocks again and again must not be looked at again and again. */
START_TEST(test_hostile_markers)
{
  struct log_builder *log = usual_log();
  log_u16(log, 200);
  for (uint32_t i = 0; i < 100000; i++) {
    log_block(log, 1000, 2000, 1);
    log_block_size(log, 60000);
    if (i % 2) log_bytes(log, "\0\1\0\0\0\0\0\0\5", 9);
  }
  struct timespec begin, end;
  struct outcome *outcome = calloc(1, sizeof *outcome);
  struct feeding feeding = {.data = log->data, .size = log->size, .cut = CUT_FIXED, .parameter = 4096};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
  feed(&feeding, outcome);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  ck_assert_int_lt(end.tv_sec - begin.tv_sec, 20);
  ck_assert_uint_eq(outcome->decoded_bytes + outcome->state.skipped_bytes + outcome->state.cut_bytes, log->size);
  free(outcome);
  log_free(log);
}
END_TEST

START_TEST(test_guess)
{
  static const struct {
    const char *data;
    size_t size;
    const char *what;
  } cases[] = {
    {"\x1f\x8b\x08", 3, "gzip data"},
    {"version https://git-lfs.github.com/spec/v1\noid sha256:", 54, "a git-LFS pointer, not the file itself"},
    {"hello, world\n", 13, "text"},
    {"\0\1\2\3", 4, NULL},
    {"", 0, NULL},
    {"hdrbhetbetb\0\0\0\0\x04\0\0\0\r\nCreate thread", 34, "an eventlog that went through a text-mode transfer"},
    {"hdrbhetbetb\0\0\0\0\x04\0\0\0\rCreate thread", 33, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *guess = eventlog_guess((const uint8_t *)cases[i].data, cases[i].size);
    if (cases[i].what)
      ck_assert_str_eq(guess ? guess : "nothing", cases[i].what);
    else
      ck_assert_ptr_null(guess);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("damage");
  tcase_add_test(tests, test_undeclared_type_costs_the_rest_of_its_block);
  tcase_add_test(tests, test_length_modulo);
  tcase_add_test(tests, test_zeros);
  tcase_add_test(tests, test_record_overruns_its_block);
  tcase_add_test(tests, test_block_ends_inside_a_record);
  tcase_add_test(tests, test_block_is_smaller_than_its_marker);
  tcase_add_test(tests, test_block_is_larger_than_it_is);
  tcase_add_test(tests, test_impossible_capability);
  tcase_add_test(tests, test_late_time);
  tcase_add_test(tests, test_early_time);
  tcase_add_test(tests, test_malformed);
  tcase_add_test(tests, test_damaged_marker);
  tcase_add_test(tests, test_marker_in_a_payload);
  tcase_add_test(tests, test_end_marker_in_a_block);
  tcase_add_test(tests, test_trailing);
  tcase_add_test(tests, test_nothing_but_a_header);
  tcase_add_test(tests, test_no_header);
  tcase_add_test(tests, test_leading);
  tcase_add_test(tests, test_leading_is_told);
  tcase_add_test(tests, test_damaged_header);
  tcase_add_test(tests, test_long_header);
  tcase_add_test(tests, test_header_beyond_all_bounds);
  tcase_add_test(tests, test_restart);
  tcase_add_test(tests, test_restart_behind_a_cut);
  tcase_add_test(tests, test_one_damaged_byte);
  tcase_add_test(tests, test_hostile_markers);
  tcase_add_test(tests, test_guess);
  return check_main("damage", tests);
}
