/* Where an instance emits: what is staged in one call becomes which batches. */
#include "check_main.h"
#include "engine/out.h"
#include "engine/series.h"
#include "harness.h"

static struct harness harness;
static struct evp_stream *stream;
static struct evp_out out;
static const struct evp_series *series;

static void set_up(void)
{
  harness_init(&harness);
  stream = harness_stream(&harness, true);
  out_init(&out, &harness.node, stream);
  struct evp_series wanted = {.name = "size", .unit = "bytes", .help = "", .kind = EVP_GAUGE, .type = EVP_INT64};
  series = series_get(harness.engine.series, &wanted, &harness.labels);
  ck_assert_ptr_nonnull(series);
}

static void tear_down(void)
{
  out_free(&out);
  evp_stream_unref(stream);
  series_unref(harness.engine.series, series);
  harness_free(&harness);
}

static void emit(uint32_t n)
{
  struct evp_metric *metrics = evp_emit_metrics(&out, n);
  ck_assert_ptr_nonnull(metrics);
  for (uint32_t i = 0; i < n; i++) metrics[i] = (struct evp_metric){i, series, {.i = i}, 0, 0};
}

static const struct evp_series *another_series(const char *name)
{
  const struct evp_series wanted = {.name = name, .unit = "", .help = "", .kind = EVP_GAUGE, .type = EVP_INT64};
  return series_get(harness.engine.series, &wanted, &harness.labels);
}

static void take_all(void)
{
  for (size_t i = 0; i < out.n_ready; i++) block_unref(out.ready[i]->block);
  out.n_ready = 0;
}

/* Of the first n items of the first batch only the one at this place is the last of its series. */
static void expect_last(uint32_t n, uint32_t place)
{
  const struct evp_metric *metrics = out.ready[0]->batch.metrics;
  for (uint32_t i = 0; i < n; i++) ck_assert_uint_eq(metrics[i].flags, i == place ? EVP_METRIC_LAST : 0);
}

/* A call of many small censuses makes one batch of them all, with everything in order. */
START_TEST(small_groups_share_a_batch)
{
  for (int census = 0; census < 20; census++) {
    emit(40);
    ck_assert_int_eq(evp_emit_int(&out, series, 7, 40), EVP_OK);
    evp_emit_group_end(&out);
  }
  out_finish(&out);
  ck_assert_uint_eq(out.groups, 20);
  ck_assert_uint_eq(out.n_ready, 1);
  const struct evp_batch *batch = &out.ready[0]->batch;
  ck_assert_uint_eq(batch->n, 20 * 41);
  ck_assert_uint_eq(batch->flags, 0);
  for (uint32_t i = 0; i < batch->n; i++) ck_assert_int_eq(batch->metrics[i].value.i, i % 41);
  take_all();
}
END_TEST

/* Two streams with the same labels have the same series: what ends in one of them goes on in the other, in another lane. */
START_TEST(a_series_ends_in_its_stream_only)
{
  struct evp_out other;
  out_init(&other, &harness.node, stream);
  emit(3);
  out_end_series(&out, series);
  struct evp_metric *metric = evp_emit_metrics(&other, 1);
  ck_assert_ptr_nonnull(metric);
  *metric = (struct evp_metric){1, series, {.i = 1}, 0, 0};
  const struct evp_series *another = another_series("else");
  out_end_series(&other, another);
  out_finish(&other);
  ck_assert_uint_eq(other.ready[0]->batch.metrics[0].flags & EVP_METRIC_LAST, 0);
  out_finish(&out);
  expect_last(3, 2);
  out_free(&other);
  series_unref(harness.engine.series, another);
  take_all();
}
END_TEST

/* One that ends and comes again in the same call ended where it ended. */
START_TEST(what_comes_after_the_end_is_not_the_last)
{
  const struct evp_series *another = another_series("else");
  emit(1);
  out_end_series(&out, series);
  emit(2);
  ck_assert_int_eq(evp_emit_int(&out, another, 5, 5), EVP_OK);
  out_finish(&out);
  expect_last(4, 0);
  series_unref(harness.engine.series, another);
  take_all();
}
END_TEST

/* What ends is looked for, if something else was emitted meanwhile. */
START_TEST(the_last_item_is_marked_wherever_it_is)
{
  const struct evp_series *another = another_series("else");
  emit(3);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(evp_emit_int(&out, another, 5, 5), EVP_OK);
  out_end_series(&out, series);
  out_finish(&out);
  expect_last(8, 2);
  series_unref(harness.engine.series, another);
  take_all();
}
END_TEST

/* A series that ends, though not with what was emitted just now, and comes again: a label that was forgotten. The mark is where it
   ended, each time, and not where it goes on. */
