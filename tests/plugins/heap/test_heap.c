/* The filter `heap`, whole, in a fake host: what comes out for which events. */
#include "../metric_host.h"
#include "heap_events.h"

#include <check.h>
#include <evpipe/events.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct metric_host *host;

static void begin(const char *options)
{
  host = metric_host_new(options, NULL);
  ck_assert_ptr_nonnull(host);
}

static void teardown(void)
{
  if (host) metric_host_free(host);
  host = NULL;
}

#define expect(text) ck_assert_str_eq(metric_host_output(host), text)

#define BAND(label) "ghc_heap_census_bytes{breakdown=closure_type,band=" label "}"
#define SUM "ghc_heap_profiled_bytes{breakdown=closure_type}"

/* --------------------------------------------------------------------------------------------------- censuses */

START_TEST(census_is_one_group_at_its_begin)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 102, 0, 16, "ARR_WORDS");
  expect("");
  put_end(host, 105);
  expect("100 " BAND("THUNK") " 8\n"
                              "100 " BAND("ARR_WORDS") " 16\n"
                                                       "100 " SUM " 24\n--\n");
}
END_TEST

START_TEST(equal_labels_are_added_up)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 101, 0, 1, "FUN");
  put_row(host, 102, 0, 16, "THUNK");
  put_end(host, 105);
  expect("100 " BAND("THUNK") " 24\n100 " BAND("FUN") " 1\n100 " SUM " 25\n--\n");
}
END_TEST

START_TEST(vanished_band_is_taken_back_once)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 102, 0, 16, "FUN");
  put_end(host, 105);
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 202, 0, 17, "FUN");
  put_end(host, 205);
  expect("200 " BAND("FUN") " 17\n200 " BAND("THUNK") " 0\n200 " SUM " 17\n--\n");
  metric_host_clear(host);
  put_begin(host, 300);
  put_row(host, 302, 0, 18, "FUN");
  put_end(host, 305);
  expect("300 " BAND("FUN") " 18\n300 " SUM " 18\n--\n");
  metric_host_clear(host);
  put_begin(host, 400);
  put_row(host, 401, 0, 5, "THUNK");
  put_row(host, 402, 0, 19, "FUN");
  put_end(host, 405);
  expect("400 " BAND("THUNK") " 5\n400 " BAND("FUN") " 19\n400 " SUM " 24\n--\n");
}
END_TEST

START_TEST(end_takes_everything_back_later_than_all)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_end(host, 105);
  metric_host_clear(host);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("106 " BAND("THUNK") " 0\n106 " SUM " 0\nend " SUM "\nend " BAND("THUNK") "\n--\n");
  ck_assert_uint_eq(metric_host_open_series(host), 0);
}
END_TEST

START_TEST(end_without_a_census_says_nothing)
{
  begin("");
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
  expect("");
}
END_TEST

START_TEST(empty_census_takes_back_and_sums_to_zero)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_end(host, 105);
  expect("100 " SUM " 0\n--\n");
}
END_TEST

START_TEST(biography_has_the_time_of_its_record)
{
  begin("");
  put_profile(host, 0, 6);
  put_number(host, 8, 7);
  put_number(host, 8, 40);
  send(host, EVP_HEAP_BIO_PROF_SAMPLE_BEGIN, 900, false);
  put_row(host, 901, 0, 0, "VOID");
  put_row(host, 901, 0, 3, "DRAG");
  put_end(host, 902);
  expect("40 ghc_heap_census_bytes{breakdown=biography,band=VOID} 0\n"
         "40 ghc_heap_census_bytes{breakdown=biography,band=DRAG} 3\n"
         "40 ghc_heap_profiled_bytes{breakdown=biography} 3\n--\n");
  metric_host_clear(host);
  metric_host_end(host);
  ck_assert_ptr_nonnull(
    strstr(metric_host_output(host), "903 ghc_heap_census_bytes{breakdown=biography,band=DRAG} 0\n"));
}
END_TEST

