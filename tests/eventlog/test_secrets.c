/* Where arguments and environment lie: whatever the cuts, nothing of them goes out unmarked, and nothing else is marked. */
#include "check_main.h"
#include "feeder.h"
#include "log_builder.h"

#include <evpipe/events.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1024 };

/* A log with its secrets overwritten; `known[i]`: the framing was known when byte i was handed on. */
struct redacted {
  uint8_t *bytes;
  bool *known;
  uint64_t damages;
};

static struct redacted redacted_new(const uint8_t *data, size_t size)
{
  struct redacted redacted = {.bytes = malloc(size + 1), .known = calloc(size + 1, 1)};
  ck_assert(redacted.bytes && redacted.known);
  memcpy(redacted.bytes, data, size);
  return redacted;
}

static void redacted_free(struct redacted *redacted)
{
  free(redacted->bytes);
  free(redacted->known);
}

static struct eventlog *begin(bool secrets, struct event_set *wanted)
{
  memset(wanted, 0xff, sizeof *wanted);
  struct eventlog_settings settings = {.wanted = secrets ? NULL : wanted, .secrets = secrets, .walk = true};
  struct eventlog *log = eventlog_new(&settings);
  ck_assert_ptr_nonnull(log);
  return log;
}

static void end(struct eventlog *log, struct redacted *redacted)
{
  redacted->damages += eventlog_state(log)->damages;
  eventlog_free(log);
}

/* What it has to be: the events say where their payloads lie. */
static struct redacted reference(const uint8_t *data, size_t size)
{
  struct redacted redacted = redacted_new(data, size);
  struct evp_event events[ROOM];
  struct eventlog_step step;
  struct event_set wanted;
  struct eventlog *log = begin(false, &wanted);
  size_t at = 0;
  do {
    eventlog_finish(log, data + at, size - at, events, ROOM, &step);
    at += step.consumed;
    for (uint32_t i = 0; i < step.n; i++) {
      uint16_t type = events[i].type, before = type == EVP_PROGRAM_INVOCATION ? 0 : 4;
      if (type != EVP_PROGRAM_ARGS && type != EVP_PROGRAM_ENV && type != EVP_PROGRAM_INVOCATION) continue;
      if (events[i].size > before)
        memset(redacted.bytes + (events[i].data - data) + before, 'x', events[i].size - before);
    }
    if (step.reason != EVENTLOG_RESTART) continue;
    end(log, &redacted);
    log = begin(false, &wanted);
  } while (step.reason != EVENTLOG_MORE);
  end(log, &redacted);
  return redacted;
}

struct feed {
  const uint8_t *data;
  size_t there, parsed, sent; /* of the data: has come, is consumed, was handed on */
  struct eventlog *log;
  struct event_set wanted;
  struct redacted out;
};

static void mark(struct feed *feed, const struct eventlog_step *step, size_t at)
{
  for (size_t i = 0; i < step->n_secrets; i++) {
    size_t from = at + (size_t)step->secrets[i].offset, to = from + step->secrets[i].size;
    ck_assert_uint_le(to, feed->there);
    for (size_t k = from > feed->sent ? from : feed->sent; k < to; k++) feed->out.bytes[k] = 'x';
  }
}

/* All that has come is decoded and handed on, as the engine does it. */
static void turn(struct feed *feed)
{
  struct evp_event events[1];
  struct eventlog_step step;
  bool known = true;
  do {
    eventlog_step(feed->log, feed->data + feed->parsed, feed->there - feed->parsed, events, 1, &step);
    known = known && step.framed;
    mark(feed, &step, feed->parsed);
    feed->parsed += step.consumed;
    if (step.reason != EVENTLOG_RESTART) continue;
    if (feed->sent > feed->parsed) feed->sent = feed->parsed;
    memcpy(feed->out.bytes + feed->sent, feed->data + feed->sent, feed->there - feed->sent); /* handed on anew */
    end(feed->log, &feed->out);
    feed->log = begin(true, &feed->wanted);
  } while (step.reason != EVENTLOG_MORE);
  memset(feed->out.known + feed->sent, known, feed->there - feed->sent);
  feed->sent = feed->there;
}

