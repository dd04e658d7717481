#include "check_main.h"
#include "engine/outbox.h"
#include "engine/time.h"
#include "harness.h"
#include <stdlib.h>
#include <string.h>

/* A back end of which each attempt is answered from a script. Its thread is over before the test looks. */
struct back_end {
  const enum evp_status *answers;
  unsigned n_answers, asked;
  struct evp_delivery says[8]; /* with its answers */
  char got[256]; /* first byte of each message that was accepted */
  unsigned n_got, unsealed;
  uint32_t attempts[64];
};

static struct harness harness;
static struct back_end back_end;
static struct outbox *outbox;

static enum evp_status deliver(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  struct back_end *end = self;
  unsigned i = end->asked++;
  enum evp_status answer = i < end->n_answers ? end->answers[i] : EVP_OK;
  if (i < 64) end->attempts[i] = message->attempt;
  if (i < 8) *result = end->says[i];
  if (answer == EVP_OK) end->got[end->n_got++] = (char)message->data[0];
  return answer;
}

/* A sealed message is in brackets. */
static enum evp_status unseal(void *self, const struct evp_message *message, struct evp_buf *plain)
{
  struct back_end *end = self;
  end->unsealed++;
  ck_assert_uint_eq(plain->size, 0);
  if (message->data[0] == '!') return EVP_REJECT;
  if (message->data[0] == '?') return EVP_ERROR;
  bool sealed = message->data[0] == '(';
  return evp_buf_append(plain, message->data + sealed, message->size - 2 * sealed) ? EVP_OK : EVP_ERROR;
}

static void set_up(void)
{
  harness_init(&harness);
  back_end = (struct back_end){0};
  harness.plugin.deliver = deliver;
  harness.plugin.unseal = unseal;
  outbox = outbox_new(&harness.node, &back_end);
}

static void tear_down(void)
{
  outbox_free(outbox);
  harness_free(&harness);
}

static bool put(const char *text, uint64_t items)
{
  struct evp_buf buffer = {0};
  ck_assert(evp_buf_append(&buffer, text, strlen(text)));
  bool taken = outbox_put(outbox, &buffer, items, 1, 2);
  free(buffer.data);
  return taken;
}

static void run(const enum evp_status *answers, unsigned n)
{
  back_end.answers = answers;
  back_end.n_answers = n;
  ck_assert(outbox_start(outbox));
  outbox_close(outbox);
  ck_assert(outbox_join(outbox, time_monotonic() + 20 * NS_PER_S));
}

static uint64_t delivered(void)
{
  return statistics_get(&harness.node.statistics.delivered);
}

START_TEST(in_order_after_retries)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_OK, EVP_AGAIN, EVP_OK};
  put("a", 3);
  put("b", 4);
  run(answers, 5);
  ck_assert_uint_eq(back_end.n_got, 2);
  ck_assert_mem_eq(back_end.got, "ab", 2);
  ck_assert_uint_eq(delivered(), 7);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.retries), 3);
  ck_assert_uint_eq(back_end.attempts[2], 2);
}
END_TEST

START_TEST(a_part_that_is_delivered_is_not_sent_again)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_OK};
  put("first second", 2);
  back_end.says[0].delivered = 6;
  run(answers, 2);
  ck_assert_int_eq(back_end.got[0], 's');
  ck_assert_uint_eq(delivered(), 2);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.retries), 0);
}
END_TEST

START_TEST(what_is_given_up_is_only_the_rest)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_OK};
  harness.config.sink.retry.give_up = 0;
  put("first second", 10);
  back_end.says[0] = (struct evp_delivery){.delivered = 6, .delivered_items = 4, .rejected = 1};
  run(answers, 3);
  ck_assert_uint_eq(delivered(), 4);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.rejected), 1);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 5);
}
END_TEST

START_TEST(more_items_than_there_are_do_no_harm)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_OK};
  put("first second", 10);
  back_end.says[0] = (struct evp_delivery){.delivered = 6, .delivered_items = UINT64_MAX};
  run(answers, 2);
  ck_assert_uint_eq(delivered(), 10);
}
END_TEST

START_TEST(what_is_refused_is_counted)
{
  static const enum evp_status answers[] = {EVP_REJECT, EVP_OK};
  put("a", 3);
  put("b", 4);
  back_end.says[0].rejected = 0;
  run(answers, 2);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.rejected), 3);
  ck_assert_uint_eq(delivered(), 4);
}
END_TEST

START_TEST(a_partial_refusal_is_counted)
{
  put("a", 10);
  back_end.says[0].rejected = 4;
  run(NULL, 0);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.rejected), 4);
  ck_assert_uint_eq(delivered(), 6);
}
END_TEST

START_TEST(gives_up_when_told_to)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN,
    EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_AGAIN};
  harness.config.sink.retry.give_up = 3 * NS_PER_MS;
  put("a", 5);
  run(answers, 12);
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 5);
  ck_assert_int_eq(atomic_load(&harness.engine.status), STATUS_NODE_FAILED);
}
END_TEST

