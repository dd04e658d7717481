/* From batches to what is shown: runs, reconnects, censuses, the bound of memory over a day, pushes, any bytes. */
#include "pending.h"
#include "run.h"
#include "sink_host.h"
#include "view.h"
#include "wall_clock.h"

#include "check_main.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static struct programs programs;
static struct evp_buf text;
static const struct evp_label service[] = {{"service", "app"}};

static struct sink_host_stream make_stream(const char *source)
{
  return (struct sink_host_stream){
    .source = source, .service = "app", .labels = service, .n_labels = 1, .pid = 77, .live = true};
}

/* ------------------------------------------------------------------------------------------------------------- a program */

enum { ITEMS_MAX = 1024 };

struct said {
  struct evp_metric metrics[ITEMS_MAX];
  uint16_t sel[ITEMS_MAX];
  uint32_t n;
};

/* Made by a test, freed after it. */
static void *made[4 * ITEMS_MAX];
static size_t n_made;

static void *make(size_t size)
{
  ck_assert_uint_lt(n_made, sizeof made / sizeof *made);
  return made[n_made++] = calloc(1, size);
}

static void setup(void)
{
  programs_init(&programs, 64 << 20, 100);
}

static void teardown(void)
{
  while (n_made) free(made[--n_made]);
  programs_free(&programs);
  ck_assert_uint_eq(programs.budget.used, 0);
  text_free(&text);
}

static struct evp_series gauge = {.id = 1, .name = "ghc_heap_size_bytes", .kind = EVP_GAUGE, .type = EVP_INT64};

/* A series with one or two labels, which lives as long as the test. */
static struct evp_series *series_with(
  uint64_t id, const char *name, const char *key, const char *value, const char *band)
{
  struct evp_series *series = make(sizeof *series);
  struct evp_label *labels = make(2 * sizeof *labels);
  labels[0] = (struct evp_label){key, value};
  labels[1] = (struct evp_label){"band", band};
  *series = (struct evp_series){.id = id, .name = name, .kind = EVP_GAUGE, .type = EVP_INT64, .labels = labels};
  series->n_labels = band ? 2 : 1;
  return series;
}

static void say(struct said *said, const struct evp_series *series, int64_t time, int64_t value)
{
  said->sel[said->n] = (uint16_t)said->n;
  said->metrics[said->n++] = (struct evp_metric){.time = time, .series = series, .value.i = value};
}

static void take_as(struct run *run, struct said *said, uint32_t flags, uint64_t reach, const char *origin)
{
  struct evp_batch batch = {.signal = EVP_METRICS,
    .flags = flags,
    .stream = run->stream,
    .origin = origin,
    .metrics = said->metrics,
    .sel = said->sel,
    .n = said->n};
  said->n = 0;
  run_take(run, &batch, reach);
}

static void take(struct run *run, struct said *said)
{
  take_as(run, said, 0, EVP_NEVER, "heap");
}

static const char *shown(const struct program *program, const struct view *wanted)
{
  static const struct view all = {.from = INT64_MIN, .to = INT64_MAX, .columns = 2000, .bands = 20};
  text.size = 0;
  ck_assert(view_write(program, wanted ? wanted : &all, &text));
  ck_assert(text_put_char(&text, '\0'));
  return (const char *)text.data;
}

static void expect(const struct program *program, const struct view *wanted, const char *piece)
{
  const char *json = shown(program, wanted);
  ck_assert_msg(strstr(json, piece) != NULL, "%s is not in %s", piece, json);
}

/* ------------------------------------------------------------------------------------------------------------- runs */

START_TEST(a_reconnect_is_another_run_of_the_same_program)
{
  struct sink_host_stream first = make_stream("app"), second = make_stream("app"), other = make_stream("other");
  struct run a = {0}, b = {0}, c = {0};
  struct said said = {0};
  run_begin(&a, &programs, sink_host_stream(&first));
  say(&said, &gauge, 10 * SECOND, 5);
  take(&a, &said);
  run_end(&a);
  run_begin(&b, &programs, sink_host_stream(&second));
  run_begin(&c, &programs, sink_host_stream(&other));
  ck_assert_ptr_eq(a.program, b.program);
  ck_assert_ptr_ne(b.program, c.program);
  ck_assert_uint_eq(b.program->n_runs, 2);
  say(&said, &gauge, 12 * SECOND, 6);
  take(&b, &said);
  ck_assert(!b.anew);
  expect(b.program, NULL, "\"breaks\":[12]");
  expect(b.program, NULL, "\"heap\":{\"time\":[10,12],\"size\":[5,6],\"live\":[null,null]");
  run_end(&b);
  run_end(&c);
}
END_TEST

