/* The outbox with a spool, over several lives: what one leaves, the next one delivers, in order, under the same ids. */
#include "check_main.h"
#include "engine/outbox.h"
#include "engine/spool.h"
#include "engine/time.h"
#include "harness.h"
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGES_MAX = 4096 };

/* A back end that answers from a script and then always `otherwise`. Its thread is over before the test looks, or its
   counts are asked for under the lock. */
struct back_end {
  pthread_mutex_t lock;
  const enum evp_status *answers;
  unsigned n_answers, asked;
  enum evp_status otherwise;
  struct evp_delivery says[4]; /* with the first answers */
  struct {
    uint64_t id;
    size_t size;
    char first;
  } got[MESSAGES_MAX]; /* what it was asked to take, whatever it answered */
};

static struct harness harness;
static struct back_end back_end;
static struct outbox *outbox;
static char folder[64], spool_path[96], letter_path[96];

static enum evp_status deliver(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  struct back_end *end = self;
  pthread_mutex_lock(&end->lock);
  unsigned i = end->asked++;
  ck_assert_uint_lt(i, MESSAGES_MAX);
  end->got[i].id = message->id;
  end->got[i].size = message->size;
  end->got[i].first = (char)message->data[0];
  if (i < 4) *result = end->says[i];
  enum evp_status answer = i < end->n_answers ? end->answers[i] : end->otherwise;
  pthread_mutex_unlock(&end->lock);
  return answer;
}

/* What is sealed is in capital letters, of which each stands for ten small ones; a Z is damaged. */
static enum evp_status unseal(void *self, const struct evp_message *message, struct evp_buf *plain)
{
  (void)self;
  for (size_t i = 0; i < message->size; i++) {
    char ten[10], letter = (char)message->data[i];
    bool sealed = letter >= 'A' && letter <= 'Z';
    if (letter == 'Z') return EVP_REJECT;
    memset(ten, letter | 0x20, sizeof ten);
    if (!evp_buf_append(plain, ten, sealed ? 10 : 1)) return EVP_ERROR;
  }
  return EVP_OK;
}

static void begin_life(const enum evp_status *answers, unsigned n, enum evp_status otherwise)
{
  harness_init(&harness);
  harness.plugin.deliver = deliver;
  harness.plugin.unseal = unseal;
  harness.plugin.name = "test";
  harness.config.sink.spool = (struct spool_settings){spool_path, 4 << 20};
  harness.config.sink.dead_letter = letter_path;
  back_end = (struct back_end){.answers = answers, .n_answers = n, .otherwise = otherwise};
  pthread_mutex_init(&back_end.lock, NULL);
  outbox = outbox_new(&harness.node, &back_end);
}

static void end_outbox(void)
{
  ck_assert(outbox_join(outbox, time_monotonic() + 20 * NS_PER_S));
  outbox_free(outbox);
}

static void end_life(void)
{
  pthread_mutex_destroy(&back_end.lock);
  harness_free(&harness);
}

