#include "decoded.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void assert_same(const struct outcome *whole, const struct outcome *other, const char *how)
{
  if (outcome_equal(whole, other)) return;
  outcome_print(whole, stdout);
  outcome_print(other, stdout);
  fflush(stdout);
  ck_abort_msg("%s it is another log", how);
}

static void assert_same_in_cuts(const struct outcome *whole, const void *data, size_t size)
{
  struct outcome *other = calloc(1, sizeof *other);
  struct feeding feeding = {.data = data, .size = size, .cut = CUT_FIXED, .parameter = 1};
  feed(&feeding, other);
  assert_same(whole, other, "byte by byte");
  feeding.room = 1;
  feed(&feeding, other);
  assert_same(whole, other, "event by event");
  feeding.room = 0;
  feeding.cut = CUT_RANDOM;
  for (feeding.parameter = 1; feeding.parameter <= 10; feeding.parameter++) {
    feed(&feeding, other);
    assert_same(whole, other, "in random cuts");
  }
  free(other);
}

struct decoded *decode_bytes(const void *data, size_t size)
{
  struct decoded *decoded = calloc(1, sizeof *decoded);
  size_t length;
  FILE *lines = open_memstream(&decoded->lines, &length);
  struct feeding feeding = {.data = data, .size = size, .lines = lines};
  feed(&feeding, &decoded->outcome);
  fclose(lines);
  assert_same_in_cuts(&decoded->outcome, data, size);
  const struct outcome *outcome = &decoded->outcome;
  ck_assert_uint_eq(outcome->decoded_bytes + outcome->state.skipped_bytes + outcome->state.cut_bytes, size);
  return decoded;
}

struct decoded *decode(const struct log_builder *log)
{
  return decode_bytes(log->data, log->size);
}

void decoded_free(struct decoded *decoded)
{
  free(decoded->lines);
  free(decoded);
}

void assert_events(const struct decoded *decoded, const char *expected)
{
  char *got = calloc(1, strlen(decoded->lines) + 1);
  char *copy = strdup(decoded->lines);
  char *rest = copy;
  for (char *line; (line = strsep(&rest, "\n"));) {
    uint64_t time;
    int cap;
    unsigned type;
    if (sscanf(line, "%" SCNu64 " %d %u", &time, &cap, &type) != 3) continue;
    sprintf(got + strlen(got), "%s%" PRIu64 ":%d:%u", *got ? " " : "", time, cap, type);
  }
  ck_assert_str_eq(got, expected);
  free(copy);
  free(got);
}

void assert_skipped(const struct decoded *decoded, uint64_t skipped, uint64_t cut)
{
  ck_assert_uint_eq(decoded->outcome.state.skipped_bytes, skipped);
  ck_assert_uint_eq(decoded->outcome.state.cut_bytes, cut);
}
