/* Bands of the filter `heap`: which breakdown, cost centre stacks, info tables. */
#include "heap_test.h"

#include <stdio.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------- breakdown */

static void expect_breakdown(const char *breakdown)
{
  char *line;
  ck_assert_int_gt(asprintf(&line, "ghc_heap_profiled_bytes{breakdown=%s} 8\n", breakdown), 0);
  ck_assert_msg(strstr(metric_host_output(host), line) != NULL, "%s not in %s", line, metric_host_output(host));
  free(line);
}

static void census_of(const char *label)
{
  put_begin(host, 100);
  put_row(host, 101, 0, 8, label);
  put_end(host, 102);
}

START_TEST(breakdown_is_declared)
{
  static const char *const names[] = {"unknown", "cost_centre", "module", "closure", "type", "retainer", "biography",
    "closure_type", "info_table", "era"};
  for (uint32_t code = 0; code <= 9; code++) {
    begin("");
    put_profile(host, 0, code);
    census_of("17");
    expect_breakdown(names[code]);
    teardown();
  }
  begin("");
  put_profile(host, 0, 4711);
  census_of("17");
  expect_breakdown("unknown");
}
END_TEST

START_TEST(breakdown_is_inferred_from_rows)
{
  static const char *const pairs[][2] = {{"0x7f12ab", "info_table"}, {"VOID", "biography"},
    {"INHERENT_USE", "biography"}, {"0xyz", "unknown"}, {"THUNK", "unknown"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    begin("");
    census_of(pairs[i][0]);
    expect_breakdown(pairs[i][1]);
    teardown();
  }
}
END_TEST

START_TEST(breakdown_is_inferred_from_stacks)
{
  begin("");
  put_begin(host, 100);
  put_stack(host, 101, 0, 8, 0, NULL);
  put_end(host, 102);
  expect("100 ghc_heap_census_bytes{breakdown=cost_centre,band=MAIN} 8\n"
         "100 ghc_heap_profiled_bytes{breakdown=cost_centre} 8\n--\n");
}
END_TEST

START_TEST(breakdown_is_inferred_from_arguments)
{
  static const struct {
    const char *arguments;
    size_t size;
    const char *breakdown;
  } cases[] = {
#define ARGUMENTS(text) text, sizeof text
    {ARGUMENTS("./a\0+RTS\0-l\0-hT"), "closure_type"},
    {ARGUMENTS("./a\0+RTS\0-hy\0-hcbuild\0-RTS"), "type"},
    {ARGUMENTS("./a\0+RTS\0-hy\0-hd"), "closure"},
    {ARGUMENTS("./a\0+RTS\0-hM"), "module"},
    {ARGUMENTS("./a\0+RTS\0-he"), "era"},
    {ARGUMENTS("./a\0+RTS\0-h"), "unknown"},
    {ARGUMENTS("./a\0+RTS\0-ht"), "unknown"},
    {ARGUMENTS("./a\0-hT\0+RTS\0-l\0-RTS\0-hy"), "unknown"},
    {ARGUMENTS("./a\0--\0+RTS\0-hT"), "unknown"},
    {ARGUMENTS("./a\0--RTS\0+RTS\0-hT"), "unknown"},
    {"./a\0+RTS\0-hr", 12, "retainer"}, /* the last one without its NUL */
    {"", 0, "unknown"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin("");
    put_number(host, 4, 0);
    metric_host_put_bytes(host, cases[i].arguments, cases[i].size);
    send(host, EVP_PROGRAM_ARGS, 1, true);
    census_of("Foo");
    expect_breakdown(cases[i].breakdown);
    teardown();
  }
}
END_TEST

START_TEST(breakdown_is_forced)
{
  begin("breakdown=module");
  put_profile(host, 0, 7);
  census_of("0x12");
  expect_breakdown("module");
  ck_assert(!metric_host_wants(host, EVP_IPE));
}
END_TEST

START_TEST(two_profiles_have_bands_of_their_own)
{
  begin("");
  put_profile(host, 0, 7);
  put_profile(host, 1, 2);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "Main");
  put_row(host, 102, 1, 8, "Main");
  put_end(host, 105);
  expect("100 " BAND("Main") " 8\n100 ghc_heap_census_bytes{breakdown=module,band=Main} 8\n"
                             "100 ghc_heap_profiled_bytes{breakdown=module} 8\n100 " SUM " 8\n--\n");
}
END_TEST

START_TEST(another_breakdown_takes_the_old_one_back)
{
  begin("");
  put_profile(host, 0, 7);
  census_of("Main");
  metric_host_clear(host);
  put_profile(host, 0, 7); /* sent again: changes nothing */
  put_profile(host, 0, 2);
  put_begin(host, 200);
  put_row(host, 201, 0, 9, "Main");
  put_end(host, 202);
  expect("200 ghc_heap_census_bytes{breakdown=module,band=Main} 9\n200 " BAND("Main") " 0\nend " BAND(
    "Main") "\n"
            "200 ghc_heap_profiled_bytes{breakdown=module} 9\n200 " SUM " 0\n--\n");
}
END_TEST

START_TEST(era_profile)
{
  begin("");
  put_profile(host, 0, 9);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "0");
  put_row(host, 101, 0, 9, "12");
  put_end(host, 102);
  expect("100 ghc_heap_census_bytes{breakdown=era,band=0} 8\n100 ghc_heap_census_bytes{breakdown=era,band=12} 9\n"
         "100 ghc_heap_profiled_bytes{breakdown=era} 17\n--\n");
}
END_TEST