/* `longest`: of the pieces it comes in; random lengths, if `seed` is not 0. */
static struct redacted redact(const uint8_t *data, size_t size, size_t longest, uint64_t seed)
{
  struct feed feed = {.data = data, .out = redacted_new(data, size)};
  feed.log = begin(true, &feed.wanted);
  while (feed.there < size) {
    size_t piece = seed ? 1 + (size_t)(random_next(&seed) % longest) : longest;
    feed.there += piece < size - feed.there ? piece : size - feed.there;
    turn(&feed);
  }
  end(feed.log, &feed.out);
  return feed.out;
}

/* The bytes from `from` on. */
static void compare(const uint8_t *data, size_t size, size_t from, size_t longest, uint64_t seed, const char *name)
{
  struct redacted wanted = reference(data, size), got = redact(data, size, longest, seed);
  for (size_t i = from; i < size; i++) { /* a call of Check for each byte would take a minute */
    if (got.known[i] ? got.bytes[i] == wanted.bytes[i] : wanted.damages > 0) continue;
    ck_abort_msg("%s, cut %zu, seed %llu: byte %zu is %s, %02x, not %02x", name, longest, (unsigned long long)seed, i,
      got.known[i] ? "known" : "not known", got.bytes[i], wanted.bytes[i]);
  }
  redacted_free(&wanted);
  redacted_free(&got);
}

static void compare_cuts(const uint8_t *data, size_t size, const char *name)
{
  for (size_t piece = 1; piece < 70; piece++) compare(data, size, 0, piece, 0, name);
  for (uint64_t seed = 1; seed < 20; seed++) compare(data, size, 0, seed % 2 ? 40 : 4000, seed, name);
  compare(data, size, 0, size, 0, name);
}

static void put_secret(struct log_builder *log, uint16_t type, uint64_t time, const char *strings, size_t size)
{
  char payload[4096] = {0, 0, 0, 7};
  memcpy(payload + 4, strings, size);
  log_record(log, type, time, payload, 4 + size);
}
#define SECRETS "/usr/bin/SECRET\0--password=SECRET\0" /* and the literal's own NUL */

static struct log_builder *log_with_types(void)
{
  static const struct log_type types[] = {{0, 4}, {18, 14}, {24, 0xffff}, {30, 0xffff}, {31, 0xffff}, {169, 0xffff}};
  struct log_builder *log = log_new();
  log_header(log, types, sizeof types / sizeof *types);
  return log;
}

static void check_log(struct log_builder *log, const char *name)
{
  struct redacted wanted = reference(log->data, log->size);
  ck_assert_msg(!memmem(wanted.bytes, log->size, "SECRET", 6), "%s: the reference is wrong", name);
  redacted_free(&wanted);
  compare_cuts(log->data, log->size, name);
  log_free(log);
}

START_TEST(test_plain)
{
  struct log_builder *log = log_with_types();
  log_block(log, 0, 100, 0xffff);
  put_secret(log, 30, 1, SECRETS, sizeof SECRETS);
  put_secret(log, 31, 2, SECRETS, sizeof SECRETS);
  log_record(log, 24, 3, SECRETS, sizeof SECRETS);
  put_secret(log, 30, 3, "", 0);
  log_record(log, 30, 3, "", 0);
  log_record_u32(log, 0, 4, 30);
  put_secret(log, 31, 5, SECRETS, sizeof SECRETS);
  log_block_end(log);
  put_secret(log, 30, 6, SECRETS, sizeof SECRETS); /* outside of any block */
  log_end(log);
  check_log(log, "plain");
}
END_TEST

/* A secret is the first after a marker, and the last in its block: what follows comes late. */
START_TEST(test_blocks)
{
  struct log_builder *log = log_with_types();
  for (uint64_t i = 0; i < 4; i++) {
    log_block(log, i, i + 1, 0);
    put_secret(log, (uint16_t)(30 + i % 2), i, SECRETS, sizeof SECRETS);
    log_block_end(log);
  }
  log_end(log);
  check_log(log, "blocks");
}
END_TEST