START_TEST(rows_outside_of_a_census_are_counted)
{
  begin("");
  put_row(host, 10, 0, 8, "THUNK");
  put_end(host, 11);
  put_row(host, 12, 0, 8, "THUNK");
  expect("drop 1 outside_census\ninfo rows of a heap census whose begin was not seen are left out\n"
         "drop 1 outside_census\n");
}
END_TEST

START_TEST(begin_within_a_census_completes_it)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_begin(host, 200);
  expect("100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n");
  put_row(host, 201, 0, 9, "THUNK");
  put_end(host, 202);
  put_end(host, 203); /* of the outer one, if they were nested: nothing is left of it */
  expect("100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n200 " BAND("THUNK") " 9\n200 " SUM " 9\n--\n");
}
END_TEST

START_TEST(census_cut_by_the_end_is_shown_and_said)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_row(host, 101, 0, 8, "FUN");
  put_end(host, 102);
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 201, 0, 9, "THUNK");
  metric_host_end(host);
  const char *output = metric_host_output(host);
  ck_assert_ptr_eq(strstr(output, "warn the stream ended within a heap census"), output);
  ck_assert_ptr_nonnull(strstr(output, "200 " BAND("THUNK") " 9\n200 " SUM " 9\n--\n"));
  ck_assert_ptr_null(strstr(output, "200 " BAND("FUN") " 0")); /* nobody knows */
  ck_assert_ptr_nonnull(strstr(output, "202 " BAND("FUN") " 0\n"));
}
END_TEST

/* ------------------------------------------------------------------------------- GHC 8.2 to 8.8: no SAMPLE_END */

static void begin_old(const char *options)
{
  begin(options);
  metric_host_declare(host, EVP_HEAP_PROF_SAMPLE_BEGIN);
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
}

#define OLD_CENSUS "100 " BAND("THUNK") " 8\n100 " SUM " 8\n--\n"

START_TEST(old_census_ends_with_the_next)
{
  begin_old("");
  put_begin(host, 200);
  expect(OLD_CENSUS);
}
END_TEST

START_TEST(old_census_ends_with_another_global_record)
{
  begin_old("");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, 3, false); /* of a capability: says nothing */
  expect("");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, EVP_NO_CAP, false);
  expect(OLD_CENSUS);
}
END_TEST

START_TEST(old_census_is_complete_at_the_end)
{
  begin_old("");
  metric_host_end(host);
  ck_assert_ptr_eq(strstr(metric_host_output(host), OLD_CENSUS), metric_host_output(host));
}
END_TEST

START_TEST(new_census_goes_on_behind_another_global_record)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "THUNK");
  put_number(host, 2, 0);
  metric_host_event(host, EVP_CAP_DELETE, 110, EVP_NO_CAP, false);
  put_row(host, 111, 0, 2, "THUNK");
  put_end(host, 112);
  expect("100 " BAND("THUNK") " 10\n100 " SUM " 10\n--\n");
}
END_TEST

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
  expect("200 ghc_heap_census_bytes{breakdown=module,band=Main} 9\n200 " BAND(
    "Main") " 0\n"
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
  expect("200 " STACK("M.f") " 8\n200 " STACK("7") " 0\n200 ghc_heap_profiled_bytes{breakdown=cost_centre} 8\n--\n");
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
  expect("200 " TABLE("band=f_info") " 8\n200 " TABLE("band=(unresolved)") " 0\n200 " TABLE_SUM " 8\n--\n");
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

/* ------------------------------------------------------------------------------------------------------- labels */

static char *label_of(const void *raw, size_t size)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_number(host, 1, 0);
  put_number(host, 8, 8);
  metric_host_put_bytes(host, raw, size);
  metric_host_put_bytes(host, "", 1);
  send(host, EVP_HEAP_PROF_SAMPLE_STRING, 101, true);
  put_end(host, 102);
  static const char before[] = "100 ghc_heap_census_bytes{breakdown=closure_type,band=";
  const char *output = metric_host_output(host);
  ck_assert_ptr_eq(strstr(output, before), output);
  char *label = strdup(output + sizeof before - 1);
  *strstr(label, "} 8\n") = '\0';
  teardown();
  return label;
}

