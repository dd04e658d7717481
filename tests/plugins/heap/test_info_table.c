/* The map of info tables: right, compact, bounded. And the cost centres, which share its strings. */
#include "check_main.h"
#include "cost_centres.h"
#include "info_table.h"
#include "next_random.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct info_tables tables;

static void setup(void)
{
  info_tables_init(&tables, (uint64_t)256 << 20);
}

static void teardown(void)
{
  info_tables_free(&tables);
}

static struct evp_text text(const char *string)
{
  return (struct evp_text){string, strlen(string)};
}

static bool define(uint64_t address, const char *name, const char *type, const char *module, const char *location)
{
  const struct evp_ipe ipe = {.address = address,
    .table_name = text(name),
    .type = text(type),
    .module = text(module),
    .location = text(location)};
  return info_tables_define(&tables, &ipe);
}

#define expect_text(made, string) \
  do { \
    ck_assert_uint_eq((made).size, strlen(string)); \
    ck_assert_mem_eq((made).data, string, (made).size); \
  } while (0)

START_TEST(finds_what_was_defined)
{
  struct info_table found;
  ck_assert(!info_tables_find(&tables, 0, &found));
  ck_assert(define(0, "zero_info", "", "", ""));
  ck_assert(define(UINT64_MAX, "last_info", "Int", "Main", "Main.hs:3:4-9"));
  ck_assert(define(0x100000000, "high_info", "Int", "Main", "Main.hs:(1,2)-(3,4)"));
  ck_assert(info_tables_find(&tables, 0, &found));
  expect_text(found.name, "zero_info");
  expect_text(found.file, "");
  expect_text(found.span, "");
  ck_assert(info_tables_find(&tables, UINT64_MAX, &found));
  expect_text(found.name, "last_info");
  expect_text(found.type, "Int");
  expect_text(found.module, "Main");
  expect_text(found.file, "Main.hs");
  expect_text(found.span, "3:4-9");
  ck_assert(info_tables_find(&tables, 0x100000000, &found));
  expect_text(found.span, "(1,2)-(3,4)");
  ck_assert(!info_tables_find(&tables, 1, &found));
  ck_assert(define(2, "Bin_con_info", "Map", "Main", ":"));
  ck_assert(info_tables_find(&tables, 2, &found));
  expect_text(found.file, ":");
  expect_text(found.span, "");
}
END_TEST

START_TEST(same_again_changes_nothing)
{
  struct info_table found;
  ck_assert(define(1, "a_info", "Int", "Main", "Main.hs:3:4"));
  size_t memory = info_tables_memory(&tables);
  for (int i = 0; i < 10000; i++) ck_assert(!define(1, "a_info", "Int", "Main", "Main.hs:3:4"));
  ck_assert_uint_eq(info_tables_memory(&tables), memory);
  ck_assert(define(1, "b_info", "Int", "Main", "Main.hs:3:4")); /* the last one wins */
  ck_assert(info_tables_find(&tables, 1, &found));
  expect_text(found.name, "b_info");
}
END_TEST

/* As GHC makes them: most names are unique, half of the places are, types and modules repeat. Lengths as in the logs
   ipe-9103-hi and socket-control-9103-ipe of the shared set: a name has 15 bytes, a type 22, a place 27. */
static bool define_nth(uint32_t n, uint32_t *random)
{
  static const char *const types[] = {"Int", "[Char]", "Text", "State# RealWorld -> (# State# RealWorld, () #)",
    "Map Text (Maybe ByteString)", "forall m. Monad m => a -> m b", "Either SomeException a", "()"};
  char name[64], type[96], module[64], location[96];
  uint32_t unit = n / 400;
  snprintf(name, sizeof name, n % 4 ? "sat_s%xK_info" : "handlerGo%u_info", n % 4 ? n * 7u : n);
  snprintf(type, sizeof type, n % 3 ? "%s" : "%s -> T%u", types[next_random(random) % 8], next_random(random) % 2000);
  snprintf(module, sizeof module, "Company.Product.Module%u", unit);
  uint32_t line = next_random(random) % 1500;
  uint32_t column = next_random(random) % 60;
  snprintf(location, sizeof location,
    n % 5 ? "src/Company/Product/Module%u.hs:%u:%u-%u" : "src/Company/Product/Module%u.hs:(%u,%u)-(%u,80)", unit, line,
    column, column + 20);
  return define(0x400000 + 24 * (uint64_t)n, name, type, module, location);
}