START_TEST(a_recording_that_is_played_again_begins_anew)
{
  struct sink_host_stream first = make_stream("app"), second = make_stream("app");
  struct run a = {0}, b = {0};
  struct said said = {0};
  first.live = second.live = false;
  run_begin(&a, &programs, sink_host_stream(&first));
  say(&said, &gauge, 10 * SECOND, 5);
  say(&said, &gauge, 20 * SECOND, 5);
  take(&a, &said);
  run_end(&a);
  run_begin(&b, &programs, sink_host_stream(&second));
  say(&said, &gauge, 10 * SECOND, 7);
  take(&b, &said);
  ck_assert(b.anew);
  expect(b.program, NULL, "\"heap\":{\"time\":[10],\"size\":[7]");
  run_end(&b);
}
END_TEST

/* Times of the run before lie so far ahead that nothing of this one would stay. One that goes back by less is a break. */
START_TEST(a_clock_that_was_set_back_begins_anew)
{
  struct sink_host_stream streams[] = {make_stream("app"), make_stream("app"), make_stream("app")};
  static const int64_t begins[] = {1000000, 999200, 5000};
  struct said said = {0};
  struct program *program = NULL;
  for (int i = 0; i < 3; i++) {
    struct run run = {0};
    run_begin(&run, &programs, sink_host_stream(&streams[i]));
    for (int64_t k = 0; k < 3; k++) {
      say(&said, &gauge, (begins[i] + k) * SECOND, 7 + i);
      take_as(&run, &said, 0, 900 * (uint64_t)SECOND, "heap");
    }
    program = run.program;
    ck_assert_int_eq(run.anew, i == 2);
    ck_assert_uint_eq(program->history.gauges[GAUGE_SIZE].n, i == 1 ? 6 : 3);
    run_end(&run);
  }
  expect(program, NULL, "\"heap\":{\"time\":[5000,5001,5002],\"size\":[9,9,9]");
}
END_TEST

/* A live history of ten minutes until now; then a census, a log and a size say a time that is years ahead; then it goes on. */
static void take_leap(struct run *run, struct said *said, int64_t now, int64_t ahead, uint64_t reach, bool again)
{
  const struct evp_series *band = series_with(77, "ghc_heap_census_bytes", "breakdown", "type", "x");
  for (int64_t i = -600; i <= 0; i++) {
    say(said, &gauge, now + i * SECOND, 1000 + i);
    take_as(run, said, 0, reach, "heap");
  }
  for (int64_t i = 0; i < 3; i++) {
    say(said, &gauge, now + ahead + i * SECOND, 9000);
    say(said, band, now + ahead + i * SECOND, 5);
    take_as(run, said, i == 2 ? EVP_BATCH_MORE : 0, reach, "heap");
  }
  for (int64_t i = 1; again && i <= 10; i++) {
    say(said, &gauge, now + i * SECOND, 1000 + i);
    say(said, band, now + i * SECOND, 5);
    take_as(run, said, 0, reach, "heap");
  }
}

/* Whether the stream is live or recorded, and remembered for a while or, live, for ever. */
START_TEST(times_that_are_far_ahead_once_neither_empty_history_nor_stay)
{
  const bool live = _i != 1;
  const uint64_t reach = _i == 2 ? EVP_NEVER : 900 * (uint64_t)SECOND;
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  stream.live = live;
  run_begin(&run, &programs, sink_host_stream(&stream));
  int64_t now = wall_clock() - 20 * SECOND;
  take_leap(&run, &said, now, 86400 * 365 * SECOND, reach, true);
  const struct history *history = &run.program->history;
  ck_assert_uint_eq(history->gauges[GAUGE_SIZE].n, 611);
  ck_assert_int_eq(history->newest, now + 10 * SECOND);
  ck_assert_uint_eq(history->censuses.column.n, 10);
  ck_assert_uint_eq(run.not_newer, 0);
  ck_assert_uint_eq(run.wrong_time, 3 + 2 + 1); /* sizes, censuses, the row of one that was not complete */
  ck_assert(run.anew);
  run_end(&run);
}
END_TEST

/* A program, or a recording, may say nothing for longer than history reaches. */
START_TEST(times_that_go_on_far_ahead_are_believed)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  stream.live = _i == 0;
  run_begin(&run, &programs, sink_host_stream(&stream));
  int64_t now = wall_clock(), ahead = 86400 * SECOND;
  take_leap(&run, &said, now, ahead, 900 * (uint64_t)SECOND, false);
  ck_assert_int_eq(run.program->history.newest, now);
  for (int64_t i = 3; i < 30; i++) {
    say(&said, &gauge, now + ahead + i * SECOND, 9000);
    take_as(&run, &said, 0, 900 * (uint64_t)SECOND, "heap");
  }
  ck_assert_int_eq(run.program->history.newest, now + ahead + 29 * SECOND);
  ck_assert_uint_eq(run.program->history.gauges[GAUGE_SIZE].n, 30);
  ck_assert_uint_eq(run.wrong_time, 0);
  run_end(&run);
}
END_TEST

