/* How far a stream's clock has come, when one of its times is damaged: nobody's clock is carried away. */
#include "check_main.h"
#include "feeder.h"
#include "log_builder.h"
#include <inttypes.h>
#include <stdlib.h>

enum { BLOCKS = 12, BLOCK_BYTES = 24 + 2 * 14 };
#define S UINT64_C(1000000000)
#define BLOCK_TIME (200 * S) /* of a block: much more than what is believed of a single time */
#define AT_ONCE (60 * S) /* that much */

/* Blocks of one buffer or of three, with an event near each end. */
static struct log_builder *long_log(size_t *first, int buffers)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  *first = log->size;
  for (uint64_t i = 0; i < BLOCKS; i++) {
    log_block(log, i * BLOCK_TIME, (i + 1) * BLOCK_TIME, buffers > 1 ? (uint16_t)(i % 3) : 0xffff);
    log_record_u32(log, 1, i * BLOCK_TIME + 5, 1);
    log_record_u32(log, 1, (i + 1) * BLOCK_TIME - 5, 2);
    log_block_end(log);
    ck_assert_uint_eq(log->size, *first + (i + 1) * BLOCK_BYTES);
  }
  return log;
}

static struct eventlog_state state_of(const struct log_builder *log)
{
  struct outcome *outcome = calloc(1, sizeof *outcome);
  struct feeding feeding = {.data = log->data, .size = log->size};
  feed(&feeding, outcome);
  struct eventlog_state state = outcome->state;
  free(outcome);
  return state;
}

START_TEST(a_sound_log_is_followed_to_its_end)
{
  size_t first;
  struct log_builder *log = long_log(&first, _i ? 3 : 1);
  struct eventlog_state state = state_of(log);
  ck_assert_uint_eq(state.reached, BLOCKS * BLOCK_TIME);
  ck_assert_uint_eq(state.newest_block_end, BLOCKS * BLOCK_TIME);
  log_free(log);
}
END_TEST

/* Each bit of each time of each block: neither ahead by more than what is believed at once, nor behind by more than the block
   that was damaged. */
START_TEST(one_damaged_time)
{
  static const size_t times[] = {2, 14, 24 + 2, 24 + 14 + 2}; /* where they lie in a block: begin, end, two events */
  const uint64_t last = BLOCKS * BLOCK_TIME;
  size_t first;
  struct log_builder *log = long_log(&first, _i ? 3 : 1);
  for (size_t i = 0; i < BLOCKS * 4 * 64; i++) {
    size_t at = first + i / 256 * BLOCK_BYTES + times[i / 64 % 4] + i % 64 / 8;
    uint8_t bit = (uint8_t)(1u << i % 8);
    log->data[at] ^= bit;
    struct eventlog_state state = state_of(log);
    log->data[at] ^= bit;
    const uint64_t clocks[] = {state.reached, state.newest_block_end};
    for (unsigned k = 0; k < 2; k++)
      ck_assert_msg(clocks[k] <= last + AT_ONCE && clocks[k] >= last - BLOCK_TIME, "byte %zu, bit %u: %" PRIu64, at,
        bit, clocks[k]);
    ck_assert_msg(state.newest_time <= last + S, "byte %zu, bit %u: an event at %" PRIu64, at, bit, state.newest_time);
  }
  log_free(log);
}
END_TEST

/* A program that was idle before its last flush: nothing but the other buffer's block, flushed with it, says the same. */
START_TEST(an_idle_program_is_believed_when_it_says_so_twice)
{
  struct log_builder *log = log_new();
  log_usual_header(log);
  log_block(log, 0, 3600 * S, 0);
  log_record_u32(log, 1, 5, 1);
  log_block_end(log);
  struct eventlog_state state = state_of(log);
  ck_assert_uint_lt(state.reached, S);
  ck_assert_uint_eq(state.newest_block_end, 0);
  ck_assert_uint_eq(state.last_block_end, 3600 * S);
  log_block(log, 0, 3600 * S + 9, 0xffff);
  log_block_end(log);
  state = state_of(log);
  ck_assert_uint_eq(state.reached, 3600 * S + 9);
  ck_assert_uint_eq(state.newest_block_end, 3600 * S + 9);
  log_free(log);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("reached");
  tcase_add_loop_test(tests, a_sound_log_is_followed_to_its_end, 0, 2);
  tcase_add_loop_test(tests, one_damaged_time, 0, 2);
  tcase_add_test(tests, an_idle_program_is_believed_when_it_says_so_twice);
  return check_main("reached", tests);
}
