#include "check_main.h"
#include "engine/deadlines.h"
#include <stdlib.h>

enum { MANY = 500 };

static struct deadline all[MANY];

static uint64_t least(void)
{
  uint64_t earliest = UINT64_MAX;
  for (int i = 0; i < MANY; i++)
    if (all[i].due < earliest) earliest = all[i].due;
  return earliest;
}

/* Set, moved and taken out at random: the first is always the earliest of all. */
START_TEST(the_first_is_the_earliest)
{
  struct deadlines deadlines = {0};
  for (int i = 0; i < MANY; i++) all[i] = DEADLINE_NEVER;
  srand(1);
  for (int i = 0; i < 20000; i++) {
    struct deadline *any = &all[rand() % MANY];
    deadlines_set(&deadlines, any, rand() % 4 ? (uint64_t)(rand() % 100) : UINT64_MAX);
    ck_assert_uint_eq(deadlines_earliest(&deadlines), least());
  }
  for (uint64_t before = 0; deadlines.first;) {
    ck_assert_uint_ge(deadlines.first->due, before);
    before = deadlines.first->due;
    deadlines_set(&deadlines, deadlines.first, UINT64_MAX);
  }
  ck_assert_uint_eq(least(), UINT64_MAX);
}
END_TEST

START_TEST(nothing_is_never_due)
{
  struct deadlines deadlines = {0};
  struct deadline one = DEADLINE_NEVER;
  ck_assert_uint_eq(deadlines_earliest(&deadlines), UINT64_MAX);
  deadlines_set(&deadlines, &one, UINT64_MAX);
  ck_assert_ptr_null(deadlines.first);
  deadlines_set(&deadlines, &one, 0);
  deadlines_set(&deadlines, &one, 0);
  ck_assert_ptr_eq(deadlines.first, &one);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("deadlines");
  tcase_add_test(tests, the_first_is_the_earliest);
  tcase_add_test(tests, nothing_is_never_due);
  return check_main("deadlines", tests);
}