static void set_up(void)
{
  /* What a commit waits for is not the matter here. */
  snprintf(folder, sizeof folder, "%s/evpipe-durable-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(spool_path, sizeof spool_path, "%s/spool", folder);
  snprintf(letter_path, sizeof letter_path, "%s/letters", folder);
}

static void tear_down(void)
{
  char log[128];
  snprintf(log, sizeof log, "%s-wal", spool_path);
  unlink(log);
  unlink(spool_path);
  unlink(letter_path);
  rmdir(folder);
}

static bool put_sized(char first, size_t size, uint64_t items)
{
  struct evp_buf buffer = {0};
  ck_assert(evp_buf_grow(&buffer, size));
  memset(buffer.data, first, size);
  buffer.size = size;
  bool taken = outbox_put(outbox, &buffer, items, 1, 2);
  free(buffer.data);
  return taken;
}

static bool put(char first, uint64_t items)
{
  return put_sized(first, 10, items);
}

static unsigned asked(void)
{
  pthread_mutex_lock(&back_end.lock);
  unsigned n = back_end.asked;
  pthread_mutex_unlock(&back_end.lock);
  return n;
}

/* True: so many attempts were made within the time. */
static bool wait_asked(unsigned n)
{
  uint64_t deadline = time_monotonic() + 20 * NS_PER_S;
  while (asked() < n && time_monotonic() < deadline) usleep(1000);
  return asked() >= n;
}

static struct statistics *statistics(void)
{
  return &harness.node.statistics;
}

/* The rule of statistics.h; `in` is the queue's to count. */
static void check_sum(uint64_t in)
{
  struct statistics *counts = statistics();
  ck_assert_uint_eq(
    in + statistics_get(&counts->recovered), statistics_get(&counts->delivered) + statistics_get(&counts->rejected) +
                                               statistics_dropped(counts) + statistics_get(&counts->spool_items));
}

static void check_got(const char *expected)
{
  ck_assert_uint_eq(back_end.asked, strlen(expected));
  for (size_t i = 0; expected[i]; i++) ck_assert_int_eq(back_end.got[i].first, expected[i]);
}

static int status(void)
{
  return atomic_load(&harness.engine.status);
}

START_TEST(what_is_left_is_delivered_by_the_next_life)
{
  static const enum evp_status first[] = {EVP_OK};
  begin_life(first, 1, EVP_AGAIN);
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 60 * NS_PER_S;
  ck_assert(outbox_start(outbox));
  ck_assert(put('a', 1) && put('b', 2) && put('c', 3));
  ck_assert(wait_asked(2));
  outbox_abandon(outbox);
  ck_assert(put('d', 4)); /* straight to the spool */
  end_outbox();
  check_got("ab");
  uint64_t id = back_end.got[1].id;
  ck_assert_uint_eq(statistics_get(&statistics()->delivered), 1);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), 9);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_bytes), 30);
  ck_assert_uint_eq(statistics_dropped(statistics()), 0);
  ck_assert_int_eq(status(), STATUS_DONE);
  check_sum(10);
  end_life();

  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  ck_assert_uint_eq(statistics_get(&statistics()->recovered), 9);
  ck_assert(put('e', 5));
  outbox_close(outbox);
  end_outbox();
  check_got("bcde");
  ck_assert_uint_eq(back_end.got[0].id, id);
  for (unsigned i = 1; i < 4; i++) ck_assert_uint_gt(back_end.got[i].id, back_end.got[i - 1].id);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), 0);
  check_sum(5);
  end_life();
}
END_TEST

/* What an earlier process left an hour ago waits for an hour. */
START_TEST(the_oldest_is_known_over_a_restart)
{
  const int64_t hour = 3600 * (int64_t)NS_PER_S, minute = hour / 60;
  char error[SPOOL_ERROR_MAX];
  begin_life(NULL, 0, EVP_AGAIN);
  const struct spool_options options = {spool_path, 4 << 20, "test", harness.plugin.message_format};
  struct spool *spool = spool_open(&options, error);
  ck_assert_msg(spool, "%s", error);
  const struct evp_message old = {
    .data = (const uint8_t *)"a", .size = 1, .id = (uint64_t)(time_unix() - hour), .items = 1};
  ck_assert_int_eq(spool_put(spool, &old), SPOOL_OK);
  spool_close(spool);
  ck_assert_uint_eq(atomic_load(&statistics()->messages), 0);
  ck_assert(outbox_start(outbox));
  ck_assert(put('b', 2));
  int64_t age = (int64_t)time_monotonic() - atomic_load(&statistics()->messages_since);
  ck_assert_msg(hour - minute < age && age < hour + minute, "%" PRId64, age);
  ck_assert_uint_eq(atomic_load(&statistics()->messages), 2);
  ck_assert_uint_eq(statistics_get(&statistics()->message_bytes), 0); /* in memory there is nothing of it */
  outbox_abandon(outbox);
  end_outbox();
  end_life();

  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  outbox_close(outbox);
  end_outbox();
  check_got("ab");
  ck_assert_uint_eq(atomic_load(&statistics()->messages), 0);
  end_life();
}
END_TEST

