/* The event catalogue as core sees it, and the readers of <evpipe/events.h>. */
#include "check_main.h"
#include "eventlog/catalogue.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_find)
{
  const struct catalogue_entry *live = catalogue_find(51);
  ck_assert_ptr_nonnull(live);
  ck_assert_str_eq(live->name, "HEAP_LIVE");
  ck_assert_uint_eq(catalogue_smallest(live, false), 12);
  ck_assert_ptr_eq(catalogue_find_name("HEAP_LIVE"), live);
  ck_assert_ptr_null(catalogue_find(92));
  ck_assert_ptr_null(catalogue_find(65535));
  ck_assert_ptr_null(catalogue_find_name("HEAP_LIV"));
  ck_assert_ptr_null(catalogue_find_name(""));
}
END_TEST

START_TEST(test_every_name_is_found_by_its_number)
{
  size_t names = 0;
  for (size_t i = 0; i < catalogue_n_entries; i++) {
    const struct catalogue_entry *entry = catalogue_find((uint16_t)i);
    if (!entry) continue;
    names++;
    ck_assert_uint_eq(entry->number, i);
    ck_assert_ptr_eq(catalogue_find_name(entry->name), entry);
  }
  ck_assert_uint_eq(names, catalogue_n_names);
  ck_assert_uint_eq(catalogue_n_entries, EVP_TICKY_COUNTER_BEGIN_SAMPLE + 1);
}
END_TEST

START_TEST(test_what_defines)
{
  ck_assert(catalogue_defines(catalogue_find(EVP_IPE), true));
  ck_assert(catalogue_defines(catalogue_find(EVP_CAP_CREATE), false));
  ck_assert(!catalogue_defines(catalogue_find(EVP_RUN_THREAD), false));
  /* GHC's STEAL_SPARK is as frequent as sparks are; Mercury's is a string that others refer to. */
  ck_assert(!catalogue_defines(catalogue_find(EVP_SPARK_STEAL), false));
  ck_assert(catalogue_defines(catalogue_find(EVP_SPARK_STEAL), true));
}
END_TEST

START_TEST(test_smallest_sizes)
{
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_STOP_THREAD), false), 6);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_GC_STATS_GHC), false), 50);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_NONMOVING_HEAP_CENSUS), false), 13);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_IPE), true), 14);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_IPE), false), 0);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_TICKY_COUNTER_DEF), true), 12);
  ck_assert_uint_eq(catalogue_smallest(catalogue_find(EVP_USER_MSG), true), 0);
}
END_TEST

static uint32_t dialect_of(const struct evp_event_type *types, size_t n)
{
  return catalogue_dialect(types, n);
}

START_TEST(test_dialects)
{
  const struct evp_event_type ghc_6_12[] = {{.number = 0, .size = 8}, {.number = 2, .size = 10}};
  const struct evp_event_type ghc_7_0[] = {{.number = 0, .size = 4}, {.number = 2, .size = 6}};
  const struct evp_event_type ghc_7_4[] = {{.number = 0, .size = 4}, {.number = 2, .size = 10}};
  const struct evp_event_type ghc_7_8_2[] = {{.number = 2, .size = 10}, {.number = 58, .size = 0xffff}};
  const struct evp_event_type ghc_9_6[] = {{.number = 59}, {.number = 2, .size = 10}, {.number = 58, .size = 0xffff}};
  const struct evp_event_type mercury[] = {{.number = 39, .size = 0xffff}, {.number = 0, .size = 4}};
  ck_assert_uint_eq(dialect_of(ghc_6_12, 2), EVP_DIALECT_STOP_A | EVP_DIALECT_GHC_6_12);
  ck_assert_uint_eq(dialect_of(ghc_7_0, 2), EVP_DIALECT_STOP_A);
  ck_assert_uint_eq(dialect_of(ghc_7_4, 2), EVP_DIALECT_STOP_B);
  ck_assert_uint_eq(dialect_of(ghc_7_8_2, 2), EVP_DIALECT_STOP_C);
  ck_assert_uint_eq(dialect_of(ghc_9_6, 3), EVP_DIALECT_STOP_D);
  ck_assert(dialect_of(mercury, 2) & EVP_DIALECT_MERCURY);
  ck_assert_uint_eq(catalogue_true_size(EVP_DIALECT_GHC_6_12, EVP_CREATE_THREAD, 8), 4);
  ck_assert_uint_eq(catalogue_true_size(EVP_DIALECT_GHC_6_12, EVP_STARTUP, 0), 2);
  ck_assert_uint_eq(catalogue_true_size(EVP_DIALECT_GHC_6_12, EVP_GC_START, 0), 0);
  ck_assert_uint_eq(catalogue_true_size(EVP_DIALECT_STOP_A, EVP_CREATE_THREAD, 8), 8);
}
END_TEST