static void take_events_of(struct run *run, const int64_t *times, uint32_t n, uint64_t reach)
{
  static struct evp_event events[ITEMS_MAX];
  static uint16_t sel[ITEMS_MAX];
  for (uint32_t i = 0; i < n; i++) {
    events[i] = (struct evp_event){.time = (uint64_t)times[i], .type = EVP_GC_START};
    sel[i] = (uint16_t)i;
  }
  struct evp_batch batch = {.signal = EVP_EVENTS,
    .stream = run->stream,
    .origin = "source",
    .events = events,
    .sel = sel,
    .n = n,
    .epoch = 1000 * SECOND};
  run_take(run, &batch, reach);
}

/* The metrics of a batch of events come behind it, and begin before the gap that the events have passed. That is no sign that the
   gap is none, whichever comes first. */
START_TEST(a_gap_within_a_batch_of_a_recording)
{
  enum { BEFORE = 300, AFTER = 50 };
  const uint64_t reach = 900 * (uint64_t)SECOND;
  const bool events_first = _i & 1;
  const int64_t after =
    7200 * SECOND + (_i & 2 ? 20 * SECOND : 0); /* a burst that is short, and one that is believed at once */
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  int64_t times[BEFORE + AFTER];
  stream.live = false;
  run_begin(&run, &programs, sink_host_stream(&stream));
  say(&said, &gauge, 1000 * SECOND, 1);
  take_as(&run, &said, 0, reach, "heap");
  for (int64_t i = 0; i < BEFORE; i++) times[i] = i * SECOND / 10;
  for (int64_t i = 0; i < AFTER; i++) times[BEFORE + i] = 7200 * SECOND + i * (after - 7199 * SECOND) / AFTER;
  if (events_first) take_events_of(&run, times, BEFORE + AFTER, reach);
  for (uint32_t i = 0; i < BEFORE + AFTER; i++) say(&said, &gauge, 1000 * SECOND + times[i], 9);
  take_as(&run, &said, 0, reach, "heap");
  if (!events_first) take_events_of(&run, times, BEFORE + AFTER, reach);
  ck_assert_uint_eq(run.wrong_time, 0);
  int64_t later = times[BEFORE + AFTER - 1] + 20 * SECOND;
  take_events_of(&run, &later, 1, reach);
  const struct history *history = &run.program->history;
  ck_assert_int_eq(history->newest, 1000 * SECOND + later);
  ck_assert_uint_eq(history->gauges[GAUGE_SIZE].n, AFTER);
  uint64_t counted = 0;
  for (size_t i = 0; i < history->rates.events.n; i++)
    counted +=
      ((const struct event_counts *)column_at(&history->rates.events, i))->counts[evp_event_class(EVP_GC_START)];
  ck_assert_uint_eq(counted, AFTER + 1);
  ck_assert_uint_eq(run.wrong_time, 0);
  run_end(&run);
}
END_TEST

/* Damage in the middle of a batch of events shows as soon as the batch ends where it began, though its last block does not tell. */
START_TEST(a_leap_within_a_batch_of_events)
{
  const uint64_t reach = 900 * (uint64_t)SECOND;
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  int64_t times[400];
  stream.live = false;
  run_begin(&run, &programs, sink_host_stream(&stream));
  for (int64_t i = 0; i < 400; i++) times[i] = i * SECOND / 10;
  take_events_of(&run, times, 300, reach);
  times[350] += 86400 * SECOND;
  take_events_of(&run, times + 300, 100, reach);
  ck_assert_int_eq(run.program->history.newest, 1000 * SECOND + times[399]);
  ck_assert_uint_eq(run.wrong_time, 1);
  run_end(&run);
}
END_TEST

/* A short program of each day, recorded: each is shown as soon as it is there. */
START_TEST(a_recording_of_another_day_is_believed_from_its_first_time_on)
{
  struct sink_host_stream stream = make_stream("app");
  struct said said = {0};
  stream.live = false;
  for (int64_t day = 0; day < 2; day++) {
    struct run run = {0};
    run_begin(&run, &programs, sink_host_stream(&stream));
    for (int64_t i = 0; i < 3; i++) say(&said, &gauge, (1000 + 86400 * day + i) * SECOND, 9);
    take_as(&run, &said, 0, 900 * (uint64_t)SECOND, "heap");
    ck_assert_int_eq(run.program->history.newest, (1002 + 86400 * day) * SECOND);
    ck_assert_uint_eq(run.program->history.gauges[GAUGE_SIZE].n, 3);
    run_end(&run);
  }
}
END_TEST

