/* The tables of a history by themselves: order of time, thinning, age, memory. */
#include "censuses.h"
#include "gauges.h"
#include "log_ring.h"
#include "pauses.h"
#include "rates.h"

#include "check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct budget budget;

static void setup(void)
{
  budget = (struct budget){.limit = 64 << 20};
}

/* --------------------------------------------------------------------------------------------------------------- column */

static void put(struct column *column, int64_t time, int64_t value)
{
  struct sample *sample = column_insert(column, time);
  ck_assert_ptr_nonnull(sample);
  sample->value = value;
}

START_TEST(rows_lie_in_order_of_time)
{
  struct column column;
  column_init(&column, &budget, sizeof(struct sample));
  srand(1);
  for (int i = 0; i < 3000; i++) put(&column, rand() % 1000, i);
  ck_assert_uint_eq(column.n, 3000);
  for (size_t i = 1; i < column.n; i++) {
    const struct sample *a = column_at(&column, i - 1), *b = column_at(&column, i);
    ck_assert_int_le(a->time, b->time);
    if (a->time == b->time) ck_assert_int_lt(a->value, b->value); /* in the order in which they came */
  }
  ck_assert_uint_eq(column_find(&column, -1), 0);
  ck_assert_uint_eq(column_find(&column, 1000), column.n);
  column_free(&column);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(a_column_loses_its_oldest_and_its_memory)
{
  struct column column;
  column_init(&column, &budget, sizeof(struct sample));
  for (int i = 0; i < 100000; i++) {
    put(&column, i, i);
    column_trim(&column, i - 99, NULL, NULL);
    if (i >= 99) ck_assert_uint_eq(column.n, 100);
  }
  ck_assert_int_eq(column_time(&column, 0), 99900);
  ck_assert_uint_le(budget.used, 4096);
  for (int i = 0; i < 100000; i++) put(&column, 100000 + i, i);
  column_trim(&column, 199990, NULL, NULL);
  ck_assert_uint_eq(column.n, 10);
  ck_assert_uint_le(budget.used, 4096);
  column_free(&column);
}
END_TEST

/* As after a pause longer than history reaches: all but what came last leaves, and then it grows again. */
START_TEST(a_column_that_was_nearly_emptied_grows_again)
{
  struct column column;
  column_init(&column, &budget, sizeof(struct sample));
  for (int64_t i = 0; i < 1000; i++) put(&column, i, i);
  column_trim(&column, 1000 - _i, NULL, NULL);
  ck_assert_uint_eq(column.n, (size_t)_i);
  for (int64_t i = 0; i < 100; i++) {
    put(&column, 1000 + i, i);
    ck_assert_uint_le(column.begin + column.n, column.capacity);
  }
  column_free(&column);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(thinning_leaves_the_larger_of_two_in_the_older_half)
{
  struct column column;
  column_init(&column, &budget, sizeof(struct sample));
  static const int64_t values[] = {5, 9, 8, 1, 2, 3, 4, 7};
  for (int i = 0; i < 8; i++) put(&column, i, values[i]);
  ck_assert(column_thin(&column, gauge_keep_larger, NULL));
  static const struct sample left[] = {{1, 9}, {2, 8}, {4, 2}, {5, 3}, {6, 4}, {7, 7}};
  ck_assert_uint_eq(column.n, 6);
  ck_assert_mem_eq(column_at(&column, 0), left, sizeof left);
  while (column.n > 1) ck_assert(column_thin(&column, gauge_keep_larger, NULL));
  ck_assert_mem_eq(column_at(&column, 0), left, sizeof *left);
  ck_assert(!column_thin(&column, gauge_keep_larger, NULL));
  column_free(&column);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

static struct column *thinned;

static bool thin_it(void *owner)
{
  (void)owner;
  return column_thin(thinned, gauge_keep_larger, NULL);
}

START_TEST(a_column_that_is_full_is_thinned_in_place)
{
  struct column column;
  budget = (struct budget){.limit = 16000, .make_room = thin_it};
  column_init(&column, &budget, sizeof(struct sample));
  thinned = &column;
  for (int i = 0; i < 100000; i++) {
    put(&column, i, i % 1000);
    ck_assert_uint_le(budget.used, budget.limit);
  }
  const struct sample *first = column_at(&column, 0), *last = column_at(&column, column.n - 1);
  ck_assert_int_eq(first->value, 999);
  ck_assert_int_eq(last->time, 99999);
  for (size_t i = 0; i < column.n; i++) {
    const struct sample *sample = column_at(&column, i);
    ck_assert_int_eq(sample->value, sample->time % 1000); /* a measured value at its own time */
  }
  column_free(&column);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------- censuses */

static struct evp_label labels[5];

static const struct evp_series *band_series(const char *breakdown, const char *name, const char *module)
{
  static struct evp_series series;
  labels[0] = (struct evp_label){"band", name};
  labels[1] = (struct evp_label){"breakdown", breakdown};
  labels[2] = (struct evp_label){"module", module};
  series = (struct evp_series){.name = "ghc_heap_census_bytes", .type = EVP_INT64, .labels = labels, .n_labels = 2};
  if (module) series.n_labels = 3;
  return &series;
}

START_TEST(a_band_is_one_whatever_series_says_it)
{
  struct bands bands;
  bands_init(&bands, &budget);
  uint32_t a = bands_get(&bands, band_series("type", "X", NULL));
  uint32_t b = bands_get(&bands, band_series("type", "X", "M"));
  uint32_t c = bands_get(&bands, band_series("closure", "X", NULL));
  ck_assert_uint_eq(bands_get(&bands, band_series("type", "X", NULL)), a);
  ck_assert(a != b && b != c && a != c);
  ck_assert_str_eq(band_part(&bands.items[b], BAND_NAME), "X");
  ck_assert_str_eq(band_part(&bands.items[b], BAND_MODULE), "M");
  ck_assert_ptr_null(band_part(&bands.items[b], BAND_TYPE));
  ck_assert_ptr_null(band_part(&bands.items[a], BAND_MODULE));
  ck_assert_uint_eq(bands.items[a].breakdown, bands.items[b].breakdown);
  ck_assert_str_eq(bands_breakdown_name(&bands, bands.items[c].breakdown), "closure");
  bands_free(&bands);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(censuses_are_read_as_they_were_written)
{
  struct censuses censuses;
  struct census_row rows[300], row;
  censuses_init(&censuses, &budget);
  for (uint32_t i = 0; i < 300; i++) {
    char name[16];
    snprintf(name, sizeof name, "band %u", i);
    rows[i] = (struct census_row){bands_get(&censuses.bands, band_series("type", name, NULL)), UINT64_MAX >> (i % 64)};
    band_hold(&censuses.bands, rows[i].band);
  }
  for (uint32_t i = 0; i < 150; i++) { /* in any order */
    row = rows[i];
    rows[i] = rows[299 - i];
    rows[299 - i] = row;
  }
  const struct census *census = censuses_add(&censuses, 1000, 0, 17, rows, 300);
  ck_assert_ptr_nonnull(census);
  struct census_reader reader = census_read(census);
  for (uint32_t i = 0; i < 300; i++) {
    ck_assert(census_next(&reader, &row));
    ck_assert_uint_eq(row.band, i);
    ck_assert_uint_eq(row.bytes, UINT64_MAX >> (i % 64));
    ck_assert_uint_eq(censuses.bands.items[i].peak, row.bytes);
  }
  ck_assert(!census_next(&reader, &row));
  ck_assert_ptr_nonnull(censuses_add(&censuses, 1001, 0, 0, NULL, 0)); /* an empty one, too */
  censuses_free(&censuses);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(of_two_censuses_the_one_with_the_larger_total_stays)
{
  struct censuses censuses;
  struct census_row row;
  static const uint64_t totals[] = {5, 9, 8, 1, 2, 3, 4, 7}, left[] = {9, 8, 2, 3, 4, 7};
  censuses_init(&censuses, &budget);
  for (uint32_t i = 0; i < 8; i++) {
    row = (struct census_row){bands_get(&censuses.bands, band_series("type", "X", NULL)), totals[i]};
    band_hold(&censuses.bands, row.band);
    ck_assert_ptr_nonnull(censuses_add(&censuses, i, 0, totals[i], &row, 1));
  }
  ck_assert(censuses_thin(&censuses));
  ck_assert_uint_eq(censuses.column.n, 6);
  for (size_t i = 0; i < 6; i++) {
    struct census_reader reader = census_read(censuses_at(&censuses, i));
    ck_assert(census_next(&reader, &row));
    ck_assert_uint_eq(censuses_at(&censuses, i)->total, left[i]);
    ck_assert_uint_eq(row.bytes, left[i]); /* it was moved as it was */
    ck_assert_uint_eq(totals[censuses_at(&censuses, i)->time], left[i]);
  }
  ck_assert_uint_eq(censuses.bands.items[0].references, 6);
  censuses_free(&censuses);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* Each census has a band of its own: names do not pile up. */
START_TEST(bands_leave_with_their_last_census)
{
  struct censuses censuses;
  censuses_init(&censuses, &budget);
  for (int i = 0; i < 100000; i++) {
    char name[1024];
    snprintf(name, sizeof name, "%01000d", i);
    struct census_row row = {bands_get(&censuses.bands, band_series("type", name, NULL)), 8};
    band_hold(&censuses.bands, row.band);
    ck_assert_uint_eq(censuses.bands.items[row.band].id, (uint32_t)i + 1); /* ids are never used again */
    ck_assert_ptr_nonnull(censuses_add(&censuses, i, 0, 8, &row, 1));
    censuses_trim(&censuses, i - 9);
  }
  ck_assert_uint_eq(censuses.column.n, 10);
  ck_assert_uint_le(censuses.bands.n - censuses.bands.n_free, 200);
  ck_assert_uint_le(budget.used, 300000);
  censuses_free(&censuses);
  ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* ---------------------------------------------------------------------------------------------------------------- rates */

static void count(struct rates *rates, uint64_t time, uint16_t type, uint32_t n)
{
  struct evp_event events[64];
  uint16_t sel[64];
  int64_t last = 0;
  for (uint16_t i = 0; i < n; i++) {
    events[i] = (struct evp_event){.time = time + i, .type = type};
    sel[i] = i;
  }
  struct evp_batch batch = {.signal = EVP_EVENTS, .events = events, .sel = sel, .n = n, .epoch = 1000};
  ck_assert(rates_count(rates, &batch, &last));
  ck_assert_int_eq(last, (int64_t)time + 1000 + n - 1);
}

START_TEST(events_are_counted_by_class_and_tenth_of_a_second)
{
  struct rates rates;
  rates_init(&rates, &budget);
  count(&rates, 500000000, EVP_GC_START, 60);
  count(&rates, 100000000, EVP_RUN_THREAD, 10); /* another capability's buffer, with earlier times */
  count(&rates, 500000100, EVP_USER_MSG, 3);
  count(&rates, 599999000 - 2, EVP_GC_END, 4); /* two of them are in the next tenth */
  ck_assert_uint_eq(rates.events.n, 3);
  const struct event_counts *first = column_at(&rates.events, 0), *second = column_at(&rates.events, 1),
                            *third = column_at(&rates.events, 2);
  ck_assert_uint_eq(first->counts[EVP_CLASS_SCHEDULER], 10);
  ck_assert_uint_eq(second->counts[EVP_CLASS_GC], 62);
  ck_assert_uint_eq(second->counts[EVP_CLASS_MESSAGES], 3);
  ck_assert_int_eq(second->time, 599999999);
  ck_assert_uint_eq(third->counts[EVP_CLASS_GC], 2);
  ck_assert_uint_eq(rates.events_total[EVP_CLASS_GC], 64);
  while (rates.events.n > 1) column_thin(&rates.events, event_counts_add, NULL);
  ck_assert_uint_eq(((const struct event_counts *)column_at(&rates.events, 0))->counts[EVP_CLASS_GC], 64);
  rates_free(&rates);
}
END_TEST

/* Of a damaged clock: there is no next tenth of a second. */
START_TEST(the_last_tenth_of_a_second_that_there_is)
{
  struct rates rates;
  rates_init(&rates, &budget);
  for (int i = 0; i < 3; i++) ck_assert(rates_allocate(&rates, INT64_MAX - 2 - i, 5));
  ck_assert_uint_eq(rates.allocated.n, 1);
  ck_assert_uint_eq(((const struct allocation *)column_at(&rates.allocated, 0))->bytes, 15);
  rates_free(&rates);
}
END_TEST

START_TEST(allocation_is_added_up_in_order_of_time)
{
  struct rates rates;
  rates_init(&rates, &budget);
  ck_assert(rates_allocate(&rates, -50, 1)); /* also before 1970 */
  ck_assert(rates_allocate(&rates, 450000000, 100));
  ck_assert(rates_allocate(&rates, 150000000, 10));
  ck_assert(rates_allocate(&rates, 499999999, 1000));
  ck_assert_uint_eq(rates.allocated.n, 3);
  ck_assert_uint_eq(((const struct allocation *)column_at(&rates.allocated, 2))->bytes, 1100);
  ck_assert_int_eq(column_time(&rates.allocated, 2), 499999999);
  ck_assert_uint_eq(rates.allocated_total, 1111);
  rates_free(&rates);
}
END_TEST

/* --------------------------------------------------------------------------------------------------------------- pauses */

static const double bounds[] = {0.001, 0.01, 0.1};

struct told {
  bool any;
  struct pause pause;
};

static struct told tell(
  struct generation *generation, struct pause_state *state, int64_t time, const uint64_t *counts, double sum)
{
  static const struct evp_series series = {
    .name = "ghc_gc_pause_seconds", .type = EVP_BUCKETS, .n_bounds = 3, .bounds = bounds};
  struct evp_buckets buckets = {.sum = sum, .counts = counts};
  for (int i = 0; i < 4; i++) buckets.count += counts[i];
  struct evp_metric metric = {.time = time, .series = &series, .value.buckets = &buckets};
  struct told told = {0};
  bool full;
  told.any = pauses_add(generation, state, &metric, &told.pause, &full);
  ck_assert(!full);
  return told;
}

START_TEST(pauses_are_what_a_histogram_has_more)
{
  struct generation generation = {0};
  struct pause_state first = {0}, second = {0};
  column_init(&generation.column, &budget, sizeof(struct pause));
  static const uint64_t one[] = {1, 0, 0, 0}, three[] = {2, 1, 0, 0}, four[] = {2, 1, 0, 1};
  struct told told = tell(&generation, &first, 10, one, 0.0005);
  ck_assert(told.any && told.pause.collections == 1 && told.pause.longest == 0.0005);
  ck_assert(!tell(&generation, &first, 11, one, 0.0005).any);
  told = tell(&generation, &first, 20, three, 0.0225); /* two, of 0.022 s together, none above 0.01 s */
  ck_assert(told.any && told.pause.collections == 2 && told.pause.longest == 0.01);
  told = tell(&generation, &first, 30, four, 1.0225);
  ck_assert(told.any && told.pause.collections == 1);
  ck_assert_double_eq_tol(told.pause.longest, 1, 1e-9);
  told = tell(&generation, &first, 40, one, 0.0001); /* it fell: counted anew */
  ck_assert(told.any && told.pause.collections == 1);
  told = tell(&generation, &second, 50, four, 1.5); /* another run begins at its own 0 */
  ck_assert(told.any && told.pause.collections == 4);
  static const uint64_t all[] = {5, 2, 0, 2};
  ck_assert_mem_eq(generation.counts, all, sizeof all);
  ck_assert_uint_eq(generation.collections, 9);
  while (generation.column.n > 1) column_thin(&generation.column, pause_add, NULL);
  const struct pause *pause = column_at(&generation.column, 0);
  ck_assert_uint_eq(pause->collections, 9);
  ck_assert_int_eq(pause->time, 50); /* 1.5 s in four, none of which has an upper bound */
  column_free(&generation.column);
}
END_TEST

/* ----------------------------------------------------------------------------------------------------------------- logs */

START_TEST(logs_are_bounded_in_number_and_bytes)
{
  struct log_ring ring;
  char *body = calloc(1, 40000);
  log_ring_init(&ring, &budget);
  for (int i = 0; i < 5000; i++) {
    struct evp_log log = {.time = i, .name = "user_message", .body = "x", .body_size = 1};
    ck_assert_ptr_nonnull(log_ring_add(&ring, &log));
  }
  ck_assert_uint_eq(ring.column.n, LOGS_MAX);
  ck_assert_uint_eq(log_ring_at(&ring, 0)->id, 3001);
  for (int i = 0; i < 500; i++) {
    struct evp_log log = {.time = 5000 + i, .name = "user_marker", .body = body, .body_size = 40000};
    ck_assert_ptr_nonnull(log_ring_add(&ring, &log));
    ck_assert_uint_le(ring.text_memory, LOGS_MAX_BYTES);
  }
  ck_assert_uint_eq(log_ring_at(&ring, ring.column.n - 1)->id, 5500);
  log_ring_free(&ring);
  ck_assert_uint_eq(budget.used, 0);
  free(body);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("tables");
  tcase_add_checked_fixture(tests, setup, NULL);
  tcase_add_test(tests, rows_lie_in_order_of_time);
  tcase_add_test(tests, a_column_loses_its_oldest_and_its_memory);
  tcase_add_loop_test(tests, a_column_that_was_nearly_emptied_grows_again, 0, 5);
  tcase_add_test(tests, thinning_leaves_the_larger_of_two_in_the_older_half);
  tcase_add_test(tests, a_column_that_is_full_is_thinned_in_place);
  tcase_add_test(tests, a_band_is_one_whatever_series_says_it);
  tcase_add_test(tests, censuses_are_read_as_they_were_written);
  tcase_add_test(tests, of_two_censuses_the_one_with_the_larger_total_stays);
  tcase_add_test(tests, bands_leave_with_their_last_census);
  tcase_add_test(tests, events_are_counted_by_class_and_tenth_of_a_second);
  tcase_add_test(tests, the_last_tenth_of_a_second_that_there_is);
  tcase_add_test(tests, allocation_is_added_up_in_order_of_time);
  tcase_add_test(tests, pauses_are_what_a_histogram_has_more);
  tcase_add_test(tests, logs_are_bounded_in_number_and_bytes);
  return check_main("dashboard tables", tests);
}
