#include "check_main.h"
#include "engine/clock.h"
#include "engine/time.h"

#define S INT64_C(1000000000)
#define BEGIN (INT64_C(1700000000) * S)

START_TEST(exact_is_epoch_and_time)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  ck_assert(!clock.known);
  clock_set_exact(&clock, BEGIN);
  ck_assert_int_eq(clock_stamp(&clock, 5), BEGIN + 5);
  ck_assert_int_eq(clock_stamp(&clock, 3), BEGIN + 3); /* the stream's own disorder is left as it is */
}
END_TEST

START_TEST(a_live_estimate_is_the_least_lag)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_block(&clock, BEGIN + 900, 100);
  clock_block(&clock, BEGIN + 1000, 700);
  clock_block(&clock, BEGIN + 2000, 1100);
  clock_estimate(&clock, BEGIN + 3000, 1200);
  ck_assert(clock.known && !clock.exact);
  ck_assert_int_eq(clock.epoch, BEGIN + 300);
}
END_TEST

START_TEST(a_recording_ends_when_its_file_was_written)
{
  struct clock clock;
  clock_init(&clock, false, BEGIN + 9000);
  clock_block(&clock, BEGIN + 999999, 4000);
  clock_estimate(&clock, BEGIN + 999999, 0);
  ck_assert_int_eq(clock.epoch, BEGIN + 5000);
}
END_TEST

START_TEST(time_never_runs_backwards_when_the_epoch_does)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_block(&clock, BEGIN + 5 * S, 0);
  clock_estimate(&clock, BEGIN + 5 * S, 0);
  int64_t last = clock_stamp(&clock, 100);
  clock_set_exact(&clock, BEGIN);
  int64_t next = clock_stamp(&clock, 200);
  ck_assert_int_eq(next, last + 1);
  ck_assert_int_eq(clock_stamp(&clock, 200), next); /* one census, one time */
  ck_assert_int_eq(clock_stamp(&clock, 300), next + 1);
  ck_assert_int_eq(clock_stamp(&clock, 6 * (uint64_t)S), BEGIN + 6 * S); /* caught up */
}
END_TEST

START_TEST(a_suspended_machine_moves_the_epoch)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_set_exact(&clock, BEGIN);
  bool moved = false;
  for (int64_t s = 1; s <= 40; s++) ck_assert(!clock_block(&clock, BEGIN + s * S + S / 50, (uint64_t)(s * S)));
  /* an hour of sleep: the program's clock stood still */
  for (int64_t s = 41; s <= 140 && !moved; s++)
    moved = clock_block(&clock, BEGIN + (s + 3600) * S + S / 50, (uint64_t)(s * S));
  ck_assert(moved);
  ck_assert_int_eq(clock.epoch, BEGIN + 3600 * S);
  ck_assert_uint_eq(clock.anchored, 1);
}
END_TEST

START_TEST(a_late_block_does_not_move_the_epoch)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_set_exact(&clock, BEGIN);
  for (int64_t s = 1; s <= 300; s++) {
    int64_t delay = s % 7 ? 5 * S : 0; /* mostly late, sometimes at once */
    ck_assert(!clock_block(&clock, BEGIN + s * S + delay, (uint64_t)(s * S)));
  }
  ck_assert_int_eq(clock.epoch, BEGIN);
}
END_TEST

START_TEST(a_replay_in_fast_motion_is_not_a_clock_that_jumps_all_the_time)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_set_exact(&clock, BEGIN);
  unsigned moves = 0;
  for (int64_t ms = 1; ms <= 100000; ms++) /* a thousand times as fast, for 100 s */
    moves += clock_block(&clock, BEGIN + ms * 1000000, (uint64_t)(ms * S));
  ck_assert_uint_le(moves, 4);
}
END_TEST

START_TEST(what_waited_for_us_is_no_movement)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_set_exact(&clock, BEGIN);
  ck_assert(!clock_block(&clock, BEGIN + 3600 * S, (uint64_t)S)); /* kept since the program's start */
  for (int64_t s = 3600; s <= 3700; s++) ck_assert(!clock_block(&clock, BEGIN + s * S + S / 50, (uint64_t)(s * S)));
  ck_assert_int_eq(clock.epoch, BEGIN);
}
END_TEST

START_TEST(absurd_times_do_not_overflow)
{
  struct clock clock;
  clock_init(&clock, true, 0);
  clock_block(&clock, BEGIN, UINT64_MAX);
  clock_estimate(&clock, BEGIN, UINT64_MAX);
  ck_assert_int_eq(clock.epoch, BEGIN);
  ck_assert_int_eq(clock_stamp(&clock, UINT64_MAX), INT64_MAX);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("clock");
  tcase_add_test(tests, exact_is_epoch_and_time);
  tcase_add_test(tests, a_live_estimate_is_the_least_lag);
  tcase_add_test(tests, a_recording_ends_when_its_file_was_written);
  tcase_add_test(tests, time_never_runs_backwards_when_the_epoch_does);
  tcase_add_test(tests, a_suspended_machine_moves_the_epoch);
  tcase_add_test(tests, a_late_block_does_not_move_the_epoch);
  tcase_add_test(tests, a_replay_in_fast_motion_is_not_a_clock_that_jumps_all_the_time);
  tcase_add_test(tests, what_waited_for_us_is_no_movement);
  tcase_add_test(tests, absurd_times_do_not_overflow);
  return check_main("clock", tests);
}
