/* The decoder on sound logs: every version's peculiarities, what is learnt on the way, what is wanted. */
#include "check_main.h"
#include "decoded.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

/* Section 8 of the format's description. */
static const uint8_t worked_example[] = "\x68\x64\x72\x62\x68\x65\x74\x62\x65\x74\x62\x00\x00\x01\x00\x04"
                                        "\x00\x00\x00\x0a\x52\x75\x6e\x20\x74\x68\x72\x65\x61\x64\x00\x00"
                                        "\x00\x00\x65\x74\x65\x00\x65\x74\x62\x00\x00\x12\x00\x0e\x00\x00"
                                        "\x00\x0c\x42\x6c\x6f\x63\x6b\x20\x6d\x61\x72\x6b\x65\x72\x00\x00"
                                        "\x00\x00\x65\x74\x65\x00\x65\x74\x62\x00\x00\x13\xff\xff\x00\x00"
                                        "\x00\x0c\x55\x73\x65\x72\x20\x6d\x65\x73\x73\x61\x67\x65\x00\x00"
                                        "\x00\x00\x65\x74\x65\x00\x65\x74\x62\x00\x00\x1d\xff\xff\x00\x00"
                                        "\x00\x14\x52\x54\x53\x20\x6e\x61\x6d\x65\x20\x61\x6e\x64\x20\x76"
                                        "\x65\x72\x73\x69\x6f\x6e\x00\x00\x00\x00\x65\x74\x65\x00\x68\x65"
                                        "\x74\x65\x68\x64\x72\x65\x64\x61\x74\x62\x00\x12\x00\x00\x00\x00"
                                        "\x00\x00\x03\xe8\x00\x00\x00\x37\x00\x00\x00\x00\x00\x00\x0b\xb8"
                                        "\xff\xff\x00\x1d\x00\x00\x00\x00\x00\x00\x05\xdc\x00\x13\x00\x00"
                                        "\x00\x00\x47\x48\x43\x2d\x39\x2e\x34\x2e\x37\x20\x72\x74\x73\x5f"
                                        "\x6c\x00\x12\x00\x00\x00\x00\x00\x00\x04\x4c\x00\x00\x00\x34\x00"
                                        "\x00\x00\x00\x00\x00\x0c\x1c\x00\x00\x00\x01\x00\x00\x00\x00\x00"
                                        "\x00\x07\xd0\x00\x00\x00\x07\x00\x13\x00\x00\x00\x00\x00\x00\x09"
                                        "\xc4\x00\x02\x68\x69\x00\x12\x00\x00\x00\x00\x00\x00\x0b\xb8\x00"
                                        "\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x0c\x80\xff\xff\xff\xff";

START_TEST(test_worked_example)
{
  struct decoded *decoded = decode_bytes(worked_example, sizeof worked_example - 1);
  ck_assert_str_eq(decoded->lines, "header at 154 4\n"
                                   "1000 -1 18 0 000000370000000000000bb8ffff\n"
                                   "1500 -1 29 1 000000004748432d392e342e37207274735f6c\n"
                                   "fact at 209 0\n"
                                   "1100 0 18 0 000000340000000000000c1c0000\n"
                                   "2000 0 1 0 00000007\n"
                                   "2500 0 19 1 6869\n"
                                   "3000 -1 18 0 0000001a0000000000000c80ffff\n");
  ck_assert(decoded->outcome.ended);
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  ck_assert_uint_eq(decoded->outcome.state.blocks, 3);
  ck_assert_uint_eq(decoded->outcome.state.newest_block_end, 3200);
  ck_assert_uint_eq(decoded->outcome.state.newest_time, 3000);
  ck_assert_str_eq(decoded->outcome.rts, "GHC-9.4.7 rts_l");
  assert_skipped(decoded, 0, 0);
  decoded_free(decoded);
}
END_TEST