START_TEST(progress_is_kept)
{
  static const enum evp_status first[] = {EVP_AGAIN};
  begin_life(first, 1, EVP_AGAIN);
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 60 * NS_PER_S;
  back_end.says[0] = (struct evp_delivery){.delivered = 4, .rejected = 1};
  ck_assert(outbox_start(outbox));
  ck_assert(put('a', 5));
  ck_assert(wait_asked(2));
  outbox_abandon(outbox);
  end_outbox();
  ck_assert_uint_eq(back_end.got[1].size, 6);
  check_sum(5);
  end_life();

  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  outbox_close(outbox);
  end_outbox();
  ck_assert_uint_eq(back_end.got[0].size, 6);
  ck_assert_uint_eq(statistics_get(&statistics()->delivered), 4);
  check_sum(0);
  end_life();
}
END_TEST

START_TEST(a_failed_delivery_keeps_the_spool)
{
  static const enum evp_status first[] = {EVP_OK, EVP_ERROR};
  begin_life(first, 2, EVP_ERROR);
  ck_assert(outbox_start(outbox));
  ck_assert(put('a', 1) && put('b', 2));
  ck_assert(wait_asked(2));
  ck_assert(outbox_join(outbox, time_monotonic() + 20 * NS_PER_S));
  ck_assert(!put('c', 4)); /* what a failed node should have got is dropped */
  end_outbox();
  ck_assert_uint_eq(statistics_dropped(statistics()), 4);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), 2);
  ck_assert_int_eq(status(), STATUS_NODE_FAILED);
  check_sum(7);
  end_life();

  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  outbox_close(outbox);
  end_outbox();
  check_got("b");
  end_life();
}
END_TEST

START_TEST(a_full_spool_lets_the_sink_wait)
{
  begin_life(NULL, 0, EVP_AGAIN);
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 60 * NS_PER_S;
  harness.config.sink.spool.max_size = 1 << 20;
  ck_assert(outbox_start(outbox));
  unsigned n = 0, refused = 1;
  while (statistics_get(&statistics()->spool_bytes) < 400000) n += put_sized('a', 50000, 1);
  outbox_abandon(outbox); /* the first one that finds it full would wait for ever */
  while (n < 100 && put_sized('b', 50000, 1)) n++;
  end_outbox();
  ck_assert_uint_lt(n, 20);
  ck_assert_uint_eq(statistics_dropped(statistics()), refused);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), n);
  ck_assert_int_eq(status(), STATUS_NODE_FAILED);
  check_sum(n + refused);
  end_life();
}
END_TEST

