/* An eventlog made again of events: read back, it holds the same ones, and every block of it is sound. */
#include "check_main.h"
#include "eventlog_builder.h"
#include "fake_host.h"
#include "text.h"

#include <evpipe/events.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

enum { BATCH_MAX = 16384, HEAD = 10, MARKER = 24 };

static const struct evp_event_type types[] = {
  {.number = EVP_CREATE_THREAD, .size = 4, .description = "Create thread"},
  {.number = EVP_BLOCK_MARKER, .size = 14, .description = "Block marker"},
  {.number = EVP_USER_MSG, .size = 0xffff, .description = "User message"},
  {.number = 300, .size = 0xffff, .description = ""},
};
enum { TYPES = sizeof types / sizeof *types };

/* The whole eventlog of what is in the log, handed over in batches of `step`. */
static struct evp_buf build(const struct fake_log *log, size_t step, uint64_t *unwritable)
{
  static uint16_t sel[BATCH_MAX];
  struct evp_buf out = {0};
  ck_assert(eventlog_builder_header(&out, log->stream));
  for (size_t from = 0; from < log->n; from += step) {
    uint32_t n = (uint32_t)(step < log->n - from ? step : log->n - from);
    for (uint32_t i = 0; i < n; i++) sel[i] = (uint16_t)i;
    struct evp_batch batch = {
      .signal = EVP_EVENTS, .stream = log->stream, .events = log->events + from, .sel = sel, .n = n};
    ck_assert(eventlog_builder_events(&out, &batch, unwritable));
  }
  ck_assert(eventlog_builder_end(&out));
  return out;
}

static struct fake_log *read_back(const struct evp_buf *built)
{
  char path[] = "/tmp/eventlog-builder-XXXXXX";
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, built->data, built->size), (ssize_t)built->size);
  close(fd);
  struct fake_log *log = fake_log_read(path);
  unlink(path);
  return log;
}

static size_t header_size(const struct evp_buf *built)
{
  const uint8_t *end = memmem(built->data, built->size, "hetehdredatb", 12);
  ck_assert_ptr_nonnull(end);
  return (size_t)(end + 12 - built->data);
}

/* Blocks one after another to the end marker, each with records that lie wholly in it, of times between its own. */
static void check_blocks(const struct evp_buf *built, const struct fake_log *log)
{
  size_t at = header_size(built);
  while (evp_u16(built->data + at) != 0xffff) {
    const uint8_t *marker = built->data + at;
    ck_assert_uint_eq(evp_u16(marker), EVP_BLOCK_MARKER);
    size_t end = at + evp_u32(marker + HEAD);
    ck_assert_uint_gt(end, at + MARKER);
    for (at += MARKER; at < end;) {
      const uint8_t *record = built->data + at;
      const struct evp_event_type *type = evp_stream_event_type(log->stream, evp_u16(record));
      ck_assert_ptr_nonnull(type);
      ck_assert_uint_ge(evp_u64(record + 2), evp_u64(marker + 2));
      ck_assert_uint_le(evp_u64(record + 2), evp_u64(marker + 14));
      at += type->size == 0xffff ? HEAD + 2u + evp_u16(record + HEAD) : (size_t)HEAD + type->size;
    }
    ck_assert_uint_eq(at, end);
  }
  ck_assert_uint_eq(at + EVENTLOG_END_SIZE, built->size);
}

static bool same(const struct evp_event *a, const struct evp_event *b)
{
  return a->time == b->time && a->type == b->type && a->cap == b->cap && a->size == b->size && a->flags == b->flags &&
         !memcmp(a->data, b->data, a->size);
}

/* The next event that is no block marker. */
static const struct evp_event *next(const struct fake_log *log, size_t *at)
{
  while (*at < log->n && log->events[*at].type == EVP_BLOCK_MARKER) ++*at;
  return *at < log->n ? &log->events[(*at)++] : NULL;
}

static void check_same(const struct fake_log *log, const struct fake_log *again)
{
  size_t at = 0, at_again = 0;
  for (;;) {
    const struct evp_event *event = next(log, &at), *copy = next(again, &at_again);
    ck_assert_msg(!event == !copy, "event %zu of %zu: there are %zu", at, log->n, again->n);
    if (!event) return;
    ck_assert_msg(same(event, copy), "event %zu of type %u differs", at, event->type);
  }
}