/* ------------------------------------------------------------------------------- cost centres and info tables */

#define STACK(label) "ghc_heap_census_bytes{breakdown=cost_centre,band=" label "}"

START_TEST(stacks_are_named_outermost_first)
{
  begin("");
  put_profile(host, 0, 1);
  put_cost_centre(host, 7, "main", "Main");
  put_cost_centre(host, 8, "build", "Data.Tree");
  put_cost_centre(host, 9, "nowhere", "");
  put_begin(host, 100);
  put_stack(host, 101, 0, 8, 3, (uint32_t[]){9, 8, 7});
  put_stack(host, 101, 0, 9, 2, (uint32_t[]){4711, 7});
  put_stack(host, 101, 0, 10, 0, NULL);
  put_end(host, 102);
  expect("100 " STACK("Main.main;Data.Tree.build;nowhere") " 8\n100 " STACK("Main.main;4711") " 9\n100 " STACK(
    "MAIN") " 10\n100 ghc_heap_profiled_bytes{breakdown=cost_centre} 27\n--\n");
}
END_TEST

START_TEST(stacks_of_equal_names_are_added_up)
{
  begin("");
  put_profile(host, 0, 1);
  put_cost_centre(host, 7, "f", "M");
  put_cost_centre(host, 8, "f", "M");
  put_begin(host, 100);
  put_stack(host, 101, 0, 8, 1, (uint32_t[]){7});
  put_stack(host, 101, 0, 9, 1, (uint32_t[]){8});
  put_end(host, 102);
  expect("100 " STACK("M.f") " 17\n100 ghc_heap_profiled_bytes{breakdown=cost_centre} 17\n--\n");
}
END_TEST

START_TEST(late_definition_counts_from_the_next_census)
{
  begin("");
  put_profile(host, 0, 1);
  put_begin(host, 100);
  put_stack(host, 101, 0, 8, 1, (uint32_t[]){7});
  put_end(host, 102);
  put_cost_centre(host, 7, "f", "M");
  metric_host_clear(host);
  put_begin(host, 200);
  put_stack(host, 201, 0, 8, 1, (uint32_t[]){7});
  put_end(host, 202);
  expect("200 " STACK("M.f") " 8\n200 " STACK("7") " 0\nend " STACK(
    "7") "\n200 ghc_heap_profiled_bytes{breakdown=cost_centre} 8\n--\n");
}
END_TEST