START_TEST(what_comes_again_later_in_the_call_is_not_the_last)
{
  const struct evp_series *another = another_series("else");
  for (int time = 0; time < 3; time++) {
    emit(2);
    ck_assert_int_eq(evp_emit_int(&out, another, 5, 5), EVP_OK);
    if (time == 2) break;
    out_end_series(&out, series);
    out_end_series(&out, series);
  }
  out_finish(&out);
  for (int i = 0; i < 9; i++)
    ck_assert_uint_eq(out.ready[0]->batch.metrics[i].flags, i == 1 || i == 4 ? EVP_METRIC_LAST : 0);
  emit(1); /* the next call counts anew */
  ck_assert_int_eq(evp_emit_int(&out, another, 5, 5), EVP_OK);
  out_end_series(&out, series);
  emit(1);
  out_finish(&out);
  const uint32_t last[] = {EVP_METRIC_LAST, 0, 0};
  for (int i = 0; i < 3; i++) ck_assert_uint_eq(out.ready[1]->batch.metrics[i].flags, last[i]);
  series_unref(harness.engine.series, another);
  take_all();
}
END_TEST

static size_t charge_of_all(void)
{
  size_t charge = 0;
  for (size_t i = 0; i < out.n_ready; i++) charge += out.ready[i]->charge;
  return charge;
}

/* What waits in a queue answers for the memory that it holds: a census, its sum and some gauges around it take about what they
   are large, from the first time on. */
START_TEST(a_large_group_takes_what_it_is_large)
{
  enum { BANDS = 5000 };
  for (int call = 0; call < 4; call++) {
    emit(3);
    emit(BANDS);
    emit(1);
    evp_emit_group_end(&out);
    emit(3);
    out_finish(&out);
    ck_assert_uint_lt(charge_of_all(), BANDS * sizeof(struct evp_metric) * 5 / 4);
    take_all();
  }
}
END_TEST

/* Metrics lie in the block while they are staged: what was handed out and filled in stays as the room grows. */
START_TEST(staged_metrics_move_with_their_values)
{
  for (int census = 0; census < 3; census++) {
    for (uint32_t n = 0; n < 300; n += 7) emit(7);
    ck_assert_ptr_nonnull(evp_emit_metrics(&out, 0));
    out_finish(&out);
    const struct evp_batch *batch = &out.ready[0]->batch;
    ck_assert_uint_eq(out.n_ready, 1);
    ck_assert_uint_eq(batch->n, 301);
    for (uint32_t i = 0; i < batch->n; i++) ck_assert_int_eq(batch->metrics[i].value.i, i % 7);
    take_all();
  }
}
END_TEST

/* Many are not kept back for the end of the call: one that never ends would need all the memory. */
START_TEST(many_groups_go_out_early)
{
  for (int census = 0; census < 100; census++) {
    emit(500);
    evp_emit_group_end(&out);
    ck_assert_uint_le(out.n_metrics, 1500);
  }
  out_finish(&out);
  uint64_t n = 0;
  for (size_t i = 0; i < out.n_ready; i++) n += out.ready[i]->batch.n;
  ck_assert_uint_eq(n, 50000);
  ck_assert_uint_gt(out.n_ready, 10);
  take_all();
}
END_TEST

/* What does not fit in one batch says that more belongs to it, up to its end. */
START_TEST(a_large_group_stays_together)
{
  emit(VIEW_ITEMS + 10);
  evp_emit_group_end(&out);
  emit(1);
  out_finish(&out);
  ck_assert_uint_eq(out.n_ready, 3);
  ck_assert_uint_eq(out.ready[0]->batch.flags, EVP_BATCH_MORE);
  ck_assert_uint_eq(out.ready[1]->batch.flags, 0);
  ck_assert_uint_eq(out.ready[1]->batch.n, 10);
  ck_assert_uint_eq(out.ready[2]->batch.flags, 0);
  ck_assert_uint_eq(out.ready[2]->batch.n, 1);
  take_all();
}
END_TEST

/* Items that are no group are batches of their own right where there are many. */
START_TEST(what_is_no_group_may_be_cut)
{
  emit(VIEW_ITEMS + 10);
  out_finish(&out);
  ck_assert_uint_eq(out.n_ready, 2);
  ck_assert_uint_eq(out.ready[0]->batch.flags, 0);
  take_all();
}
END_TEST

int main(void)
{
  TCase *cases = tcase_create("batches");
  tcase_add_checked_fixture(cases, set_up, tear_down);
  tcase_add_test(cases, small_groups_share_a_batch);
  tcase_add_test(cases, a_series_ends_in_its_stream_only);
  tcase_add_test(cases, what_comes_after_the_end_is_not_the_last);
  tcase_add_test(cases, the_last_item_is_marked_wherever_it_is);
  tcase_add_test(cases, what_comes_again_later_in_the_call_is_not_the_last);
  tcase_add_test(cases, a_large_group_takes_what_it_is_large);
  tcase_add_test(cases, staged_metrics_move_with_their_values);
  tcase_add_test(cases, many_groups_go_out_early);
  tcase_add_test(cases, a_large_group_stays_together);
  tcase_add_test(cases, what_is_no_group_may_be_cut);
  return check_main("out", cases);
}