static void limit_files(rlim_t size)
{
  const struct rlimit limit = {size, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
}

/* The disk is full, the back end is there: messages pass in memory, each after the other, none is lost. */
START_TEST(a_full_disk_does_not_hold_up_a_back_end_that_is_there)
{
  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  limit_files(60000);
  bool taken = true;
  for (unsigned i = 0; i < 40; i++) taken = put_sized((char)('A' + i), 20000, 1) && taken;
  outbox_close(outbox);
  bool joined = outbox_join(outbox, time_monotonic() + 20 * NS_PER_S);
  limit_files(RLIM_INFINITY);
  ck_assert(taken && joined);
  end_outbox();
  ck_assert_uint_eq(back_end.asked, 40);
  for (unsigned i = 0; i < 40; i++) ck_assert_int_eq(back_end.got[i].first, (char)('A' + i));
  ck_assert_uint_gt(statistics_get(&statistics()->errors), 0);
  ck_assert_uint_eq(statistics_get(&statistics()->delivered), 40);
  ck_assert_int_eq(status(), STATUS_DONE);
  check_sum(40);
  end_life();
}
END_TEST

/* Neither disk nor back end: one message in memory is the most; it goes to the disk as soon as that takes it. */
START_TEST(what_is_in_memory_is_spooled_at_the_end_if_possible)
{
  begin_life(NULL, 0, EVP_AGAIN);
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 60 * NS_PER_S;
  ck_assert(outbox_start(outbox));
  limit_files(_i ? 8192 : 60000);
  bool taken = put_sized('a', 200000, 3);
  bool tried = wait_asked(1);
  outbox_abandon(outbox);
  bool refused = !put_sized('b', 200000, 4);
  bool joined = outbox_join(outbox, time_monotonic() + 20 * NS_PER_S);
  if (_i) limit_files(RLIM_INFINITY);
  outbox_free(outbox);
  limit_files(RLIM_INFINITY);
  ck_assert(taken && tried && refused && joined);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), _i ? 3 : 0);
  ck_assert_uint_eq(statistics_dropped(statistics()), _i ? 4 : 7);
  ck_assert_int_eq(status(), STATUS_NODE_FAILED);
  check_sum(7);
  end_life();
}
END_TEST

/* ------------------------------------------------------------------------------------------------------- unsealing */

/* Two parts of ten of the message, and then nothing more in this life. */
static void deliver_two_parts(bool disk_is_full)
{
  static const enum evp_status answers[] = {EVP_AGAIN, EVP_AGAIN, EVP_AGAIN};
  begin_life(answers, 3, EVP_AGAIN);
  harness.config.sink.retry.initial = harness.config.sink.retry.max = 60 * NS_PER_S;
  back_end.says[0].unseal = true;
  back_end.says[1] = back_end.says[2] = (struct evp_delivery){.delivered = 5000, .delivered_items = 1};
  ck_assert(outbox_start(outbox));
  if (disk_is_full) limit_files(45000);
  bool taken = put_sized('A', 5000, 10), tried = wait_asked(4);
  outbox_abandon(outbox);
  bool joined = outbox_join(outbox, time_monotonic() + 20 * NS_PER_S);
  limit_files(RLIM_INFINITY);
  ck_assert(taken && tried && joined);
  end_outbox();
  check_got("Aaaa");
  ck_assert_uint_eq(back_end.got[1].size, 50000);
  ck_assert_uint_eq(back_end.got[3].size, 40000);
  ck_assert_uint_eq(back_end.got[3].id, back_end.got[0].id);
  ck_assert_uint_eq(statistics_get(&statistics()->delivered_bytes), 10000);
  ck_assert_uint_eq(statistics_get(&statistics()->spool_items), 8);
  check_sum(10);
}

static void deliver_the_rest(char first, size_t size, uint64_t items)
{
  begin_life(NULL, 0, EVP_OK);
  ck_assert(outbox_start(outbox));
  ck_assert_uint_eq(statistics_get(&statistics()->recovered), items);
  outbox_close(outbox);
  end_outbox();
  ck_assert_uint_eq(back_end.asked, 1);
  ck_assert_int_eq(back_end.got[0].first, first);
  ck_assert_uint_eq(back_end.got[0].size, size);
  check_sum(0);
  end_life();
}

START_TEST(progress_of_what_was_unsealed_is_kept)
{
  deliver_two_parts(false);
  ck_assert_uint_eq(statistics_get(&statistics()->errors), 0);
  end_life();
  deliver_the_rest('a', 40000, 8);
}
END_TEST

/* It is delivered in parts all the same; the next life has it as it was sealed, and sends all of it. */
START_TEST(a_disk_that_does_not_take_what_was_unsealed)
{
  deliver_two_parts(true);
  ck_assert_uint_eq(statistics_get(&statistics()->errors), 1);
  ck_assert_uint_eq(statistics_dropped(statistics()), 0);
  ck_assert_int_eq(status(), STATUS_DONE);
  end_life();
  deliver_the_rest('A', 5000, 10);
}
END_TEST