static void expect_label(const void *raw, size_t size, const char *label)
{
  char *made = label_of(raw, size);
  ck_assert_str_eq(made, label);
  free(made);
}

START_TEST(odd_labels_are_made_good)
{
  expect_label("", 0, "(empty)");
  expect_label("a\nb\x7f\x1b", 5,
    "a\xef\xbf\xbd"
    "b\xef\xbf\xbd\xef\xbf\xbd");
  expect_label("\xff\xc3\xa9\xc3", 4, "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
  expect_label("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(long_labels_are_cut_with_a_hash)
{
  char raw[65000];
  memset(raw, 'x', sizeof raw);
  char *whole = label_of(raw, 1024);
  ck_assert_uint_eq(strlen(whole), 1024);
  ck_assert_uint_eq(strspn(whole, "x"), 1024);
  char *one = label_of(raw, sizeof raw);
  char *other = label_of(raw, sizeof raw - 1);
  ck_assert_uint_eq(strlen(one), 1024);
  ck_assert_uint_eq(strspn(one, "x"), 1007);
  ck_assert_int_eq(one[1007], '#');
  ck_assert_str_ne(one, other);
  memcpy(raw + 1006, "\xc3\xa9", 2);
  char *accent = label_of(raw, sizeof raw);
  ck_assert_uint_eq(strlen(accent), 1023);
  free(whole);
  free(one);
  free(other);
  free(accent);
}
END_TEST

START_TEST(labels_that_become_equal_are_one_band)
{
  begin("");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 8, "\xff");
  put_row(host, 101, 0, 9, "\xfe");
  put_end(host, 102);
  expect("100 " BAND("\xef\xbf\xbd") " 17\n100 " SUM " 17\n--\n");
}
END_TEST

/* -------------------------------------------------------------------------------------------------- many bands */

START_TEST(top_keeps_the_largest)
{
  begin("top=2");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  put_row(host, 101, 0, 5, "a");
  put_row(host, 101, 0, 9, "b");
  put_row(host, 101, 0, 7, "c");
  put_row(host, 101, 0, 1, "d");
  put_end(host, 102);
  expect("100 " BAND("b") " 9\n100 " BAND("c") " 7\n100 " BAND("(other)") " 6\n100 " SUM " 22\n--\n");
  metric_host_clear(host);
  put_begin(host, 200);
  put_row(host, 201, 0, 50, "a");
  put_row(host, 201, 0, 9, "b");
  put_end(host, 202);
  expect(
    "200 " BAND("a") " 50\n200 " BAND("b") " 9\n200 " BAND("c") " 0\n200 " BAND("(other)") " 0\n200 " SUM " 59\n--\n");
}
END_TEST

START_TEST(top_takes_the_first_by_name_of_equal_ones)
{
  begin("top=2");
  put_profile(host, 0, 7);
  put_begin(host, 100);
  for (const char *label = "dbca"; *label; label++) put_row(host, 101, 0, 5, (char[]){*label, 0});
  put_end(host, 102);
  expect("100 " BAND("b") " 5\n100 " BAND("a") " 5\n100 " BAND("(other)") " 10\n100 " SUM " 20\n--\n");
}
END_TEST

START_TEST(top_is_right_for_any_order)
{
  for (unsigned seed = 1; seed <= 20; seed++) {
    begin("top=7");
    put_profile(host, 0, 7);
    put_begin(host, 100);
    unsigned step = 2 * seed + 1; /* odd: a permutation of 0 ... 255 */
    for (unsigned i = 0; i < 256; i++) {
      char label[16];
      unsigned size = (i * step + seed) % 256;
      snprintf(label, sizeof label, "band%u", size);
      put_row(host, 101, 0, size, label);
    }
    put_end(host, 102);
    for (unsigned size = 249; size < 256; size++) {
      char line[100];
      snprintf(line, sizeof line, "100 " BAND("band%u") " %u\n", size, size);
      ck_assert_ptr_nonnull(strstr(metric_host_output(host), line));
    }
    ck_assert_ptr_nonnull(strstr(metric_host_output(host), "100 " BAND("(other)") " 30876\n")); /* 0 + ... + 248 */
    teardown();
  }
}
END_TEST

START_TEST(bands_beyond_the_bound_are_added_up_and_counted)
{
  begin("max_bands=2");
  put_profile(host, 0, 7);
  for (uint64_t time = 100; time <= 200; time += 100) {
    metric_host_clear(host);
    put_begin(host, time);
    put_row(host, time + 1, 0, 1, "a");
    put_row(host, time + 1, 0, 2, "b");
    put_row(host, time + 1, 0, 3, "c");
    put_row(host, time + 1, 0, 4, "d");
    put_end(host, time + 2);
  }
  expect("200 " BAND("a") " 1\n200 " BAND("b") " 2\n200 " BAND("(other)") " 7\n200 " SUM " 10\n--\n"
                                                                          "drop 2 max_bands\n");
}
END_TEST

START_TEST(bands_not_seen_for_long_are_forgotten)
{
  begin("");
  put_profile(host, 0, 7);
  uint64_t time = 100;
  put_begin(host, time);
  put_row(host, time, 0, 8, "old");
  put_row(host, time, 0, 8, "kept");
  put_end(host, time);
  for (int i = 0; i < 100; i++) {
    time += 100;
    put_begin(host, time);
    put_row(host, time, 0, 9, "kept");
    put_end(host, time);
  }
  ck_assert_ptr_nonnull(strstr(metric_host_output(host), "end " BAND("old") "\n"));
  metric_host_clear(host);
  put_begin(host, 90000);
  put_row(host, 90000, 0, 9, "kept");
  put_row(host, 90000, 0, 7, "old");
  put_end(host, 90000);
  expect("90000 " BAND("kept") " 9\n90000 " BAND("old") " 7\n90000 " SUM " 16\n--\n");
}
END_TEST

START_TEST(churning_labels_do_not_pile_up)
{
  begin("max_bands=1000");
  metric_host_count_only(host);
  put_profile(host, 0, 7);
  for (unsigned census = 0; census < 400; census++) {
    put_begin(host, 100 * census);
    for (unsigned i = 0; i < 100; i++) {
      char label[32];
      snprintf(label, sizeof label, "census %u band %u", census, i);
      put_row(host, 100 * census + 1, 0, 8, label);
    }
    put_end(host, 100 * census + 2);
    ck_assert_uint_le(metric_host_open_series(host), 1100);
  }
  expect(""); /* nothing was dropped for it */
}
END_TEST

START_TEST(many_bands_are_warned_of_once)
{
  begin("");
  put_profile(host, 0, 7);
  metric_host_count_only(host);
  for (unsigned census = 1; census <= 3; census++) {
    put_begin(host, 100 * census);
    for (unsigned i = 0; i < 100000; i++) {
      char label[32];
      snprintf(label, sizeof label, "band %u", i);
      put_row(host, 100 * census + 1, 0, 8, label);
    }
    put_end(host, 100 * census + 2);
  }
  ck_assert_uint_eq(metric_host_metrics(host), 3 * 100001);
  expect("warn a heap census has 100000 bands, each a time series of its own: `top: 50` keeps the largest\n");
}
END_TEST

/* ------------------------------------------------------------------------------------------- sizes, the program */

START_TEST(sizes_become_gauges)
{
  begin("");
  put_number(host, 4, 0);
  put_number(host, 8, 1048576);
  metric_host_event(host, EVP_HEAP_SIZE, 10, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 4711);
  metric_host_event(host, EVP_HEAP_LIVE, 11, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 4096);
  metric_host_event(host, EVP_BLOCKS_SIZE, 12, 0, false);
  put_number(host, 4, 0);
  put_number(host, 8, 99);
  metric_host_event(host, EVP_HEAP_ALLOCATED, 13, 3, false);
  for (uint64_t i = 0; i < 4; i++) put_number(host, 4, i);
  metric_host_event(host, EVP_MEM_RETURN, 14, 0, false);
  expect("10 ghc_heap_size_bytes 1048576\n11 ghc_heap_live_bytes 4711\n12 ghc_heap_blocks_bytes 4096\n"
         "13 ghc_heap_allocated_bytes_total{capability=3} 99\n14 ghc_memory_current_mblocks 1\n"
         "14 ghc_memory_needed_mblocks 2\n14 ghc_memory_returned_mblocks 3\n");
}
END_TEST

START_TEST(program_is_told_when_all_is_known)
{
  begin("");
  metric_host_facts(host, "oddball", 0, NULL);
  put_end(host, 10);
  expect("");
  metric_host_facts(host, "oddball", 4711, "GHC-9.6.6 rts_thr");
  put_end(host, 20);
  expect("20 ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr} 1\n");
  metric_host_clear(host);
  put_end(host, 30);
  expect("");
  metric_host_end(host);
  expect("32 ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr} 0\n"
         "end ghc_program_info{pid=4711,program=oddball,rts=GHC-9.6.6 rts_thr}\n");
}
END_TEST

START_TEST(program_is_told_in_part_after_a_while)
{
  begin("");
  metric_host_facts(host, NULL, 0, "GHC-9.0.2 rts_thr");
  put_end(host, 10);
  put_end(host, 5000000009);
  expect("");
  put_end(host, 5000000010);
  expect("5000000010 ghc_program_info{rts=GHC-9.0.2 rts_thr} 1\n");
}
END_TEST

START_TEST(malformed_records_are_counted)
{
  begin("");
  put_begin(host, 100);
  for (size_t size = 0; size < 10; size++) {
    metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff", size);
    send(host, EVP_HEAP_PROF_SAMPLE_STRING, 101, true);
    metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff", size);
    send(host, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, 101, true);
  }
  metric_host_put_bytes(host, "\0\0\0\0\0\0\0\0\0\xff\0\0\0", 13); /* depth 255, three bytes of ids */
  send(host, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, 101, true);
  static const uint16_t types[] = {EVP_HEAP_PROF_BEGIN, EVP_HEAP_PROF_COST_CENTRE, EVP_IPE, EVP_PROGRAM_ARGS};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) send(host, types[i], 101, true);
  send(host, EVP_HEAP_SIZE, 101, false);
  const char *output = metric_host_output(host);
  size_t lines = 0;
  for (; strncmp(output, "drop 1 malformed\n", 17) == 0; output += 17) lines++;
  ck_assert_str_eq(output, "");
  ck_assert_uint_eq(lines, 26);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

/* Few distinct bytes, so that ids are defined, strings end and labels meet again. */
static void send_at_random(uint32_t *random, uint64_t time)
{
  static const uint16_t types[] = {EVP_HEAP_PROF_BEGIN, EVP_HEAP_PROF_COST_CENTRE, EVP_HEAP_PROF_SAMPLE_BEGIN,
    EVP_HEAP_PROF_SAMPLE_COST_CENTRE, EVP_HEAP_PROF_SAMPLE_STRING, EVP_HEAP_PROF_SAMPLE_STRING,
    EVP_HEAP_PROF_SAMPLE_STRING, EVP_HEAP_PROF_SAMPLE_END, EVP_HEAP_BIO_PROF_SAMPLE_BEGIN, EVP_IPE, EVP_PROGRAM_ARGS,
    EVP_CAP_CREATE, EVP_HEAP_ALLOCATED, EVP_MEM_RETURN};
  static const uint8_t bytes[] = {0, 0, 0, 0, 1, 2, 8, 'h', 'T', '+', '-', ':', 'x', '0', 0xff, 0xc3};
  for (uint32_t left = next_random(random) % (next_random(random) % 10 ? 40 : 3000); left > 0; left--)
    put_number(host, 1, bytes[next_random(random) % sizeof bytes]);
  uint16_t type = types[next_random(random) % (sizeof types / sizeof *types)];
  uint16_t cap = next_random(random) % 4 ? EVP_NO_CAP : (uint16_t)next_random(random);
  ck_assert_int_eq(metric_host_event(host, type, time, cap, next_random(random) % 8 != 0), EVP_OK);
}

START_TEST(noise_is_survived)
{
  static const char *const options[] = {"", "top=3", "max_bands=5", "top=2 max_bands=1 addresses=true",
    "breakdown=info_table info_tables.max_size=1KiB", "breakdown=cost_centre"};
  begin(options[_i]);
  if (_i % 2) metric_host_declare(host, EVP_HEAP_PROF_SAMPLE_BEGIN);
  metric_host_count_only(host);
  uint32_t random = (uint32_t)_i + 1;
  for (uint64_t time = 0; time < 100000; time++) {
    send_at_random(&random, time);
    if (time % 1000 == 0) metric_host_clear(host);
  }
  ck_assert_uint_gt(metric_host_metrics(host), 10000);
  ck_assert_int_eq(metric_host_end(host), EVP_OK);
}
END_TEST

START_TEST(bad_options_are_refused)
{
  char *said = NULL;
  ck_assert_ptr_null(metric_host_new("top=-1", &said));
  ck_assert_ptr_eq(strstr(said, "option top: "), said);
  free(said);
  ck_assert_ptr_null(metric_host_new("max_bands=0", &said));
  ck_assert_ptr_eq(strstr(said, "option max_bands: "), said);
  free(said);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("heap");
  TCase *tests = tcase_create("filter");
  tcase_add_checked_fixture(tests, NULL, teardown);
  tcase_set_timeout(tests, 60);
  const TTest *const all[] = {census_is_one_group_at_its_begin, equal_labels_are_added_up,
    vanished_band_is_taken_back_once, end_takes_everything_back_later_than_all, end_without_a_census_says_nothing,
    empty_census_takes_back_and_sums_to_zero, biography_has_the_time_of_its_record,
    rows_outside_of_a_census_are_counted, begin_within_a_census_completes_it, census_cut_by_the_end_is_shown_and_said,
    old_census_ends_with_the_next, old_census_ends_with_another_global_record, old_census_is_complete_at_the_end,
    new_census_goes_on_behind_another_global_record, breakdown_is_declared, breakdown_is_inferred_from_rows,
    breakdown_is_inferred_from_stacks, breakdown_is_inferred_from_arguments, breakdown_is_forced,
    two_profiles_have_bands_of_their_own, another_breakdown_takes_the_old_one_back, era_profile,
    stacks_are_named_outermost_first, stacks_of_equal_names_are_added_up, late_definition_counts_from_the_next_census,
    info_tables_are_named, addresses_are_kept_on_request, info_tables_that_come_late_are_used,
    info_table_map_is_bounded, odd_labels_are_made_good, long_labels_are_cut_with_a_hash,
    labels_that_become_equal_are_one_band, top_keeps_the_largest, top_takes_the_first_by_name_of_equal_ones,
    top_is_right_for_any_order, bands_beyond_the_bound_are_added_up_and_counted, bands_not_seen_for_long_are_forgotten,
    churning_labels_do_not_pile_up, many_bands_are_warned_of_once, sizes_become_gauges,
    program_is_told_when_all_is_known, program_is_told_in_part_after_a_while, malformed_records_are_counted,
    bad_options_are_refused};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tcase_add_test(tests, all[i]);
  tcase_add_loop_test(tests, noise_is_survived, 0, 6);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