/* GHC 6.12 declares the sizes of C types and writes other ones. */
START_TEST(test_ghc_6_12)
{
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{0, 8}, {1, 8}, {2, 10}, {3, 8}, {4, 10}, {5, 8}, {6, 10}, {7, 0}, {8, 10},
    {9, 0}, {10, 0}, {11, 0}, {12, 0}, {15, 8}, {16, 0xffff}, {17, 0}, {18, 14}, {19, 0xffff}};
  log_header(log, types, sizeof types / sizeof *types);
  log_record(log, 17, 5, "\0\2", 2);
  log_block(log, 0, 100, 1);
  log_record_u32(log, 0, 10, 1);
  log_record_u32(log, 1, 20, 1);
  log_record(log, 2, 30, "\0\0\0\1\0\5", 6);
  log_record(log, 4, 40, "\0\0\0\1\0\0", 6);
  log_record(log, 8, 50, "\0\0\0\1\0\0", 6);
  log_record(log, 9, 60, "", 0);
  log_record_u32(log, 15, 70, 1);
  log_block_end(log);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "5:-1:17 0:1:18 10:1:0 20:1:1 30:1:2 40:1:4 50:1:8 60:1:9 70:1:15");
  ck_assert_ptr_nonnull(strstr(decoded->lines, "30 1 2 0 000000010005\n"));
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  ck_assert_uint_eq(decoded->outcome.state.dialect, EVP_DIALECT_STOP_A | EVP_DIALECT_GHC_6_12);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_dialects)
{
  static const struct {
    struct log_type types[4];
    size_t n;
    uint32_t dialect;
  } cases[] = {
    {{{0, 4}, {2, 6}}, 2, EVP_DIALECT_STOP_A},
    {{{0, 4}, {2, 10}}, 2, EVP_DIALECT_STOP_B},
    {{{0, 4}, {2, 10}, {58, 0xffff}}, 3, EVP_DIALECT_STOP_C},
    {{{0, 4}, {2, 10}, {58, 0xffff}, {59, 0}}, 4, EVP_DIALECT_STOP_D},
    {{{2, 10}, {39, 0xffff}}, 2, EVP_DIALECT_STOP_B | EVP_DIALECT_MERCURY},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct log_builder *log = log_new();
    log_header(log, cases[i].types, cases[i].n);
    struct decoded *decoded = decode(log);
    ck_assert_uint_eq(decoded->outcome.state.dialect, cases[i].dialect);
    decoded_free(decoded);
    log_free(log);
  }
}
END_TEST

/* Mercury: an unsorted table, records before any block, a u64 in RUN_SPARK, 39 and 42 as strings. */
START_TEST(test_mercury)
{
  struct log_builder *log = log_new();
  static const struct log_type types[] = {
    {18, 14}, {113, 0}, {0, 4}, {5, 8}, {39, 0xffff}, {25, 6}, {1, 4}, {100, 12}, {7, 0}};
  log_header(log, types, sizeof types / sizeof *types);
  log_record(log, 25, 1, "\0\0\0\0\0\2", 6);
  log_record(log, 39, 2, "main\0\0\0\1", 8);
  log_block(log, 0, 100, 0);
  log_record(log, 113, 10, "", 0);
  log_record(log, 5, 20, "\0\0\0\0\0\0\0\7", 8);
  log_record(log, 100, 30, "\0\0\0\0\0\0\0\1\0\0\0\1", 12);
  log_block_end(log);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "1:-1:25 2:-1:39 0:0:18 10:0:113 20:0:5 30:0:100");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  ck_assert(decoded->outcome.state.dialect & EVP_DIALECT_MERCURY);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

/* Eden: a machine is created long before its block begins; Latin-1 texts. */
START_TEST(test_eden)
{
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{18, 14}, {23, 0xffff}, {65, 10}, {60, 0}, {1, 4}};
  log_header(log, types, sizeof types / sizeof *types);
  log_block(log, 8000000000, 9000000000, 0);
  log_record(log, 65, 1000, "\0\1\0\0\0\0\0\0\0\1", 10);
  log_record(log, 23, 8000000100, "7.8\xe9", 4);
  log_record(log, 60, 8000000200, "", 0);
  log_block_end(log);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "8000000000:0:18 1000:0:65 8000000100:0:23 8000000200:0:60");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

/* Sizes come from the stream; the last declaration of a number counts; numbers above 255 and types unknown to evpipe. */
START_TEST(test_header_decides)
{
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{18, 14}, {300, 2}, {40000, 0xffff}, {1, 9}, {1, 4}, {9, 3}, {164, 12}};
  log_header(log, types, sizeof types / sizeof *types);
  log_block(log, 0, 100, 0);
  log_record(log, 300, 1, "ab", 2);
  log_record(log, 40000, 2, "hello", 5);
  log_record_u32(log, 1, 3, 7);
  log_record(log, 9, 4, "xyz", 3);
  log_record(log, 164, 5, "123456789012", 12);
  log_record(log, 300, 6, "cd", 2);
  log_block_end(log);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "0:0:18 1:0:300 2:0:40000 3:0:1 4:0:9 5:0:164 6:0:300");
  ck_assert_ptr_nonnull(strstr(decoded->lines, "2 0 40000 1 68656c6c6f\n"));
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