/* ---------------------------------------------------------------------------------------------------- dead letters */

static size_t read_letters(char *text, size_t room)
{
  FILE *file = fopen(letter_path, "r");
  ck_assert_ptr_nonnull(file);
  size_t size = fread(text, 1, room - 1, file);
  fclose(file);
  text[size] = '\0';
  return size;
}

START_TEST(what_is_refused_is_in_the_dead_letters)
{
  static const enum evp_status answers[] = {EVP_REJECT, EVP_OK, EVP_REJECT};
  char text[2000];
  struct stat mode;
  umask(0);
  begin_life(answers, 3, EVP_OK);
  if (_i) harness.config.sink.spool.path = NULL; /* with a spool and without */
  ck_assert(outbox_start(outbox));
  put('a', 1);
  put('b', 2);
  put('c', 3);
  outbox_close(outbox);
  end_outbox();
  read_letters(text, sizeof text);
  ck_assert_ptr_nonnull(strstr(text, "\"node\":\"sink\",\"plugin\":\"test\",\"format\":0,\"id\":"));
  ck_assert_ptr_nonnull(strstr(text, ",\"reason\":\"rejected\",\"items\":1,\"size\":10}\naaaaaaaaaa\n{\"time\":\"2"));
  ck_assert_ptr_nonnull(strstr(text, ",\"reason\":\"rejected\",\"items\":3,\"size\":10}\ncccccccccc\n"));
  ck_assert_ptr_null(strstr(text, "bb"));
  ck_assert(!stat(letter_path, &mode));
  ck_assert_uint_eq(mode.st_mode & 07777, 0600);
  ck_assert_uint_eq(statistics_get(&statistics()->rejected), 4);
  check_sum(6);
  end_life();
}
END_TEST

START_TEST(what_is_given_up_is_in_the_dead_letters)
{
  char text[2000];
  begin_life(NULL, 0, EVP_AGAIN);
  harness.config.sink.retry.give_up = 3 * NS_PER_MS;
  ck_assert(outbox_start(outbox));
  put('a', 5);
  outbox_close(outbox);
  end_outbox();
  read_letters(text, sizeof text);
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"given_up\",\"items\":5,\"size\":10}\naaaaaaaaaa\n"));
  ck_assert_uint_eq(statistics_dropped(statistics()), 5);
  check_sum(5);
  end_life();
}
END_TEST

/* Refused, given up, damaged on the way to it: somebody is to read it. */
START_TEST(dead_letters_are_unsealed)
{
  static const enum evp_status answers[] = {EVP_REJECT, EVP_REJECT, EVP_AGAIN, EVP_REJECT, EVP_AGAIN, EVP_AGAIN};
  char text[4000];
  begin_life(answers, 6, EVP_OK);
  if (_i) harness.config.sink.spool.path = NULL; /* with a spool and without */
  harness.config.sink.retry.give_up = 0;
  back_end.says[2].unseal = true; /* 'C' */
  ck_assert(outbox_start(outbox));
  put_sized('A', 1, 1);
  put_sized('b', 1, 2);
  put_sized('C', 1, 3);
  put_sized('D', 1, 4);
  put_sized('Z', 2, 5);
  outbox_close(outbox);
  end_outbox();
  read_letters(text, sizeof text);
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"rejected\",\"items\":1,\"size\":10}\naaaaaaaaaa\n{"));
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"rejected\",\"items\":2,\"size\":1}\nb\n{"));
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"rejected\",\"items\":3,\"size\":10}\ncccccccccc\n{"));
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"given_up\",\"items\":4,\"size\":10}\ndddddddddd\n{"));
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"given_up\",\"items\":5,\"size\":2,\"sealed\":true}\nZZ\n"));
  ck_assert_uint_eq(statistics_get(&statistics()->rejected), 6);
  ck_assert_uint_eq(statistics_dropped(statistics()), 9);
  check_sum(15);
  end_life();
}
END_TEST