static size_t heap_in_use(void)
{
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

START_TEST(million_entries_take_less_than_120_bytes_each)
{
  enum { ENTRIES = SANITIZED ? 100000 : 1000000 };
  size_t before = heap_in_use();
  uint32_t random = 1;
  for (uint32_t n = 0; n < ENTRIES; n++) define_nth(n, &random);
  ck_assert_uint_eq(tables.n, ENTRIES);
  ck_assert_uint_eq(tables.left_out, 0);
  size_t counted = info_tables_memory(&tables);
  size_t measured = heap_in_use() - before;
  printf("%.1f bytes an entry, %.1f by malloc\n", (double)counted / ENTRIES, (double)measured / ENTRIES);
  ck_assert_uint_lt(counted, (size_t)120 * ENTRIES);
  if (!SANITIZED) { /* whose mallinfo2() says nothing */
    ck_assert_uint_lt(measured, (size_t)120 * ENTRIES);
    ck_assert_uint_gt(measured, counted / 2);
  }
  struct info_table found;
  for (uint64_t n = 0; n < ENTRIES; n += 997) ck_assert(info_tables_find(&tables, 0x400000 + 24 * n, &found));
}
END_TEST

START_TEST(bound_is_kept_to_the_byte)
{
  for (size_t max_size = 0; max_size < 300000; max_size = max_size * 5 / 4 + 100) {
    info_tables_free(&tables);
    info_tables_init(&tables, max_size);
    uint32_t random = 1;
    uint32_t tried = 0;
    for (; tried < 20000; tried++) {
      define_nth(tried, &random);
      ck_assert_uint_le(info_tables_memory(&tables), max_size);
    }
    ck_assert_uint_eq(tables.left_out, tried - tables.n);
    ck_assert_uint_ge(tables.n * 400u + 8000, max_size); /* and is made use of */
    struct info_table found;
    uint32_t there = 0;
    for (uint64_t n = 0; n < tried; n++) there += info_tables_find(&tables, 0x400000 + 24 * n, &found);
    ck_assert_uint_eq(there, tables.n);
  }
}
END_TEST

START_TEST(freed_map_can_be_used_again)
{
  struct info_table found;
  define(1, "a_info", "", "", "");
  info_tables_free(&tables);
  ck_assert_uint_eq(info_tables_memory(&tables), 0);
  ck_assert(!info_tables_find(&tables, 1, &found));
  ck_assert(define(1, "a_info", "", "", ""));
  ck_assert(info_tables_find(&tables, 1, &found));
}
END_TEST

START_TEST(pool_keeps_strings_apart)
{
  struct string_pool pool;
  string_pool_init(&pool);
  char words[2000][12];
  uint32_t ids[2000];
  for (unsigned i = 0; i < 2000; i++) {
    snprintf(words[i], sizeof words[i], "%u", i);
    ck_assert(string_pool_intern(&pool, words[i], strlen(words[i]), SIZE_MAX, &ids[i]));
  }
  for (unsigned i = 0; i < 2000; i++) {
    uint32_t again;
    ck_assert_str_eq(string_pool_text(&pool, ids[i]), words[i]);
    ck_assert(string_pool_intern(&pool, words[i], strlen(words[i]), SIZE_MAX, &again));
    ck_assert_uint_eq(again, ids[i]);
  }
  uint32_t empty;
  ck_assert(string_pool_intern(&pool, "", 0, 0, &empty));
  ck_assert_str_eq(string_pool_text(&pool, empty), "");
  string_pool_free(&pool);
}
END_TEST

START_TEST(cost_centres_are_redefined_only_if_they_change)
{
  struct cost_centres centres;
  cost_centres_init(&centres);
  ck_assert(cost_centres_define(&centres, 1, "Main", 4, "main", 4));
  ck_assert(!cost_centres_define(&centres, 1, "Main", 4, "main", 4));
  ck_assert(cost_centres_define(&centres, 1, "Main", 4, "go", 2));
  ck_assert(cost_centres_define(&centres, UINT32_MAX, "M\xff", 2, "x", 1));
  for (uint32_t id = 2; id < 5000; id++) ck_assert(cost_centres_define(&centres, id, "Main", 4, "f", 1));
  struct label name;
  label_begin(&name);
  const struct evp_ids stack = {(const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0}, 3};
  cost_centres_name(&centres, stack, &name);
  label_end(&name);
  ck_assert_str_eq(name.text, "0;Main.go;M\xef\xbf\xbd.x");
  ck_assert_uint_eq(centres.left_out, 0);
  cost_centres_free(&centres);
}
END_TEST

START_TEST(deep_stack_is_cut_with_a_hash)
{
  struct cost_centres centres;
  cost_centres_init(&centres);
  char long_name[3000];
  memset(long_name, 'y', sizeof long_name);
  cost_centres_define(&centres, 7, "Main", 4, long_name, sizeof long_name);
  uint8_t ids[255 * 4] = {0};
  for (size_t i = 0; i < 255; i++) ids[4 * i + 3] = 7;
  struct label all, fewer;
  label_begin(&all);
  cost_centres_name(&centres, (struct evp_ids){ids, 255}, &all);
  label_end(&all);
  label_begin(&fewer);
  cost_centres_name(&centres, (struct evp_ids){ids, 254}, &fewer);
  label_end(&fewer);
  ck_assert_uint_eq(all.size, LABEL_MAX);
  ck_assert_str_ne(all.text, fewer.text);
  cost_centres_free(&centres);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("map");
  tcase_add_checked_fixture(tests, setup, teardown);
  const TTest *const all[] = {finds_what_was_defined, same_again_changes_nothing,
    million_entries_take_less_than_120_bytes_each, bound_is_kept_to_the_byte, freed_map_can_be_used_again,
    pool_keeps_strings_apart, cost_centres_are_redefined_only_if_they_change, deep_stack_is_cut_with_a_hash};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tcase_add_test(tests, all[i]);
  return check_main("info tables", tests);
}