/* Payloads of a fixed size smaller than any that is known are delivered, flagged; nothing is damaged. */
START_TEST(test_small_fixed_size)
{
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{18, 14}, {51, 8}};
  log_header(log, types, 2);
  log_block(log, 0, 100, 0);
  log_record(log, 51, 1, "12345678", 8);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  ck_assert_ptr_nonnull(strstr(decoded->lines, "1 0 51 2 3132333435363738\n"));
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

/* The clock holds for what follows the record, which comes after it; another one replaces it. */
START_TEST(test_clock)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  log_block(log, 0, 5000, 0xffff);
  log_record_u32(log, 1, 10, 1);
  uint64_t at = log->size;
  log_record(log, 43, 2000, "\0\0\0\1\0\0\0\0\x5d\xd7\x92\x0b\x0e\x00\x55\xd8", 16);
  log_record_u32(log, 1, 3000, 2);
  log_record(log, 43, 3000, "\0\0\0\1\0\0\0\0\x5d\xd7\x92\x0c\x0e\x00\x55\xd8", 16);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  char expected[200];
  snprintf(expected, sizeof expected,
    "10 -1 1 0 00000001\nclock at %u 1574408715234901000\n"
    "2000 -1 43 0 00000001000000005dd7920b0e0055d8\n",
    (unsigned)at);
  ck_assert_ptr_nonnull(strstr(decoded->lines, expected));
  ck_assert(decoded->outcome.state.epoch_exact);
  ck_assert_int_eq(decoded->outcome.state.epoch, 1574408716234900000);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_impossible_clock)
{
  static const char *const clocks[] = {"\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
    "\0\0\0\1\0\0\0\4\0\0\0\0\0\0\0\0", "\0\0\0\1\0\0\0\0\5\0\0\0\x3b\x9a\xca\0",
    "\0\0\0\1\0\0\0\x01\x12\xe0\xbe\x82\x19\x79\x6c\0"}; /* 2 to the 62nd ns */
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    struct log_builder *log = log_new();
    log_usual_header(log);
    log_block(log, 0, 5000, 0xffff);
    log_record(log, 43, 2000, clocks[i], 16);
    log_block_end(log);
    struct decoded *decoded = decode(log);
    ck_assert(!decoded->outcome.state.epoch_exact);
    ck_assert_uint_eq(decoded->outcome.by_type[43], 1);
    decoded_free(decoded);
    log_free(log);
  }
}
END_TEST

static void log_facts(struct log_builder *log, const char *program, size_t program_size, const char *rts)
{
  char arguments[600] = {0};
  memcpy(arguments + 4, program, program_size);
  char identifier[100] = {0};
  memcpy(identifier + 4, rts, strlen(rts));
  log_block(log, 0, 5000, 0xffff);
  log_record(log, 30, 1, arguments, 4 + program_size);
  log_record(log, 29, 2, identifier, 4 + strlen(rts));
  log_record(log, 32, 3, "\0\0\0\0\0\0\x10\x92", 8);
  log_block_end(log);
}