/* The clock of a live program was wrong from its begin on, and is set right: what is wrong leaves. */
START_TEST(a_live_program_comes_back_from_the_future)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  run_begin(&run, &programs, sink_host_stream(&stream));
  int64_t now = wall_clock(), ahead = 86400 * SECOND;
  for (int64_t i = 0; i < 40; i++) {
    say(&said, &gauge, now + (i < 20 ? ahead : 0) + i * SECOND, i);
    take_as(&run, &said, 0, 900 * (uint64_t)SECOND, "heap");
    if (i == 19) ck_assert_uint_eq(run.program->history.gauges[GAUGE_SIZE].n, 20);
  }
  ck_assert_int_eq(run.program->history.newest, now + 39 * SECOND);
  ck_assert_uint_eq(run.program->history.gauges[GAUGE_SIZE].n, 20);
  ck_assert_uint_eq(run.wrong_time, 20);
  run_end(&run);
}
END_TEST

static void take_events(struct run *run, int64_t epoch, uint64_t first, uint16_t type, uint32_t n)
{
  static struct evp_event events[ITEMS_MAX];
  static uint16_t sel[ITEMS_MAX];
  for (uint32_t i = 0; i < n; i++) {
    events[i] = (struct evp_event){.time = first + i, .type = type};
    sel[i] = (uint16_t)i;
  }
  struct evp_batch batch = {
    .signal = EVP_EVENTS, .stream = run->stream, .events = events, .sel = sel, .n = n, .epoch = epoch};
  run_take(run, &batch, EVP_NEVER);
}

/* Before a program has said what time it is its events have a time that is guessed. */
START_TEST(the_first_events_wait_for_the_clock)
{
  struct sink_host_stream stream = make_stream("app"), other = make_stream("other");
  struct run run = {0}, short_run = {0};
  run_begin(&run, &programs, sink_host_stream(&stream));
  take_events(&run, 5000 * SECOND, 10, EVP_CAPSET_CREATE, 5);
  take_events(&run, 5000 * SECOND, 20, EVP_CAPSET_ASSIGN_CAP, 2);
  ck_assert_int_eq(run.program->history.newest, INT64_MIN);
  take_events(&run, 1000 * SECOND, 2 * (uint64_t)SECOND, EVP_GC_START, 4);
  expect(run.program, NULL, "\"first\":1000,\"last\":1002,");
  expect(run.program, NULL, "\"events\":{\"time\":[1000,1002],\"classes\":{\"gc\":[0,4],\"process\":[7,7]}}");
  run_end(&run);
  run_begin(&short_run, &programs, sink_host_stream(&other));
  take_events(&short_run, 3000 * SECOND, 10, EVP_GC_START, 5);
  run_end(&short_run); /* no clock at all */
  expect(short_run.program, NULL, "\"events\":{\"time\":[3000],\"classes\":{\"gc\":[5]}}");
}
END_TEST

/* What is allocated goes on over a reconnect to the same process, and begins at 0 in another one. */
START_TEST(allocation_is_added_up_over_runs)
{
  struct sink_host_stream streams[3] = {make_stream("app"), make_stream("app"), make_stream("app")};
  struct run runs[3] = {0};
  struct said said = {0};
  static const int64_t values[3][2] = {{1000, 1500}, {1800, 2000}, {300, 400}}, totals[3] = {1500, 2000, 2400};
  const struct program *program = NULL;
  streams[2].pid = 78;
  for (unsigned i = 0; i < 3; i++) {
    struct evp_series *series = series_with(10 + i, "ghc_heap_allocated_bytes_total", "capability", "1", NULL);
    run_begin(&runs[i], &programs, sink_host_stream(&streams[i]));
    for (unsigned j = 0; j < 2; j++) say(&said, series, (10 + 2 * (int64_t)i + j) * SECOND, values[i][j]);
    take(&runs[i], &said);
    program = runs[i].program;
    program_learn(runs[i].program, runs[i].stream);
    ck_assert_uint_eq(program->history.rates.allocated_total, (uint64_t)totals[i]);
    run_end(&runs[i]);
  }
  expect(program, NULL, "\"allocated\":{\"time\":[10,11,12,13,14,15],\"bytes\":[1000,1500,1800,2000,2300,2400]}");
  const struct view part = {.from = 12 * SECOND, .to = 13 * SECOND, .columns = 100, .bands = 20};
  expect(program, &part, "\"allocated\":{\"time\":[12,13],\"bytes\":[1800,2000]}");
}
END_TEST