START_TEST(a_failed_delivery_keeps_and_counts)
{
  static const enum evp_status answers[] = {EVP_ERROR};
  put("a", 5);
  put("b", 6);
  run(answers, 1);
  ck_assert(atomic_load(&harness.node.failed));
  outbox_free(outbox);
  outbox = NULL;
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 11);
}
END_TEST

START_TEST(is_bounded_and_lets_the_sink_wait)
{
  harness.config.sink.queue.max_size = 1000;
  char text[400];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  ck_assert(put(text, 1));
  ck_assert(put(text, 1));
  outbox_abandon(outbox); /* nobody delivers: the third would wait for ever */
  ck_assert(!put(text, 1));
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 1);
}
END_TEST

START_TEST(the_back_ends_own_delay_counts)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_OK};
  put("a", 1);
  back_end.says[0].retry_after = 200 * NS_PER_MS;
  uint64_t begin = time_monotonic();
  run(answers, 2);
  ck_assert_uint_ge(time_monotonic() - begin, 200 * NS_PER_MS);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------- unsealing */

START_TEST(what_is_wanted_plain_comes_at_once)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_OK, EVP_OK};
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 600 * NS_PER_S;
  put("(first second)", 10);
  put("(third)", 3);
  back_end.says[0].unseal = true;
  back_end.says[1] = (struct evp_delivery){.delivered = 6, .delivered_items = 4};
  run(answers, 4);
  ck_assert_mem_eq(back_end.got, "s(", 2);
  ck_assert_uint_eq(back_end.unsealed, 1);
  ck_assert_uint_eq(back_end.attempts[1], 0);
  ck_assert_uint_eq(delivered(), 13);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.retries), 0);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.delivered_bytes), strlen("first second(third)"));
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.message_bytes), 0);
}
END_TEST

/* Asked for once more it is retried, with a delay: no loop without a pause. Nor where there is no unseal(). */
START_TEST(it_is_unsealed_once)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_AGAIN, EVP_OK};
  if (_i) harness.plugin.unseal = NULL;
  put("(a)", 1);
  for (unsigned i = 0; i < 3; i++) back_end.says[i].unseal = true;
  run(answers, 4);
  ck_assert_int_eq(back_end.got[0], _i ? '(' : 'a');
  ck_assert_uint_eq(back_end.unsealed, _i ? 0 : 1);
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.retries), _i ? 3 : 2);
}
END_TEST

START_TEST(what_can_not_be_unsealed_is_given_up)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_OK};
  put("!damaged", 7);
  put("next", 1);
  back_end.says[0].unseal = true;
  run(answers, 2);
  ck_assert_int_eq(back_end.got[0], 'n');
  ck_assert_uint_eq(statistics_dropped(&harness.node.statistics), 7);
  ck_assert_str_eq(harness.node.statistics.drops[0].reason, "not_unsealed");
  ck_assert_int_eq(atomic_load(&harness.engine.status), STATUS_NODE_FAILED);
}
END_TEST

START_TEST(a_failed_unseal_keeps_and_counts)
{
  static const enum evp_status answers[] = {EVP_AGAIN};
  put("?", 7);
  back_end.says[0].unseal = true;
  run(answers, 1);
  ck_assert(atomic_load(&harness.node.failed));
  ck_assert_uint_eq(back_end.asked, 1);
}
END_TEST

/* The bound is one of memory: a small message keeps no large buffer, which stays with the sink for the next one. */
START_TEST(a_small_message_keeps_no_large_buffer)
{
  struct evp_buf buffer = {0};
  ck_assert(evp_buf_grow(&buffer, 1 << 20) && evp_buf_append(&buffer, "packed", 6));
  ck_assert(outbox_put(outbox, &buffer, 1, 1, 2));
  ck_assert_uint_ge(buffer.capacity, 1 << 20);
  memset(buffer.data, 'x', 6); /* it has bytes of its own */
  free(buffer.data);
  run(NULL, 0);
  ck_assert_int_eq(back_end.got[0], 'p');
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("outbox");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, in_order_after_retries);
  tcase_add_test(tests, a_part_that_is_delivered_is_not_sent_again);
  tcase_add_test(tests, what_is_given_up_is_only_the_rest);
  tcase_add_test(tests, more_items_than_there_are_do_no_harm);
  tcase_add_test(tests, what_is_refused_is_counted);
  tcase_add_test(tests, a_partial_refusal_is_counted);
  tcase_add_test(tests, gives_up_when_told_to);
  tcase_add_test(tests, a_failed_delivery_keeps_and_counts);
  tcase_add_test(tests, is_bounded_and_lets_the_sink_wait);
  tcase_add_test(tests, the_back_ends_own_delay_counts);
  tcase_add_test(tests, what_is_wanted_plain_comes_at_once);
  tcase_add_loop_test(tests, it_is_unsealed_once, 0, 2);
  tcase_add_test(tests, what_can_not_be_unsealed_is_given_up);
  tcase_add_test(tests, a_failed_unseal_keeps_and_counts);
  tcase_add_test(tests, a_small_message_keeps_no_large_buffer);
  return check_main("outbox", tests);
}