START_TEST(test_facts)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  log_facts(log,
    "/opt/bin/odd\xff"
    "ball\t\0--flag\0",
    26, "GHC-9.6.6 rts_thr");
  log_facts(log, "other", 6, "GHC-0.0");
  struct decoded *decoded = decode(log);
  ck_assert_str_eq(decoded->outcome.program, "odd\xef\xbf\xbd"
                                             "ball?");
  ck_assert_str_eq(decoded->outcome.rts, "GHC-9.6.6 rts_thr");
  ck_assert_uint_eq(decoded->outcome.state.pid, 4242);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_long_program)
{
  struct log_builder *log = log_new();
  char name[500];
  memset(name, 'x', sizeof name);
  memcpy(name + 254, "\xc3\xa9", 2); /* the cut may not tear it */
  log_usual_header(log);
  log_facts(log, name, sizeof name, "r");
  struct decoded *decoded = decode(log);
  ck_assert_uint_eq(strlen(decoded->outcome.program), 254);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

/* GHC 9.6 and 9.10: the length of 169 is one too large. 9.2: it is right. */
START_TEST(test_provenance)
{
  for (int lie = 0; lie <= 1; lie++)
    for (int then = 0; then <= 2; then++) {
      struct log_builder *log = log_new();
      log_usual_header(log);
      log_block(log, 1000, 90000, 0xffff);
      log_provenance(log, 2000, 4711, "first_info", lie);
      log_provenance(log, 2001, 4712, "second", lie);
      if (then == 1) log_record_u32(log, 0, 0x80000, 0);
      if (then == 2) log_record(log, 9, 50000, "", 0);
      log_block_end(log);
      log_end(log);
      struct decoded *decoded = decode(log);
      ck_assert_uint_eq(decoded->outcome.by_type[169], 2);
      ck_assert_uint_eq(decoded->outcome.events, then ? 4 : 3);
      ck_assert_uint_eq(decoded->outcome.state.damages, 0);
      decoded_free(decoded);
      log_free(log);
    }
}
END_TEST

/* The very last record, with nothing behind it: neither a block's end nor a next record decides. */
START_TEST(test_provenance_at_the_end)
{
  for (int lie = 0; lie <= 1; lie++) {
    struct log_builder *log = log_new();
    log_usual_header(log);
    log_block(log, 1000, 90000, 0xffff);
    log_provenance(log, 2000, 4711, "first_info", lie);
    log_block_size(log, 1000);
    struct decoded *decoded = decode(log);
    ck_assert_uint_eq(decoded->outcome.by_type[169], 1);
    assert_skipped(decoded, 0, 0);
    decoded_free(decoded);
    log_free(log);
  }
}
END_TEST

/* A length one larger than six strings can also be right: a byte that a later version added. */
START_TEST(test_provenance_with_more_payload)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  log_block(log, 1000, 90000, 0xffff);
  for (uint64_t i = 0; i < 3; i++) {
    log_provenance(log, 2000 + i, 4711, "first_info", 1);
    log_bytes(log, "", 1);
  }
  log_record_u32(log, 1, 3000, 7);
  log_block_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "1000:-1:18 2000:-1:169 2001:-1:169 2002:-1:169 3000:-1:1");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  assert_skipped(decoded, 0, 0);
  decoded_free(decoded);
  log_free(log);
}
END_TEST

START_TEST(test_largest_payload)
{
  struct log_builder *log = log_new();
  uint8_t *payload = calloc(1, 65535);
  log_usual_header(log);
  log_block(log, 0, 5000, 3);
  log_record(log, 19, 1, payload, 65535);
  log_record(log, 19, 2, "", 0);
  log_record(log, 19, 3, payload, SANITIZED ? 1000 : 65535); /* byte by byte, it takes its time */
  log_block_end(log);
  log_end(log);
  struct decoded *decoded = decode(log);
  assert_events(decoded, "0:3:18 1:3:19 2:3:19 3:3:19");
  ck_assert_uint_eq(decoded->outcome.state.damages, 0);
  decoded_free(decoded);
  free(payload);
  log_free(log);
}
END_TEST

/* Only what is wanted is given; all is counted. */
START_TEST(test_wanted)
{
  struct event_set *wanted = calloc(1, sizeof *wanted);
  event_set_add(wanted, 19);
  event_set_add(wanted, 300);
  struct eventlog_settings settings = {.wanted = wanted, .walk = true};
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{18, 14}, {1, 4}, {19, 0xffff}, {300, 0}};
  log_header(log, types, 4);
  log_block(log, 0, 5000, 3);
  for (uint32_t i = 0; i < 100; i++) log_record_u32(log, 1, i, i);
  log_record(log, 19, 1, "wanted", 6);
  log_record(log, 300, 1, "", 0);
  log_block_end(log);
  struct eventlog *eventlog = eventlog_new(&settings);
  struct evp_event events[10];
  struct eventlog_step step;
  eventlog_step(eventlog, log->data, log->size, events, 10, &step);
  ck_assert_int_eq(step.reason, EVENTLOG_HEADER);
  ck_assert_uint_eq(step.sync, 0);
  size_t n_types;
  ck_assert_uint_eq(eventlog_types(eventlog, &n_types)[3].number, 300);
  ck_assert_uint_eq(n_types, 4);
  ck_assert_str_eq(eventlog_type(eventlog, 19)->name, "USER_MSG");
  ck_assert_str_eq(eventlog_type(eventlog, 19)->description, "A type");
  ck_assert_ptr_null(eventlog_type(eventlog, 300)->name);
  ck_assert_ptr_null(eventlog_type(eventlog, 301));
  size_t at = step.consumed;
  eventlog_step(eventlog, log->data + at, log->size - at, events, 10, &step);
  ck_assert_int_eq(step.reason, EVENTLOG_MORE);
  ck_assert_uint_eq(step.sync, 0);
  ck_assert(step.framed);
  ck_assert_uint_eq(step.n, 2);
  ck_assert_uint_eq(events[0].type, 19);
  ck_assert_uint_eq(events[0].cap, 3);
  ck_assert_uint_eq(events[1].type, 300);
  ck_assert_uint_eq(eventlog_state(eventlog)->events, 103);
  eventlog_free(eventlog);
  free(wanted);
  log_free(log);
}
END_TEST

