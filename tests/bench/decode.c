/* decode: the decoder, in memory, against bare loops over the same log. See README.md.
 *
 *   decode [--pairs N] [--repeat N] [--bare] LOG       --bare: only how long the bare loop takes
 */
#include "eventlog/eventlog.h"
#include "loops.h"
#include "pairs.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BATCH = 256 }; /* what the engine uses: the best of those measured */

struct bench {
  uint8_t *data, *copy;
  size_t size;
  unsigned repeat; /* a small log is gone over again and again */
  struct bare_log bare;
  struct event_set wanted;
  struct evp_event events[65536];
  uint32_t batch;
  uint64_t counted, counts[256];
  uint64_t (*loop)(const struct bare_log *);
};

static void *room(size_t size)
{
  void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (data == MAP_FAILED) perror("decode"), exit(1);
  madvise(data, size, MADV_HUGEPAGE);
  return data;
}

static void load(struct bench *bench, const char *path)
{
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) perror(path), exit(1);
  bench->size = (size_t)ftell(file);
  rewind(file);
  bench->data = room(bench->size + 64);
  if (fread(bench->data, 1, bench->size, file) != bench->size) perror(path), exit(1);
  fclose(file);
}

static uint64_t decode_once(struct bench *bench)
{
  struct eventlog_settings settings = {.wanted = &bench->wanted, .walk = true};
  struct eventlog *log = eventlog_new(&settings);
  struct eventlog_step step;
  uint64_t events = 0;
  size_t at = 0;
  do {
    eventlog_step(log, bench->data + at, bench->size - at, bench->events, bench->batch, &step);
    at += step.consumed;
    events += step.n;
  } while (step.reason != EVENTLOG_MORE);
  eventlog_finish(log, bench->data + at, bench->size - at, bench->events, bench->batch, &step);
  events += step.n;
  if (eventlog_state(log)->damages) fprintf(stderr, "decode: %s\n", eventlog_state(log)->first_damage_text), exit(1);
  eventlog_free(log);
  return events;
}

static void run_decoder(void *argument)
{
  struct bench *bench = argument;
  for (unsigned i = 0; i < bench->repeat; i++) bench->counted = decode_once(bench);
}

static void run_loop(void *argument)
{
  struct bench *bench = argument;
  for (unsigned i = 0; i < bench->repeat; i++) bench->counted = bench->loop(&bench->bare);
}

static void run_copy(void *argument)
{
  struct bench *bench = argument;
  for (unsigned i = 0; i < bench->repeat; i++) {
    memcpy(bench->copy, bench->data, bench->size);
    __asm__ volatile("" ::: "memory");
  }
}

static void run_24(void *argument)
{
  struct bench *bench = argument;
  for (unsigned i = 0; i < bench->repeat; i++) bench->counted = loop_fill_24(&bench->bare, bench->batch, bench->counts);
}

static void run_16(void *argument)
{
  struct bench *bench = argument;
  for (unsigned i = 0; i < bench->repeat; i++) bench->counted = loop_fill_16(&bench->bare, bench->batch, bench->counts);
}

static void prepare(struct bench *bench, const char *path)
{
  load(bench, path);
  memset(&bench->wanted, 0xff, sizeof bench->wanted);
  bench->copy = room(bench->size + 64);
  struct eventlog_settings settings = {.walk = true};
  struct eventlog *log = eventlog_new(&settings);
  struct eventlog_step step;
  eventlog_step(log, bench->data, bench->size, bench->events, 1, &step);
  if (step.reason != EVENTLOG_HEADER) fprintf(stderr, "decode: no eventlog\n"), exit(1);
  bare_log_make(&bench->bare, log, bench->data, bench->size, step.consumed);
  eventlog_free(log);
  bench->batch = BATCH;
  uint64_t events = decode_once(bench), guessed = loop_guessed(&bench->bare), plain = loop_plain(&bench->bare);
  if (guessed != plain || events != plain)
    fprintf(
      stderr, "decode: %" PRIu64 " events, the bare loops find %" PRIu64 ", %" PRIu64 "\n", events, plain, guessed),
      exit(1);
  printf("%s: %zu bytes, %" PRIu64 " events, gone over %u times for each figure\n", path, bench->size, events,
    bench->repeat);
}

static void report_speed(struct bench *bench, const char *name, double seconds)
{
  double total = (double)bench->repeat;
  printf("%-44s %6.2f ns/event  %7.1f M events/s  %6.2f GB/s\n", name, seconds / total * 1e9 / (double)bench->counted,
    (double)bench->counted * total / seconds / 1e6, (double)bench->size * total / seconds / 1e9);
}

static void compare_loop(struct bench *bench, unsigned n, uint64_t (*loop)(const struct bare_log *), const char *name)
{
  struct pairs pairs;
  char text[80];
  bench->loop = loop;
  bench->batch = BATCH;
  pairs_run(&pairs, n, run_loop, bench, run_copy, bench);
  report_speed(bench, name, median(pairs.ours, pairs.n));
  snprintf(text, sizeof text, "%s / memcpy", name);
  pairs_report(&pairs, text, 0.30);
  pairs_run(&pairs, n, run_decoder, bench, run_loop, bench);
  snprintf(text, sizeof text, "decoder / %s", name);
  pairs_report(&pairs, text, 0.70);
}

int main(int argc, char **argv)
{
  static struct bench bench = {.repeat = 1};
  static const struct option options[] = {{"pairs", required_argument, NULL, 'p'},
    {"repeat", required_argument, NULL, 'r'}, {"bare", no_argument, NULL, 'b'}, {0}};
  unsigned n = 9;
  bool bare = false;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
    if (option == '?') return 2;
    if (option == 'p') n = (unsigned)atoi(optarg);
    if (option == 'r') bench.repeat = (unsigned)atoi(optarg);
    if (option == 'b') bare = true;
  }
  if (optind + 1 != argc || bench.repeat == 0 || n == 0) return fprintf(stderr, "decode: a log is needed\n"), 2;
  prepare(&bench, argv[optind]);
  struct pairs pairs;
  if (bare) {
    bench.loop = loop_plain;
    pairs_run(&pairs, 1, run_loop, &bench, run_loop, &bench);
    printf("bare loop: %.6f s of CPU\n", (pairs.ours[0] + pairs.theirs[0]) / 2);
    return 0;
  }
  static const uint32_t batches[] = {64, 128, 256, 512, 1024, 2048, 4096};
  bench.loop = loop_guessed;
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
    char name[40];
    bench.batch = batches[i];
    pairs_run(&pairs, n, run_decoder, &bench, run_loop, &bench);
    snprintf(name, sizeof name, "decoder, batches of %u", batches[i]);
    report_speed(&bench, name, median(pairs.ours, pairs.n));
  }
  compare_loop(&bench, n, loop_plain, "bare loop");
  compare_loop(&bench, n, loop_guessed, "bare loop, lengths guessed");
  bench.batch = BATCH;
  pairs_run(&pairs, n, run_24, &bench, run_16, &bench);
  report_speed(&bench, "events of 24 bytes, filled and read", median(pairs.ours, pairs.n));
  report_speed(&bench, "events of 16 bytes, filled and read", median(pairs.theirs, pairs.n));
  pairs_report(&pairs, "24 bytes / 16 bytes", 0);
  return 0;
}