/* Behind info tables, whose lengths may lie, records are seen long before they are decided. */
START_TEST(test_behind_info_tables)
{
  for (int lie = 0; lie < 2; lie++) {
    struct log_builder *log = log_with_types();
    log_block(log, 0, UINT64_C(1) << 40, 0xffff);
    for (uint64_t i = 0; i < 30; i++) {
      log_provenance(log, 1000 + i, i, "main_info", lie);
      if (i % 3 == 0) put_secret(log, 30, 1000 + i, SECRETS, sizeof SECRETS);
      if (i % 5 == 0) log_record_u32(log, 0, 30 * 256 + i, 30 * 256);
    }
    log_block_end(log);
    log_end(log);
    check_log(log, lie ? "lying info tables" : "honest info tables");
  }
}
END_TEST

/* Nothing of the secrets is seen, whatever the cuts. */
static void check_hidden(const struct log_builder *log)
{
  for (size_t piece = 1; piece <= log->size; piece++) {
    struct redacted got = redact(log->data, log->size, piece, 0);
    for (size_t i = 0; i + 6 <= log->size; i++) {
      bool known = true;
      for (size_t k = i; k < i + 6; k++) known = known && got.known[k];
      if (known && !memcmp(got.bytes + i, "SECRET", 6)) ck_abort_msg("pieces of %zu: byte %zu", piece, i);
    }
    redacted_free(&got);
  }
}

/* Behind another log that was cut within a secret, which claims the begin of the second one. */
START_TEST(test_two_logs)
{
  struct log_builder *log = log_with_types();
  log_block(log, 0, 100, 0xffff);
  put_secret(log, 30, 1, SECRETS, sizeof SECRETS);
  put_secret(log, 30, 2, SECRETS, sizeof SECRETS);
  log->size -= 20;
  size_t second = log->size;
  struct log_builder *other = log_with_types();
  log_block(other, 0, 100, 0xffff);
  put_secret(other, 31, 1, SECRETS, sizeof SECRETS);
  log_block_end(other);
  log_end(other);
  log_bytes(log, other->data, other->size);
  log_free(other);
  check_hidden(log);
  for (size_t piece = 1; piece < log->size; piece++)
    compare(log->data, log->size, second, piece, 0, "the second of two logs");
  log_free(log);
}
END_TEST

/* What is damaged is not known to be free of secrets. */
START_TEST(test_damage)
{
  struct log_builder *log = log_with_types();
  log_block(log, 0, 100, 0xffff);
  size_t damaged = log->size;
  put_secret(log, 30, 1, SECRETS, sizeof SECRETS);
  put_secret(log, 31, 1, SECRETS, sizeof SECRETS);
  log->data[damaged + 1] = 200;
  log_block_end(log);
  log_block(log, 100, 200, 0xffff);
  put_secret(log, 30, 150, SECRETS, sizeof SECRETS);
  log_block_end(log);
  log_end(log);
  check_hidden(log);
  log_free(log);
}
END_TEST

static void check_file(const char *path)
{
  size_t size;
  uint8_t *data = read_whole(path, &size);
  ck_assert_msg(data, "%s can not be read", path);
  if (size < 30000) compare(data, size, 0, 1, 0, path);
  for (uint64_t seed = 1; seed < 4; seed++) compare(data, size, 0, seed == 1 ? 100 : 70000, seed, path);
  free(data);
}

START_TEST(test_real_logs)
{
  const char *folders[] = {getenv("EVPIPE_DATA"), getenv("EVPIPE_EVENTLOGS")};
  size_t n = 0;
  for (size_t i = 0; i < 2; i++) {
    char pattern[4096];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "%s/*.eventlog", folders[i] ? folders[i] : "");
    if (!glob(pattern, 0, NULL, &found))
      for (size_t k = 0; k < found.gl_pathc; k++, n++) check_file(found.gl_pathv[k]);
    globfree(&found);
  }
  ck_assert_uint_gt(n, 0);
}
END_TEST

int main(void)
{
  TCase *cases = tcase_create("secrets");
  tcase_add_test(cases, test_plain);
  tcase_add_test(cases, test_blocks);
  tcase_add_test(cases, test_behind_info_tables);
  tcase_add_test(cases, test_two_logs);
  tcase_add_test(cases, test_damage);
  tcase_add_test(cases, test_real_logs);
  return check_main("secrets", cases);
}