/* Nobody wants events: blocks are jumped over, the end is found. */
/* Whoever ends a copy must know where the last whole record ends, and which block is then open. */
START_TEST(test_open_block)
{
  struct event_set *all = calloc(1, sizeof *all);
  event_set_add(all, 1);
  struct eventlog_settings settings = {.wanted = all, .walk = true};
  struct log_builder *log = log_new();
  static const struct log_type types[] = {{18, 14}, {1, 4}};
  log_header(log, types, 2);
  size_t first = log->size;
  log_block(log, 0, 5000, 3);
  log_record_u32(log, 1, 1, 1);
  log_record_u32(log, 1, 2, 2);
  log_block_end(log);
  size_t second = log->size;
  log_block(log, 0, 5000, 3);
  log_record_u32(log, 1, 3, 3);
  log_block_end(log);
  struct evp_event events[10];
  struct eventlog_step step;
  for (size_t size = first; size <= log->size; size++) {
    struct eventlog *eventlog = eventlog_new(&settings);
    size_t at = 0;
    do {
      eventlog_step(eventlog, log->data + at, size - at, events, 10, &step);
      at += step.consumed;
    } while (step.reason != EVENTLOG_MORE);
    bool in_first = at > first && at<second, in_second = at> second && at < log->size;
    ck_assert_uint_eq(step.block, in_first ? first : in_second ? second : UINT64_MAX);
    eventlog_free(eventlog);
  }
  ck_assert_uint_eq(step.block, UINT64_MAX);
  log_free(log);
  free(all);
}
END_TEST

START_TEST(test_no_walk)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  for (uint64_t i = 0; i < 5; i++) {
    log_block(log, 1000 * i, 1000 * i + 900, (uint16_t)i);
    for (uint32_t k = 0; k < 10; k++) log_record_u32(log, 1, 1000 * i + k, k);
    log_block_end(log);
  }
  log_block(log, 5000, 6000, 0xffff);
  log_end(log);
  log_block_end(log);
  struct outcome *outcome = calloc(1, sizeof *outcome);
  struct feeding feeding = {.data = log->data, .size = log->size, .no_walk = true, .no_events = true};
  for (feeding.parameter = 1; feeding.parameter < 40; feeding.parameter += 7) {
    feeding.cut = CUT_FIXED;
    feed(&feeding, outcome);
    ck_assert_uint_eq(outcome->state.events, 0);
    ck_assert_uint_eq(outcome->state.blocks, 6);
    ck_assert_uint_eq(outcome->state.newest_block_end, 6000);
    ck_assert_uint_eq(outcome->state.damages, 0);
    ck_assert(outcome->ended);
  }
  free(outcome);
  log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("decoder");
  tcase_add_test(tests, test_worked_example);
  tcase_add_test(tests, test_ghc_6_12);
  tcase_add_test(tests, test_dialects);
  tcase_add_test(tests, test_mercury);
  tcase_add_test(tests, test_eden);
  tcase_add_test(tests, test_header_decides);
  tcase_add_test(tests, test_small_fixed_size);
  tcase_add_test(tests, test_clock);
  tcase_add_test(tests, test_impossible_clock);
  tcase_add_test(tests, test_facts);
  tcase_add_test(tests, test_long_program);
  tcase_add_test(tests, test_provenance);
  tcase_add_test(tests, test_provenance_at_the_end);
  tcase_add_test(tests, test_provenance_with_more_payload);
  tcase_add_test(tests, test_largest_payload);
  tcase_add_test(tests, test_wanted);
  tcase_add_test(tests, test_open_block);
  tcase_add_test(tests, test_no_walk);
  return check_main("decoder", tests);
}