START_TEST(test_stop_reasons)
{
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_A, 4), EVP_STOPPED_BLOCKED);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_B, 8), EVP_STOPPED_BLACK_HOLE);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_C, 8), EVP_STOPPED_MVAR_READ);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_C, 9), EVP_STOPPED_BLACK_HOLE);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_D, 20), EVP_STOPPED_MVAR_READ);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_D, 18), EVP_STOPPED_THROW_TO);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_D, 4), EVP_STOPPED_OTHER);
  ck_assert_int_eq(evp_stop_reason(EVP_DIALECT_STOP_D, 65535), EVP_STOPPED_OTHER);
}
END_TEST

START_TEST(test_classes)
{
  ck_assert_int_eq(evp_event_class(EVP_GC_START), EVP_CLASS_GC);
  ck_assert_int_eq(evp_event_class(EVP_CREATE_THREAD), EVP_CLASS_SCHEDULER); /* number 0 */
  ck_assert_int_eq(evp_event_class(EVP_USER_MARKER), EVP_CLASS_MESSAGES);
  ck_assert_int_eq(evp_event_class(EVP_TICKY_COUNTER_BEGIN_SAMPLE), EVP_CLASS_TICKY); /* the last number */
  ck_assert_int_eq(evp_event_class(213), EVP_CLASS_UNKNOWN);
  ck_assert_int_eq(evp_event_class(UINT16_MAX), EVP_CLASS_UNKNOWN);
  for (size_t i = 0; i < catalogue_n_entries; i++) {
    enum evp_event_class class = evp_event_class((uint16_t)i);
    ck_assert_int_eq(class != EVP_CLASS_UNKNOWN, catalogue_entries[i].name != NULL);
    ck_assert_ptr_nonnull(evp_event_class_name(class));
  }
  ck_assert_str_eq(evp_event_class_name(EVP_CLASS_GC), "gc");
  ck_assert_str_eq(evp_event_class_name(EVP_CLASS_UNKNOWN), "unknown");
  ck_assert_ptr_null(evp_event_class_name(EVP_CLASS_COUNT));
}
END_TEST

/* An event whose payload lies in memory of exactly its size, so that a sanitizer sees each byte read beyond it. */
struct exact {
  struct evp_event event;
  uint8_t *memory;
};

static struct exact exact_event(const void *data, size_t size, uint16_t flags)
{
  struct exact exact = {.memory = malloc(size ? size : 1)};
  memcpy(exact.memory, data, size);
  exact.event = (struct evp_event){.data = exact.memory, .size = (uint16_t)size, .flags = flags};
  return exact;
}

START_TEST(test_layout_by_size)
{
  uint8_t payload[58] = {0, 0, 0, 9, 0, 1, [57] = 7};
  struct evp_stop_thread stop;
  struct exact six = exact_event(payload, 6, 0), ten = exact_event(payload, 10, 0), five = exact_event(payload, 5, 0);
  ck_assert(evp_read_stop_thread(&six.event, 0, &stop));
  ck_assert_uint_eq(stop.thread, 9);
  ck_assert_uint_eq(stop.status, 1);
  ck_assert(evp_read_stop_thread(&ten.event, 0, &stop));
  ck_assert(!evp_read_stop_thread(&five.event, 0, &stop));

  struct evp_gc_stats_ghc statistics;
  struct exact old = exact_event(payload, 50, 0), new = exact_event(payload, 58, 0);
  ck_assert(evp_read_gc_stats_ghc(&old.event, 0, &statistics));
  ck_assert(!statistics.has_par_balanced_copied);
  ck_assert(evp_read_gc_stats_ghc(&new.event, 0, &statistics));
  ck_assert_uint_eq(statistics.par_balanced_copied, 7);

  struct evp_nonmoving_heap_census census;
  struct exact power = exact_event((uint8_t[13]){5}, 13, 0), bytes = exact_event((uint8_t[14]){0, 40}, 14, 0);
  ck_assert(evp_read_nonmoving_heap_census(&power.event, 0, &census));
  ck_assert_uint_eq(census.block_size, 32);
  ck_assert(evp_read_nonmoving_heap_census(&bytes.event, 0, &census));
  ck_assert_uint_eq(census.block_size, 40);
  free(six.memory), free(ten.memory), free(five.memory), free(old.memory), free(new.memory);
  free(power.memory), free(bytes.memory);
}
END_TEST

START_TEST(test_fixed_and_variable_are_not_mixed_up)
{
  struct evp_spark_steal steal;
  struct exact fixed = exact_event("\0\3", 2, 0), variable = exact_event("abc\0\0\0\5", 7, EVP_EVENT_VARIABLE);
  ck_assert(evp_read_spark_steal(&fixed.event, 0, &steal));
  ck_assert_uint_eq(steal.victim_cap, 3);
  ck_assert_ptr_null(steal.text.data);
  ck_assert(evp_read_spark_steal(&variable.event, 0, &steal));
  ck_assert_uint_eq(steal.text.size, 3);
  ck_assert_uint_eq(steal.id, 5);
  struct evp_user_msg message;
  ck_assert(!evp_read_user_msg(&fixed.event, 0, &message));
  free(fixed.memory), free(variable.memory);
}
END_TEST