static void check_round(const struct fake_log *log, size_t step)
{
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, step, &unwritable);
  ck_assert_uint_eq(unwritable, 0);
  struct fake_log *again = read_back(&built);
  check_blocks(&built, again);
  check_same(log, again);
  fake_log_free(again);
  text_free(&built);
}

/* ------------------------------------------------------------------------------------------------------------- tests */

/* All logs at hand, IPE whose length lies among them, cut into batches of every kind. */
START_TEST(test_real_logs)
{
  char pattern[1024];
  glob_t logs;
  snprintf(pattern, sizeof pattern, "%s/*.eventlog", getenv("EVPIPE_DATA"));
  ck_assert_int_eq(glob(pattern, 0, NULL, &logs), 0);
  const size_t steps[] = {1, 7, 1000, BATCH_MAX};
  for (size_t i = 0; i < logs.gl_pathc; i++) {
    struct fake_log *log = fake_log_read(logs.gl_pathv[i]);
    ck_assert_ptr_nonnull(log);
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) check_round(log, steps[k]);
    fake_log_free(log);
  }
  globfree(&logs);
}
END_TEST

/* The worked example of the format: what is written down there, byte for byte, but for the times of the blocks. */
START_TEST(test_bytes)
{
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  fake_log_add(log, 2000, EVP_CREATE_THREAD, 0, 0, "\0\0\0\7", 4);
  fake_log_add(log, 2500, EVP_USER_MSG, 0, EVP_EVENT_VARIABLE, "hi", 2);
  fake_log_add(log, 1500, EVP_USER_MSG, EVP_NO_CAP, EVP_EVENT_VARIABLE, "", 0);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 3, &unwritable);
  static const uint8_t expected[] = "\0\22"
                                    "\0\0\0\0\0\0\7\xd0"
                                    "\0\0\0\x34"
                                    "\0\0\0\0\0\0\x09\xc4"
                                    "\0\0"
                                    "\0\0"
                                    "\0\0\0\0\0\0\7\xd0"
                                    "\0\0\0\7"
                                    "\0\23"
                                    "\0\0\0\0\0\0\x09\xc4"
                                    "\0\2"
                                    "hi"
                                    "\0\22"
                                    "\0\0\0\0\0\0\5\xdc"
                                    "\0\0\0\x24"
                                    "\0\0\0\0\0\0\5\xdc"
                                    "\xff\xff"
                                    "\0\23"
                                    "\0\0\0\0\0\0\5\xdc"
                                    "\0\0"
                                    "\xff\xff";
  size_t header = header_size(&built);
  ck_assert_uint_eq(built.size - header, sizeof expected - 1);
  ck_assert_mem_eq(built.data + header, expected, sizeof expected - 1);
  text_free(&built);
  fake_log_free(log);
}
END_TEST

START_TEST(test_header)
{
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 1, &unwritable);
  struct fake_log *again = read_back(&built);
  size_t n;
  const struct evp_event_type *read = evp_stream_event_types(again->stream, &n);
  ck_assert_uint_eq(n, TYPES);
  for (size_t i = 0; i < n; i++) {
    ck_assert_uint_eq(read[i].number, types[i].number);
    ck_assert_uint_eq(read[i].size, types[i].size);
    ck_assert_str_eq(read[i].description, types[i].description);
  }
  ck_assert_uint_eq(built.size, header_size(&built) + EVENTLOG_END_SIZE);
  fake_log_free(again);
  fake_log_free(log);
  text_free(&built);
}
END_TEST

/* Without the block marker the blocks could not be read; with one of another size they would be read wrong. */
START_TEST(test_marker_is_declared)
{
  const struct evp_event_type odd[][2] = {
    {{.number = EVP_CREATE_THREAD, .size = 4, .description = "Create thread"}},
    {{.number = EVP_CREATE_THREAD, .size = 4, .description = "Create thread"},
      {.number = EVP_BLOCK_MARKER, .size = 20, .description = "Block marker"}},
  };
  for (size_t i = 0; i < 2; i++) {
    struct fake_log *log = fake_log_new(odd[i], i + 1, 0);
    fake_log_add(log, 1, EVP_CREATE_THREAD, 3, 0, "\0\0\0\1", 4);
    check_round(log, 1);
    fake_log_free(log);
  }
}
END_TEST