START_TEST(the_program_that_ended_longest_ago_leaves)
{
  programs.max = 2;
  struct sink_host_stream streams[4] = {make_stream("a"), make_stream("b"), make_stream("c"), make_stream("d")};
  struct run runs[4] = {0};
  for (unsigned i = 0; i < 2; i++) run_begin(&runs[i], &programs, sink_host_stream(&streams[i]));
  run_begin(&runs[2], &programs, sink_host_stream(&streams[2]));
  ck_assert_ptr_null(runs[2].program); /* both are still there */
  run_end(&runs[2]);
  run_end(&runs[1]);
  run_end(&runs[0]);
  run_begin(&runs[3], &programs, sink_host_stream(&streams[3]));
  ck_assert_ptr_nonnull(runs[3].program);
  ck_assert_ptr_nonnull(programs_find(&programs, 1));
  ck_assert_ptr_null(programs_find(&programs, 2));
  ck_assert_uint_eq(runs[3].program->id, 3); /* ids are not used again */
  run_end(&runs[3]);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------ censuses */

START_TEST(a_census_is_a_group_of_batches)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  const struct evp_series *a = series_with(2, "ghc_heap_census_bytes", "breakdown", "type", "A");
  const struct evp_series *b = series_with(3, "ghc_heap_census_bytes", "breakdown", "type", "B");
  const struct evp_series *sum = series_with(4, "ghc_heap_profiled_bytes", "breakdown", "type", NULL);
  run_begin(&run, &programs, sink_host_stream(&stream));
  say(&said, a, SECOND, 8);
  take_as(&run, &said, EVP_BATCH_MORE, EVP_NEVER, "heap");
  ck_assert_uint_eq(run.program->history.censuses.column.n, 0);
  say(&said, b, SECOND, 16);
  say(&said, sum, SECOND, 24);
  say(&said, a, 2 * SECOND, 0); /* another one in the same batch, of which A has vanished */
  say(&said, b, 2 * SECOND, 32);
  say(&said, sum, 2 * SECOND, 32);
  take(&run, &said);
  say(&said, b, 3 * SECOND, 0); /* all has vanished: the stream is over, it is no census */
  say(&said, sum, 3 * SECOND, 0);
  take(&run, &said);
  expect(run.program, NULL,
    "\"census\":{\"breakdown\":\"type\",\"breakdowns\":[\"type\"],\"time\":[1,2],\"total\":[24,32],\"bands\":["
    "{\"id\":2,\"name\":\"B\",\"module\":null,\"type\":null,\"srcloc\":null,\"latest\":32,\"peak\":32,\"values\":[16,"
    "32]},"
    "{\"id\":1,\"name\":\"A\",\"module\":null,\"type\":null,\"srcloc\":null,\"latest\":0,\"peak\":8,\"values\":[8,0]}],"
    "\"rest\":[0,0],\"rest_count\":0}");
  struct view one = {.from = INT64_MIN, .to = INT64_MAX, .columns = 10, .bands = 1};
  expect(run.program, &one, "\"rest\":[8,0],\"rest_count\":1");
  one.pins[one.n_pins++] = 1;
  expect(run.program, &one, "\"rest\":[0,0],\"rest_count\":0");
  run_end(&run);
}
END_TEST

START_TEST(censuses_of_a_second_filter_are_left_out)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  const struct evp_series *a = series_with(2, "ghc_heap_census_bytes", "breakdown", "type", "A");
  run_begin(&run, &programs, sink_host_stream(&stream));
  say(&said, a, SECOND, 8);
  take(&run, &said);
  say(&said, a, 2 * SECOND, 9);
  take_as(&run, &said, 0, EVP_NEVER, "heap2");
  ck_assert_uint_eq(run.other_censuses, 1);
  say(&said, a, SECOND, 8); /* the same once more */
  take(&run, &said);
  ck_assert_uint_eq(run.not_newer, 2);
  ck_assert_uint_eq(run.program->history.censuses.column.n, 1);
  run_end(&run);
}
END_TEST