#define TABLE(labels) "ghc_heap_census_bytes{breakdown=info_table," labels "}"
#define TABLE_SUM "ghc_heap_profiled_bytes{breakdown=info_table}"

static void info_table_census(const char *options)
{
  begin(options);
  put_info_table(host, 0x4711, "f_info", "Int", "Main", "Main.hs:3:4-9");
  put_info_table(host, 0x4712, "f_info", "Int", "Main", "Main.hs:3:4-9");
  put_info_table(host, 0x4713, "g_info", "", "", "");
  put_profile(host, 0, 8);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "0x4711");
  put_row(host, 101, 0, 9, "0x4712");
  put_row(host, 101, 0, 10, "0x4713");
  put_row(host, 101, 0, 11, "0x4714");
  put_row(host, 101, 0, 12, "(nil)");
  put_end(host, 102);
}

START_TEST(info_tables_are_named)
{
  info_table_census("");
  expect("100 " TABLE("band=f_info,module=Main,type=Int,srcloc=Main.hs:3:4-9") " 17\n100 " TABLE(
    "band=g_info") " 10\n100 " TABLE("band=(unresolved)") " 23\n100 " TABLE_SUM " 50\n--\n");
}
END_TEST

START_TEST(addresses_are_kept_on_request)
{
  info_table_census("addresses=true");
  expect("100 " TABLE("band=f_info,module=Main,type=Int,srcloc=Main.hs:3:4-9") " 17\n100 " TABLE(
    "band=g_info") " 10\n100 " TABLE("band=0x4714") " 11\n100 " TABLE("band=(nil)") " 12\n100 " TABLE_SUM " 50\n--\n");
}
END_TEST

START_TEST(info_tables_that_come_late_are_used)
{
  begin("");
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "0x4711");
  put_end(host, 102);
  put_info_table(host, 0x4711, "f_info", "", "", "");
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 201, 0, 8, "0x4711");
  put_end(host, 202);
  expect("200 " TABLE("band=f_info") " 8\n200 " TABLE("band=(unresolved)") " 0\nend " TABLE(
    "band=(unresolved)") "\n200 " TABLE_SUM " 8\n--\n");
}
END_TEST

START_TEST(info_table_map_is_bounded)
{
  begin("info_tables.max_size=4KiB");
  for (uint64_t i = 0; i < 1000; i++) {
    char name[32];
    snprintf(name, sizeof name, "name_%u_info", (unsigned)i);
    put_info_table(host, i, name, "Int", "Main", "Main.hs:3:4-9");
  }
  ck_assert_ptr_eq(
    strstr(metric_host_output(host), "warn the info table map needs more than 4096 bytes"), metric_host_output(host));
  ck_assert_ptr_null(strstr(metric_host_output(host) + 5, "warn "));
  put_profile(host, 0, 8);
  metric_host_clear(host);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "0x0");
  put_row(host, 101, 0, 8, "0x3e7");
  put_end(host, 102);
  ck_assert_ptr_nonnull(strstr(metric_host_output(host), "band=name_0_info,"));
  ck_assert_ptr_nonnull(strstr(metric_host_output(host), "band=(unresolved)"));
  metric_host_end(host);
  ck_assert_ptr_nonnull(strstr(metric_host_output(host), " info_tables\n"));
}
END_TEST

int main(void)
{
  const TTest *const all[] = {breakdown_is_declared, breakdown_is_inferred_from_rows, breakdown_is_inferred_from_stacks,
    breakdown_is_inferred_from_arguments, breakdown_is_forced, two_profiles_have_bands_of_their_own,
    another_breakdown_takes_the_old_one_back, era_profile, stacks_are_named_outermost_first,
    stacks_of_equal_names_are_added_up, late_definition_counts_from_the_next_census, info_tables_are_named,
    addresses_are_kept_on_request, info_tables_that_come_late_are_used, info_table_map_is_bounded};
  TCase *tests = heap_tests(all, sizeof all / sizeof *all);
  return check_main("heap: bands", tests);
}
