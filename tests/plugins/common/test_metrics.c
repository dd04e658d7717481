/* docs/metrics.md lists exactly what the table of metrics has, with the same type and unit. */
#include "check_main.h"
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct evp_series *evp_series_get(struct evp_ctx *ctx, const struct evp_series *wanted)
{
  (void)ctx;
  return wanted;
}

static char *page;

static void setup(void)
{
  const char *path = getenv("EVPIPE_METRICS_PAGE");
  ck_assert_ptr_nonnull(path);
  FILE *file = fopen(path, "r");
  ck_assert_msg(file != NULL, "%s is not there", path);
  page = calloc(1, 100000);
  ck_assert_uint_gt(fread(page, 1, 99999, file), 0);
  fclose(file);
}

static void teardown(void)
{
  free(page);
}

static const char *kind_of(const struct metric_description *metric)
{
  return metric->kind == EVP_GAUGE ? "gauge" : metric->kind == EVP_COUNTER ? "counter" : "histogram";
}

static const char *value_of(const struct metric_description *metric)
{
  return metric->type == EVP_INT64 ? "integer" : metric->type == EVP_DOUBLE ? "float" : "buckets";
}

START_TEST(every_metric_is_on_the_page)
{
  for (size_t i = 0; i < METRIC_COUNT; i++) {
    const struct metric_description *metric = &metric_descriptions[i];
    char row[200];
    snprintf(row, sizeof row, "\n| `%s` | %s | %s | %s%s| ", metric->name, kind_of(metric), value_of(metric),
      metric->unit, *metric->unit ? " " : "");
    ck_assert_msg(strstr(page, row) != NULL, "docs/metrics.md has no row%s", row);
  }
}
END_TEST

START_TEST(nothing_else_is_on_the_page)
{
  size_t rows = 0;
  for (const char *row = page; (row = strstr(row, "\n| `")) != NULL; row++) rows++;
  ck_assert_uint_eq(rows, METRIC_COUNT);
}
END_TEST

START_TEST(names_follow_the_conventions)
{
  static const char *const prefixes[] = {"ghc", "evpipe", "process"};
  for (size_t i = 0; i < METRIC_COUNT; i++) {
    const struct metric_description *metric = &metric_descriptions[i];
    const char *total = strstr(metric->name, "_total");
    size_t prefix = strcspn(metric->name, "_");
    bool known = false;
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
      known = known || (strlen(prefixes[k]) == prefix && !strncmp(metric->name, prefixes[k], prefix));
    ck_assert_msg(known, "%s", metric->name);
    ck_assert_int_eq(total != NULL, metric->kind == EVP_COUNTER);
    ck_assert_int_eq(strstr(metric->name, "_bytes") != NULL, strcmp(metric->unit, "bytes") == 0);
    ck_assert_uint_gt(strlen(metric->help), 0);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("page");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, every_metric_is_on_the_page);
  tcase_add_test(tests, nothing_else_is_on_the_page);
  tcase_add_test(tests, names_follow_the_conventions);
  return check_main("metrics", tests);
}