START_TEST(breakdowns_are_kept_apart)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  const struct evp_series *type = series_with(2, "ghc_heap_census_bytes", "breakdown", "type", "A");
  const struct evp_series *closure = series_with(3, "ghc_heap_census_bytes", "breakdown", "closure", "A");
  const struct evp_series *types = series_with(4, "ghc_heap_profiled_bytes", "breakdown", "type", NULL);
  const struct evp_series *closures = series_with(5, "ghc_heap_profiled_bytes", "breakdown", "closure", NULL);
  run_begin(&run, &programs, sink_host_stream(&stream));
  say(&said, type, SECOND, 8);
  say(&said, closure, SECOND, 7);
  say(&said, types, SECOND, 8);
  say(&said, closures, SECOND, 7);
  take(&run, &said);
  expect(
    run.program, NULL, "\"breakdown\":\"closure\",\"breakdowns\":[\"type\",\"closure\"],\"time\":[1],\"total\":[7]");
  const struct view other = {.from = INT64_MIN, .to = INT64_MAX, .columns = 10, .bands = 1, .breakdown = "type"};
  expect(
    run.program, &other, "\"breakdown\":\"type\",\"breakdowns\":[\"type\",\"closure\"],\"time\":[1],\"total\":[8]");
  const struct view none = {.from = INT64_MIN, .to = INT64_MAX, .columns = 10, .bands = 1, .breakdown = "era"};
  expect(run.program, &none, "\"census\":null");
  run_end(&run);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------ a day */

enum { BANDS = 300 };

/* Sizes that a test can work out again: a sawtooth, so that larger and smaller censuses are neighbours. */
static int64_t size_of(int64_t i, int64_t band)
{
  return (band + 1) * 1000 * (1 + (i * 7919) % 101);
}

static void run_a_day(int64_t per_second, int64_t seconds)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  static struct said said;
  const struct evp_series *series[BANDS], *sum = series_with(999, "ghc_heap_profiled_bytes", "breakdown", "type", NULL);
  for (unsigned i = 0; i < BANDS; i++) {
    char *name = make(40);
    snprintf(name, 40, "Some.Module.constructor%u", i);
    series[i] = series_with(1000 + i, "ghc_heap_census_bytes", "breakdown", "type", name);
  }
  run_begin(&run, &programs, sink_host_stream(&stream));
  for (int64_t i = 0; i < seconds * per_second; i++) {
    int64_t time = 1000 * SECOND + i * SECOND / per_second, total = 0;
    for (int64_t j = 0; j < BANDS; j++) {
      say(&said, series[j], time, size_of(i, j));
      total += size_of(i, j);
    }
    say(&said, sum, time, total);
    say(&said, &gauge, time, total);
    take(&run, &said);
    ck_assert_uint_le(programs.budget.used, programs.budget.limit);
  }
  ck_assert_uint_eq(run.no_room, 0);
  const struct censuses *censuses = &run.program->history.censuses;
  ck_assert_int_eq(column_time(&censuses->column, censuses->column.n - 1),
    1000 * SECOND + (seconds * per_second - 1) * SECOND / per_second);
  ck_assert_int_lt(column_time(&censuses->column, 0), (1000 + seconds / 10) * SECOND); /* the whole day is there */
  for (size_t k = 0; k < censuses->column.n; k++) {
    const struct census *census = censuses_at(censuses, k);
    int64_t i = ((census->time - 1000 * SECOND) * per_second + SECOND / 2) / SECOND;
    struct census_reader reader = census_read(census);
    struct census_row row;
    uint64_t total = 0;
    for (int64_t j = 0; census_next(&reader, &row); j++) {
      ck_assert_int_eq((int64_t)row.bytes, size_of(i, j)); /* as it was measured then */
      total += row.bytes;
    }
    ck_assert_uint_eq(census->total, total);
  }
  run_end(&run);
}

START_TEST(a_day_stays_within_the_bound)
{
  programs.budget.limit = 8 << 20;
  run_a_day(1, SANITIZED ? 86400 / 4 : 86400);
}
END_TEST

START_TEST(ten_censuses_a_second_stay_within_the_bound)
{
  programs.budget.limit = 8 << 20;
  run_a_day(10, SANITIZED ? 8640 / 4 : 8640); /* 24 hours of them are the business of the end to end test */
}
END_TEST

START_TEST(history_has_an_age)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  run_begin(&run, &programs, sink_host_stream(&stream));
  for (int64_t i = 0; i < 3600; i++) {
    say(&said, &gauge, i * SECOND, i);
    take_as(&run, &said, 0, 900 * (uint64_t)SECOND, "heap");
  }
  ck_assert_uint_eq(run.program->history.gauges[GAUGE_SIZE].n, 901);
  expect(run.program, NULL, "\"from\":2699,\"to\":3599,\"first\":2699,\"last\":3599");
  run_end(&run);
}
END_TEST

