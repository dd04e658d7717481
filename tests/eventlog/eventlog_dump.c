/* eventlog-dump: prints what the decoder makes of a log, and tries it in other cuts.
 *
 *   eventlog-dump [--lines] [--no-walk] [--seed N | --bytes N] FILE|-   what it holds
 *   eventlog-dump --cuts N [--single] FILE|-      the same in N random cuts (and byte by byte) is the same
 *   eventlog-dump --every-cut N FILE              cut short at every Nth byte, it gives the prefix that it should
 *   eventlog-dump --splice N FILE|-               the prologue and the rest from N places on are sound logs
 *   eventlog-dump --flip N FILE                   N copies with damaged bytes are survived, all bytes accounted for
 */
#include "feeder.h"
#include "splice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int print(struct feeding *feeding)
{
  struct outcome *outcome = calloc(1, sizeof *outcome);
  if (!outcome) return 1;
  feed(feeding, outcome);
  outcome_print(outcome, stdout);
  free(outcome);
  return 0;
}

static bool adds_up(const struct outcome *outcome, size_t size)
{
  return outcome->decoded_bytes + outcome->state.skipped_bytes + outcome->state.cut_bytes == size;
}

static bool same_as(const struct outcome *whole, struct feeding *feeding, const char *how)
{
  struct outcome *other = calloc(1, sizeof *other);
  if (!other) return false;
  feed(feeding, other);
  bool same = outcome_equal(whole, other);
  if (!same) {
    printf("%s %" PRIu64 ": not the same\n--- in one piece\n", how, feeding->parameter);
    outcome_print(whole, stdout);
    printf("--- in pieces\n");
    outcome_print(other, stdout);
  }
  free(other);
  return same;
}

static int try_cuts(struct feeding *feeding, uint64_t n, bool single)
{
  struct outcome *whole = calloc(1, sizeof *whole);
  if (!whole) return 1;
  feed(feeding, whole);
  bool same = true;
  if (!adds_up(whole, feeding->size)) {
    printf("bytes do not add up\n");
    outcome_print(whole, stdout);
    same = false;
  }
  feeding->cut = CUT_RANDOM;
  for (uint64_t seed = 1; seed <= n && same; seed++) {
    feeding->parameter = seed;
    same = same_as(whole, feeding, "seed");
  }
  feeding->cut = CUT_FIXED;
  feeding->parameter = 1;
  if (single && same) same = same_as(whole, feeding, "bytes");
  free(whole);
  return !same;
}

/* Cut at `size`: in one piece and (each fourth time) in many gives the same, all is accounted for, and nothing is called damage. */
static bool cut_is_right(struct feeding *feeding, size_t size, uint64_t *events)
{
  struct outcome *whole = calloc(1, sizeof *whole);
  if (!whole) return false;
  feeding->size = size;
  feeding->cut = CUT_WHOLE;
  feed(feeding, whole);
  feeding->cut = CUT_RANDOM;
  feeding->parameter = size;
  bool right = (size % 4 || same_as(whole, feeding, "seed")) && adds_up(whole, size) && whole->events >= *events &&
               whole->events <= *events + 1 && whole->state.damages == 0;
  if (!right) {
    printf("cut at %zu:\n", size);
    outcome_print(whole, stdout);
  }
  *events = whole->events;
  free(whole);
  return right;
}

static int try_every_cut(struct feeding *feeding, size_t step)
{
  size_t size = feeding->size;
  uint64_t events = 0;
  for (size_t cut = 0; cut <= size; cut += step)
    if (!cut_is_right(feeding, cut, &events)) return 1;
  return 0;
}

static void damage(uint8_t *data, size_t size, uint64_t *random)
{
  unsigned places = 1 + (unsigned)(random_next(random) % 4);
  for (unsigned i = 0; i < places && size; i++) {
    size_t at = random_next(random) % size;
    if (random_next(random) % 4 == 0) at = random_next(random) % (size < 4096 ? size : 4096);
    data[at] ^= (uint8_t)(random_next(random) % 2 ? 1u << random_next(random) % 8 : random_next(random) % 256);
  }
}

static int try_flips(struct feeding *feeding, uint64_t n)
{
  const uint8_t *sound = feeding->data;
  uint8_t *data = malloc(feeding->size);
  struct outcome *outcome = calloc(1, sizeof *outcome);
  int status = !data || !outcome;
  for (uint64_t seed = 1; seed <= n && !status; seed++) {
    uint64_t random = seed;
    memcpy(data, sound, feeding->size);
    damage(data, feeding->size, &random);
    feeding->data = data;
    feeding->cut = CUT_WHOLE;
    feed(feeding, outcome);
    feeding->cut = CUT_RANDOM;
    feeding->parameter = seed;
    if (!same_as(outcome, feeding, "flip")) status = 1;
    if (!adds_up(outcome, feeding->size)) {
      printf("flip %" PRIu64 ": bytes do not add up\n", seed);
      outcome_print(outcome, stdout);
      status = 1;
    }
  }
  free(data);
  free(outcome);
  return status;
}

int main(int argc, char **argv)
{
  struct feeding feeding = {.cut = CUT_WHOLE};
  enum { PRINT, CUTS, EVERY_CUT, FLIPS, SPLICES } what = PRINT;
  uint64_t n = 0;
  bool single = false;
  const char *path = NULL;
  for (int i = 1; i < argc; i++) {
    bool more = i + 1 < argc;
    if (!strcmp(argv[i], "--lines"))
      feeding.lines = stdout;
    else if (!strcmp(argv[i], "--no-walk"))
      feeding.no_walk = feeding.no_events = true;
    else if (!strcmp(argv[i], "--single"))
      single = true;
    else if (!strcmp(argv[i], "--prologue"))
      feeding.prologue_size = 1 << 30;
    else if (!strcmp(argv[i], "--every-cut") && more)
      what = EVERY_CUT, n = strtoull(argv[++i], NULL, 0);
    else if (!strcmp(argv[i], "--seed") && more)
      feeding.cut = CUT_RANDOM, feeding.parameter = strtoull(argv[++i], NULL, 0);
    else if (!strcmp(argv[i], "--bytes") && more)
      feeding.cut = CUT_FIXED, feeding.parameter = strtoull(argv[++i], NULL, 0);
    else if (!strcmp(argv[i], "--cuts") && more)
      what = CUTS, n = strtoull(argv[++i], NULL, 0);
    else if (!strcmp(argv[i], "--splice") && more)
      what = SPLICES, n = strtoull(argv[++i], NULL, 0);
    else if (!strcmp(argv[i], "--flip") && more)
      what = FLIPS, n = strtoull(argv[++i], NULL, 0);
    else
      path = argv[i];
  }
  uint8_t *data = path ? read_whole(path, &feeding.size) : NULL;
  if (!data) return fprintf(stderr, "eventlog-dump: %s\n", path ? "can not read the file" : "no file given"), 2;
  feeding.data = data;
  int status = what == CUTS        ? try_cuts(&feeding, n, single)
               : what == EVERY_CUT ? try_every_cut(&feeding, (size_t)n)
               : what == SPLICES   ? try_splices(data, feeding.size, (unsigned)n)
               : what == FLIPS     ? try_flips(&feeding, n)
                                   : print(&feeding);
  free(data);
  return status;
}