START_TEST(what_can_not_be_unsealed_is_a_dead_letter_as_it_is)
{
  static const enum evp_status answers[] = {EVP_AGAIN};
  char text[2000];
  begin_life(answers, 1, EVP_OK);
  back_end.says[0].unseal = true;
  ck_assert(outbox_start(outbox));
  put_sized('Z', 2, 5);
  put_sized('b', 2, 1);
  outbox_close(outbox);
  end_outbox();
  check_got("Zb");
  read_letters(text, sizeof text);
  ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"not_unsealed\",\"items\":5,\"size\":2,\"sealed\":true}\nZZ\n"));
  ck_assert_uint_eq(statistics_dropped(statistics()), 5);
  ck_assert_int_eq(status(), STATUS_NODE_FAILED);
  check_sum(6);
  end_life();
}
END_TEST

START_TEST(full_dead_letters_are_told_and_stay_readable)
{
  static const enum evp_status answers[] = {EVP_REJECT, EVP_REJECT};
  char text[2000];
  begin_life(answers, 2, EVP_OK);
  harness.config.sink.spool.path = NULL;
  ck_assert(outbox_start(outbox));
  put('a', 1);
  ck_assert(wait_asked(1));
  uint64_t deadline = time_monotonic() + 20 * NS_PER_S;
  while (!statistics_get(&statistics()->rejected) && time_monotonic() < deadline) usleep(1000);
  limit_files(300);
  put_sized('b', 500, 1);
  outbox_close(outbox);
  bool joined = outbox_join(outbox, time_monotonic() + 20 * NS_PER_S);
  limit_files(RLIM_INFINITY);
  ck_assert(joined);
  end_outbox();
  size_t size = read_letters(text, sizeof text);
  ck_assert_int_eq(strcmp(text + size - 12, "\naaaaaaaaaa\n"), 0);
  ck_assert_uint_eq(statistics_get(&statistics()->errors), 1);
  ck_assert_uint_eq(statistics_get(&statistics()->rejected), 2);
  end_life();
}
END_TEST

START_TEST(a_bad_path_is_an_error_at_start)
{
  begin_life(NULL, 0, EVP_OK);
  harness.config.sink.spool.path = _i ? "/nowhere/spool" : NULL;
  harness.config.sink.dead_letter = _i ? NULL : folder;
  ck_assert(!outbox_start(outbox));
  outbox_free(outbox);
  end_life();
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("durable");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, what_is_left_is_delivered_by_the_next_life);
  tcase_add_test(tests, the_oldest_is_known_over_a_restart);
  tcase_add_test(tests, progress_is_kept);
  tcase_add_test(tests, a_failed_delivery_keeps_the_spool);
  tcase_add_test(tests, a_full_spool_lets_the_sink_wait);
  tcase_add_test(tests, a_full_disk_does_not_hold_up_a_back_end_that_is_there);
  tcase_add_loop_test(tests, what_is_in_memory_is_spooled_at_the_end_if_possible, 0, 2);
  tcase_add_test(tests, progress_of_what_was_unsealed_is_kept);
  tcase_add_test(tests, a_disk_that_does_not_take_what_was_unsealed);
  tcase_add_loop_test(tests, what_is_refused_is_in_the_dead_letters, 0, 2);
  tcase_add_test(tests, what_is_given_up_is_in_the_dead_letters);
  tcase_add_loop_test(tests, dead_letters_are_unsealed, 0, 2);
  tcase_add_test(tests, what_can_not_be_unsealed_is_a_dead_letter_as_it_is);
  tcase_add_test(tests, full_dead_letters_are_told_and_stay_readable);
  tcase_add_loop_test(tests, a_bad_path_is_an_error_at_start, 0, 2);
  return check_main("durable", tests);
}