START_TEST(a_column_shows_the_largest)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  run_begin(&run, &programs, sink_host_stream(&stream));
  for (int64_t i = 0; i < 1000; i++) say(&said, &gauge, i * SECOND, i % 100 == 42 ? 1000 + i : i % 7);
  take(&run, &said);
  const struct view ten = {.from = 0, .to = 1000 * SECOND - 1, .columns = 10, .bands = 20};
  expect(run.program, &ten,
    "\"heap\":{\"time\":[42,142,242,342,442,542,642,742,842,942],"
    "\"size\":[1042,1142,1242,1342,1442,1542,1642,1742,1842,1942]");
  run_end(&run);
}
END_TEST

/* --------------------------------------------------------------------------------------------------------------- pushes */

static const char *pushed(struct program *program, uint64_t sequence)
{
  text.size = 0;
  ck_assert(pending_write(program->pending, &program->history, sequence, &text));
  ck_assert(text_put_char(&text, '\0'));
  return (const char *)text.data;
}

START_TEST(a_push_has_only_what_is_new)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  const struct evp_series *old = series_with(2, "ghc_heap_census_bytes", "breakdown", "type", "old");
  const struct evp_series *new = series_with(3, "ghc_heap_census_bytes", "breakdown", "type", "n\xffw\"");
  run_begin(&run, &programs, sink_host_stream(&stream));
  say(&said, old, SECOND, 8);
  take(&run, &said);
  run.program->pending = pending_new();
  ck_assert_str_eq(pushed(run.program, 1), "{\"seq\":1}");
  say(&said, &gauge, 3 * SECOND, 6);
  say(&said, &gauge, 2 * SECOND, 5);
  say(&said, old, 4 * SECOND, 9);
  say(&said, new, 4 * SECOND, 10);
  take(&run, &said);
  ck_assert_str_eq(pushed(run.program, 2),
    "{\"seq\":2,\"heap\":{\"time\":[2,3],\"size\":[5,6],\"live\":[null,null],\"blocks\":[null,null]},"
    "\"census\":{\"breakdown\":\"type\",\"new_bands\":[{\"id\":2,\"name\":\"n\xef\xbf\xbdw\\\"\",\"module\":null,"
    "\"type\":null,"
    "\"srcloc\":null}],\"time\":[4],\"total\":[19],\"rows\":[[[1,9],[2,10]]]}}");
  ck_assert_str_eq(pushed(run.program, 3), "{\"seq\":3}");
  for (int64_t i = 0; i < 9; i++) { /* too many: the largest is left */
    say(&said, old, (10 + i) * SECOND, i == 2 ? 500 : 100 + i);
    take(&run, &said);
  }
  ck_assert_ptr_nonnull(strstr(pushed(run.program, 4), "\"time\":[12],\"total\":[500],\"rows\":[[[1,500]]]"));
  pending_free(run.program->pending);
  run.program->pending = NULL;
  run_end(&run);
}
END_TEST

START_TEST(search_finds_bands_by_any_of_their_texts)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  struct said said = {0};
  static const char *const names[] = {"Alpha", "beta", "alphabet"};
  run_begin(&run, &programs, sink_host_stream(&stream));
  for (unsigned i = 0; i < 3; i++)
    say(&said, series_with(2 + i, "ghc_heap_census_bytes", "breakdown", "type", names[i]), SECOND, 8 * (i + 1));
  take(&run, &said);
  text.size = 0;
  ck_assert(view_write_search(&run.program->history.censuses, "ALPHA", &text));
  ck_assert(text_put_char(&text, '\0'));
  ck_assert_str_eq((const char *)text.data, "{\"bands\":[{\"id\":3,\"name\":\"alphabet\",\"module\":null,\"type\":null,"
                                            "\"srcloc\":null,\"breakdown\":\"type\",\"peak\":24},"
                                            "{\"id\":1,\"name\":\"Alpha\",\"module\":null,\"type\":null,\"srcloc\":"
                                            "null,\"breakdown\":\"type\",\"peak\":8}],\"more\":0}");
  run_end(&run);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------- names in plenty */

enum { NAMES = SANITIZED ? 100000 : 1000000, NAME_SIZE = 64 };