START_TEST(test_markers_are_left_out)
{
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  uint8_t marker[14] = {0};
  fake_log_add(log, 1, EVP_BLOCK_MARKER, 0, 0, marker, sizeof marker);
  fake_log_add(log, 2, EVP_CREATE_THREAD, 0, 0, "\0\0\0\1", 4);
  fake_log_add(log, 3, EVP_BLOCK_MARKER, 1, 0, marker, sizeof marker);
  fake_log_add(log, 4, EVP_CREATE_THREAD, 0, 0, "\0\0\0\2", 4);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 4, &unwritable);
  ck_assert_uint_eq(unwritable, 0);
  ck_assert_uint_eq(built.size - header_size(&built), MARKER + 2 * 14 + EVENTLOG_END_SIZE);
  text_free(&built);
  fake_log_free(log);
}
END_TEST

START_TEST(test_unwritable)
{
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  fake_log_add(log, 1, EVP_GC_START, 0, 0, "", 0); /* not declared */
  fake_log_add(log, 2, EVP_CREATE_THREAD, 0, 0, "\0\0", 2); /* not its size */
  fake_log_add(log, 3, 0xffff, 0, EVP_EVENT_VARIABLE, "", 0); /* would end the log */
  fake_log_add(log, 4, 300, 0, EVP_EVENT_VARIABLE, "good", 4);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 2, &unwritable);
  ck_assert_uint_eq(unwritable, 3);
  ck_assert_uint_eq(built.size - header_size(&built), MARKER + 16 + EVENTLOG_END_SIZE);
  text_free(&built);
  fake_log_free(log);
}
END_TEST

/* Its header says 8, its events have 4: both are kept, for readers know 6.12 by its header. */
START_TEST(test_ghc_6_12)
{
  const struct evp_event_type declared[] = {{.number = EVP_CREATE_THREAD, .size = 8, .description = "Create thread"},
    {.number = EVP_BLOCK_MARKER, .size = 14, .description = "Block marker"}};
  struct fake_log *log = fake_log_new(declared, 2, EVP_DIALECT_GHC_6_12 | EVP_DIALECT_STOP_A);
  fake_log_add(log, 1, EVP_CREATE_THREAD, 0, 0, "\0\0\0\1", 4);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 1, &unwritable);
  ck_assert_uint_eq(unwritable, 0);
  ck_assert_uint_eq(built.size - header_size(&built), MARKER + 14 + EVENTLOG_END_SIZE);
  ck_assert_uint_eq(evp_u16(built.data + 14), 8);
  text_free(&built);
  fake_log_free(log);
}
END_TEST

/* Times that go back, as GC_END's do; longest payloads; a block is never larger than GHC's. */
START_TEST(test_limits)
{
  static uint8_t longest[0xffff];
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  for (uint16_t i = 0; i < 100; i++)
    fake_log_add(log, 1000u - i, EVP_USER_MSG, 0, EVP_EVENT_VARIABLE, longest, sizeof longest);
  check_round(log, 100);
  uint64_t unwritable = 0;
  struct evp_buf built = build(log, 100, &unwritable);
  for (size_t at = header_size(&built); evp_u16(built.data + at) != 0xffff; at += evp_u32(built.data + at + HEAD))
    ck_assert_uint_lt(evp_u32(built.data + at + HEAD), 2 << 20);
  text_free(&built);
  fake_log_free(log);
}
END_TEST

START_TEST(test_no_memory)
{
  struct fake_log *log = fake_log_new(types, TYPES, 0);
  fake_log_add(log, 1, EVP_USER_MSG, 0, EVP_EVENT_VARIABLE, "message", 7);
  const uint16_t sel[] = {0};
  struct evp_batch batch = {.signal = EVP_EVENTS, .stream = log->stream, .events = log->events, .sel = sel, .n = 1};
  uint64_t unwritable = 0;
  struct evp_buf out = {0};
  fake_full_after = 0;
  ck_assert(!eventlog_builder_events(&out, &batch, &unwritable));
  fake_full_after = 0;
  ck_assert(!eventlog_builder_header(&out, log->stream));
  fake_full_after = -1;
  ck_assert(eventlog_builder_events(&out, &batch, &unwritable));
  text_free(&out);
  fake_log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("eventlog_builder");
  tcase_add_test(tests, test_real_logs);
  tcase_add_test(tests, test_bytes);
  tcase_add_test(tests, test_header);
  tcase_add_test(tests, test_marker_is_declared);
  tcase_add_test(tests, test_markers_are_left_out);
  tcase_add_test(tests, test_unwritable);
  tcase_add_test(tests, test_ghc_6_12);
  tcase_add_test(tests, test_limits);
  tcase_add_test(tests, test_no_memory);
  return check_main("eventlog_builder", tests);
}
