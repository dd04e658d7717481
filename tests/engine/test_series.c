#include "check_main.h"
#include "engine/series.h"
#include "harness.h"
#include <string.h>

static struct harness harness;

static void set_up(void)
{
  harness_init(&harness);
}

static void tear_down(void)
{
  harness_free(&harness);
}

static const struct evp_series *get(const char *band)
{
  struct evp_label labels[] = {{"band", band}, {"a", "first"}};
  struct evp_series wanted = {
    .name = "bytes", .unit = "bytes", .kind = EVP_GAUGE, .type = EVP_INT64, .labels = labels, .n_labels = 2};
  return series_get(harness.engine.series, &wanted, &harness.labels);
}

START_TEST(the_same_is_one_object)
{
  const struct evp_series *one = get("x"), *two = get("x"), *other = get("y");
  ck_assert_ptr_eq(one, two);
  ck_assert_ptr_ne(one, other);
  ck_assert_uint_ne(one->id, other->id);
  series_unref(harness.engine.series, one);
  series_unref(harness.engine.series, two);
  series_unref(harness.engine.series, other);
}
END_TEST

START_TEST(labels_are_sorted_merged_and_not_empty)
{
  const struct evp_series *series = get("");
  ck_assert_uint_eq(series->n_labels, 2);
  ck_assert_str_eq(series->labels[0].key, "a");
  ck_assert_str_eq(series->labels[1].key, "service");
  ck_assert_str_eq(series->labels[1].value, "test");
  series_unref(harness.engine.series, series);
}
END_TEST

START_TEST(values_are_made_valid_utf8)
{
  const struct evp_series *series = get("a\xff"
                                        "b");
  ck_assert_str_eq(series->labels[1].value, "a\xef\xbf\xbd"
                                            "b");
  series_unref(harness.engine.series, series);
}
END_TEST

START_TEST(an_id_is_never_used_again)
{
  uint64_t last = 0;
  for (int i = 0; i < 1000; i++) {
    const struct evp_series *series = get("x");
    ck_assert_uint_gt(series->id, last);
    last = series->id;
    series_unref(harness.engine.series, series);
  }
}
END_TEST

START_TEST(a_block_keeps_the_series_that_it_names)
{
  struct series_table *table = harness.engine.series;
  struct series_era *older = series_enter(table);
  const struct evp_series *series = get("kept");
  uint64_t id = series->id;
  series_unref(table, series); /* nobody holds it, but the block may name it */
  struct series_era *newer = series_enter(table);
  ck_assert_str_eq(series->labels[1].value, "kept");
  ck_assert_uint_eq(get("kept")->id, id); /* alive again, the same */
  series_unref(table, series); /* and dead again, now known to the newer block, too */
  series_leave(table, older);
  ck_assert_str_eq(series->labels[1].value, "kept");
  series_leave(table, newer);
  series = get("kept");
  ck_assert_uint_ne(series->id, id);
  series_unref(table, series);
}
END_TEST

START_TEST(blocks_of_later_eras_do_not_keep_the_dead)
{
  struct series_table *table = harness.engine.series;
  struct series_era *eras[50];
  for (int i = 0; i < 50; i++) {
    char band[16];
    snprintf(band, sizeof band, "%d", i);
    eras[i] = series_enter(table);
    series_unref(table, get(band));
  }
  for (int i = 49; i >= 0; i--) series_leave(table, eras[i]);
  const struct evp_series *series = get("7");
  ck_assert_uint_gt(series->id, 50);
  series_unref(table, series);
}
END_TEST

START_TEST(many_series)
{
  enum { MANY = 20000 };
  static const struct evp_series *all[MANY];
  char band[16];
  for (int i = 0; i < MANY; i++) {
    snprintf(band, sizeof band, "%d", i);
    all[i] = get(band);
  }
  for (int i = 0; i < MANY; i++) {
    snprintf(band, sizeof band, "%d", i);
    const struct evp_series *again = get(band);
    ck_assert_ptr_eq(again, all[i]);
    series_unref(harness.engine.series, again);
  }
  for (int i = 0; i < MANY; i++) series_unref(harness.engine.series, all[i]);
}
END_TEST

START_TEST(an_instance_holds_each_series_once)
{
  struct evp_ctx ctx = {.node = &harness.node};
  struct evp_series wanted = {.name = "n", .kind = EVP_GAUGE, .type = EVP_INT64};
  const struct evp_series *one = evp_series_get(&ctx, &wanted);
  ck_assert_ptr_eq(evp_series_get(&ctx, &wanted), one);
  uint64_t id = one->id;
  evp_series_end(&ctx, one);
  const struct evp_series *next = evp_series_get(&ctx, &wanted);
  ck_assert_uint_ne(next->id, id); /* nobody held the first any more */
  evp_series_end(&ctx, next);
  enum { MANY = 500 };
  const struct evp_series *many[MANY];
  char name[16];
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "n%d", i);
    wanted.name = name;
    many[i] = evp_series_get(&ctx, &wanted);
  }
  for (int i = 0; i < MANY; i += 2) evp_series_end(&ctx, many[i]);
  for (int i = 1; i < MANY; i += 2) {
    snprintf(name, sizeof name, "n%d", i);
    wanted.name = name;
    ck_assert_ptr_eq(evp_series_get(&ctx, &wanted), many[i]);
  }
  ctx.created = false;
  instance_destroy(&ctx);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("series");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, the_same_is_one_object);
  tcase_add_test(tests, labels_are_sorted_merged_and_not_empty);
  tcase_add_test(tests, values_are_made_valid_utf8);
  tcase_add_test(tests, an_id_is_never_used_again);
  tcase_add_test(tests, a_block_keeps_the_series_that_it_names);
  tcase_add_test(tests, blocks_of_later_eras_do_not_keep_the_dead);
  tcase_add_test(tests, many_series);
  tcase_add_test(tests, an_instance_holds_each_series_once);
  return check_main("series", tests);
}