/* Bytes that the process has more than when it was asked before: what was freed is given back first. */
static size_t resident(void)
{
  unsigned long pages = 0;
  malloc_trim(0);
  FILE *file = fopen("/proc/self/statm", "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fscanf(file, "%*u %lu", &pages), 1);
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Censuses of so many bands, each of a name that never was there before. */
static void say_new_names(struct run *run, int64_t in_census)
{
  static char names[ITEMS_MAX][NAME_SIZE];
  static struct evp_label labels[ITEMS_MAX][2];
  static struct evp_series series[ITEMS_MAX];
  static struct said said;
  for (int64_t i = 0; i < NAMES; i++) {
    unsigned k = said.n;
    snprintf(names[k], NAME_SIZE, "Some.Module.With.A.Name.of_a_function_that_is_number_%07d", (int)i);
    labels[k][0] = (struct evp_label){"breakdown", "type"};
    labels[k][1] = (struct evp_label){"band", names[k]};
    series[k] = (struct evp_series){.id = 100 + (uint64_t)i, .name = "ghc_heap_census_bytes", .kind = EVP_GAUGE};
    series[k].type = EVP_INT64;
    series[k].labels = labels[k];
    series[k].n_labels = 2;
    say(&said, &series[k], (1 + i / in_census) * SECOND, 1 + i % 100);
    bool last = (i + 1) % in_census == 0;
    if (said.n == ITEMS_MAX || last) take_as(run, &said, last ? 0 : EVP_BATCH_MORE, EVP_NEVER, "heap");
  }
}

/* In censuses of a hundred, and all in one that is larger than all the memory that there is. */
START_TEST(a_million_names_stay_within_the_bound)
{
  struct sink_host_stream stream = make_stream("app");
  struct run run = {0};
  programs.budget.limit = 8 << 20;
  run_begin(&run, &programs, sink_host_stream(&stream));
  run.program->pending = pending_new();
  size_t before = resident();
  say_new_names(&run, _i == 0 ? 100 : NAMES);
  size_t now = resident();
  ck_assert_uint_le(programs.budget.used, programs.budget.limit);
#ifndef __SANITIZE_ADDRESS__
  ck_assert_uint_le(now, before + programs.budget.limit + PENDING_CENSUS_BYTES * 3 / 2);
#endif
  (void)now, (void)before;
  ck_assert(run.program->pending->lost);
  pending_free(run.program->pending);
  run.program->pending = NULL;
  run_end(&run);
}
END_TEST

/* Of as many programs as there may be, each with labels and a name of its own. */
START_TEST(names_of_programs_are_counted)
{
  enum { SIZE = 60000, N = 100 };
  char *value = make(SIZE), *name = make(SIZE);
  memset(value, 'v', SIZE - 1);
  memset(name, 'n', SIZE - 1);
  const struct evp_label labels[] = {{"service", "app"}, {"instance", value}};
  programs_init(&programs, 64 << 20, N);
  for (int i = 0; i < 2 * N; i++) {
    struct sink_host_stream stream = make_stream("app");
    struct run run = {0};
    snprintf(value, 10, "%08d", i);
    value[8] = 'v';
    stream.labels = labels;
    stream.n_labels = 2;
    stream.program = name;
    run_begin(&run, &programs, sink_host_stream(&stream));
    program_learn(run.program, run.stream);
    run_end(&run);
    if (i == N) ck_assert_uint_ge(programs.budget.used, N * 2 * (SIZE - 1));
    ck_assert_uint_le(programs.budget.used, N * 2 * (SIZE + 100));
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("programs");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_reconnect_is_another_run_of_the_same_program);
  tcase_add_test(tests, a_recording_that_is_played_again_begins_anew);
  tcase_add_test(tests, a_clock_that_was_set_back_begins_anew);
  tcase_add_loop_test(tests, times_that_are_far_ahead_once_neither_empty_history_nor_stay, 0, 3);
  tcase_add_loop_test(tests, times_that_go_on_far_ahead_are_believed, 0, 2);
  tcase_add_loop_test(tests, a_gap_within_a_batch_of_a_recording, 0, 4);
  tcase_add_test(tests, a_leap_within_a_batch_of_events);
  tcase_add_test(tests, a_recording_of_another_day_is_believed_from_its_first_time_on);
  tcase_add_test(tests, a_live_program_comes_back_from_the_future);
  tcase_add_test(tests, the_first_events_wait_for_the_clock);
  tcase_add_test(tests, allocation_is_added_up_over_runs);
  tcase_add_test(tests, the_program_that_ended_longest_ago_leaves);
  tcase_add_test(tests, a_census_is_a_group_of_batches);
  tcase_add_test(tests, censuses_of_a_second_filter_are_left_out);
  tcase_add_test(tests, breakdowns_are_kept_apart);
  tcase_add_test(tests, a_day_stays_within_the_bound);
  tcase_add_test(tests, ten_censuses_a_second_stay_within_the_bound);
  tcase_add_loop_test(tests, a_million_names_stay_within_the_bound, 0, 2);
  tcase_add_test(tests, names_of_programs_are_counted);
  tcase_add_test(tests, history_has_an_age);
  tcase_add_test(tests, a_column_shows_the_largest);
  tcase_add_test(tests, a_push_has_only_what_is_new);
  tcase_add_test(tests, search_finds_bands_by_any_of_their_texts);
  return check_main("dashboard programs", tests);
}