START_TEST(test_texts)
{
  struct evp_ipe ipe;
  const char table[] = "\0\0\0\0\0\0\0\x10name\0"
                       "7\0type\0label\0module\0file:1";
  struct exact whole = exact_event(table, sizeof table, EVP_EVENT_VARIABLE);
  ck_assert(evp_read_ipe(&whole.event, 0, &ipe));
  ck_assert_uint_eq(ipe.address, 16);
  ck_assert_uint_eq(ipe.table_name.size, 4);
  ck_assert_int_eq(memcmp(ipe.location.data, "file:1", 7), 0);
  free(whole.memory);
  for (size_t size = 0; size < sizeof table; size++) { /* the last NUL is missing, too */
    struct exact cut = exact_event(table, size, EVP_EVENT_VARIABLE);
    ck_assert(!evp_read_ipe(&cut.event, 0, &ipe));
    free(cut.memory);
  }
}
END_TEST

START_TEST(test_optional_tail)
{
  struct evp_ticky_counter_def counter;
  const char tail[] = "\0\0\0\0\0\0\0\1\0\2kinds\0name\0\0\0\0\0\0\0\0\x20{}";
  struct exact ghc_9_2 = exact_event(tail, 21, EVP_EVENT_VARIABLE), ghc_9_4 = exact_event(tail, 29, EVP_EVENT_VARIABLE),
               ghc_9_6 = exact_event(tail, sizeof tail, EVP_EVENT_VARIABLE);
  ck_assert(evp_read_ticky_counter_def(&ghc_9_2.event, 0, &counter));
  ck_assert(!counter.has_info_table && !counter.has_json);
  ck_assert(evp_read_ticky_counter_def(&ghc_9_4.event, 0, &counter));
  ck_assert(counter.has_info_table && !counter.has_json);
  ck_assert_uint_eq(counter.info_table, 32);
  ck_assert(evp_read_ticky_counter_def(&ghc_9_6.event, 0, &counter));
  ck_assert(counter.has_json);
  ck_assert_uint_eq(counter.json.size, 2);
  free(ghc_9_2.memory), free(ghc_9_4.memory), free(ghc_9_6.memory);
}
END_TEST

START_TEST(test_stacks)
{
  struct evp_heap_prof_sample_cost_centre sample;
  const uint8_t payload[] = {0, 0, 0, 0, 0, 0, 0, 0, 9, 2, 0, 0, 0, 1, 0, 0, 0, 2};
  struct exact whole = exact_event(payload, 18, EVP_EVENT_VARIABLE), cut = exact_event(payload, 17, EVP_EVENT_VARIABLE);
  ck_assert(evp_read_heap_prof_sample_cost_centre(&whole.event, 0, &sample));
  ck_assert_uint_eq(sample.stack.n, 2);
  ck_assert_uint_eq(evp_id(sample.stack, 1), 2);
  ck_assert(!evp_read_heap_prof_sample_cost_centre(&cut.event, 0, &sample));
  free(whole.memory), free(cut.memory);
}
END_TEST

START_TEST(test_lists)
{
  struct evp_program_args args;
  struct exact event = exact_event("\0\0\0\0prog\0\0-x", 12, EVP_EVENT_VARIABLE);
  ck_assert(evp_read_program_args(&event.event, 0, &args));
  const char *expected[] = {"prog", "", "-x"};
  struct evp_text argument;
  for (size_t i = 0; i < 3; i++) {
    ck_assert(evp_next_string(&args.arguments, &argument));
    ck_assert_uint_eq(argument.size, strlen(expected[i]));
    ck_assert_int_eq(memcmp(argument.data, expected[i], argument.size), 0);
  }
  ck_assert(!evp_next_string(&args.arguments, &argument));
  free(event.memory);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("catalogue");
  tcase_add_test(tests, test_find);
  tcase_add_test(tests, test_every_name_is_found_by_its_number);
  tcase_add_test(tests, test_what_defines);
  tcase_add_test(tests, test_smallest_sizes);
  tcase_add_test(tests, test_dialects);
  tcase_add_test(tests, test_stop_reasons);
  tcase_add_test(tests, test_classes);
  tcase_add_test(tests, test_layout_by_size);
  tcase_add_test(tests, test_fixed_and_variable_are_not_mixed_up);
  tcase_add_test(tests, test_texts);
  tcase_add_test(tests, test_optional_tail);
  tcase_add_test(tests, test_stacks);
  tcase_add_test(tests, test_lists);
  return check_main("catalogue", tests);
}
