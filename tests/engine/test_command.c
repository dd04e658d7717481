/* Commands for programs: their coding, and the queue of a stream. */
#include "check_main.h"
#include "engine/command.h"
#include "engine/command_sender.h"
#include "engine/source.h"
#include "engine/time.h"
#include "harness.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct harness harness;
static struct evp_ctx ctx;
static struct source *source; /* in no lane: nobody has to be woken */

static void setup(void)
{
  harness_init(&harness);
  struct evp_ctx *own = calloc(1, sizeof *own);
  ctx = (struct evp_ctx){.node = &harness.node};
  *own = ctx;
  source = source_new(&harness.node, own);
}

static void teardown(void)
{
  source_free(source);
  harness_free(&harness);
}

static struct command_queue *new_queue(void)
{
  return command_queue_new(&ctx, source);
}

START_TEST(the_coding)
{
  static const uint8_t census[] = {0xf0, 0x9e, 0x97, 0x8c, 0x00, 0x0f, 'e', 'v', 'e', 'n', 't', 'l', 'o', 'g', '-', 's',
    'o', 'c', 'k', 'e', 't', 0x05};
  struct command command;
  ck_assert(command_write(&command, COMMAND_BUILT_IN, command_built_in("census")));
  ck_assert_uint_eq(command.size, sizeof census);
  ck_assert_mem_eq(command.bytes, census, sizeof census);
  ck_assert_uint_eq(command_id(&command), 5);
  size_t size;
  const char *name = command_name_space(&command, &size);
  ck_assert_uint_eq(size, 15);
  ck_assert_mem_eq(name, "eventlog-socket", 15);
}
END_TEST

START_TEST(the_built_in_ones)
{
  ck_assert_uint_eq(command_built_in("start-profile"), 1);
  ck_assert_uint_eq(command_built_in("stop-profile"), 2);
  ck_assert_uint_eq(command_built_in("start-heap"), 3);
  ck_assert_uint_eq(command_built_in("stop-heap"), 4);
  ck_assert_uint_eq(command_built_in("census"), 5);
  ck_assert_uint_eq(command_built_in("stats"), 0);
  ck_assert_uint_eq(command_built_in(""), 0);
}
END_TEST

START_TEST(the_lengths_of_names)
{
  struct command command;
  char name[300];
  memset(name, 'n', sizeof name);
  ck_assert(!command_write(&command, "", 1));
  ck_assert(!command_write(&command, NULL, 1));
  for (size_t size = 1; size < sizeof name; size++) {
    name[size] = '\0';
    ck_assert_int_eq(command_write(&command, name, 200), size <= 255);
    if (size > 255) break;
    ck_assert_uint_eq(command.size, size + 7);
    ck_assert_uint_eq(command.bytes[5], size);
    ck_assert_uint_eq(command_id(&command), 200);
    name[size] = 'n';
  }
}
END_TEST

START_TEST(a_queue_is_in_order_and_bounded)
{
  struct command command;
  struct command_queue *queue = new_queue();
  ck_assert(command_queue_is_empty(NULL) && command_queue_is_empty(queue));
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < COMMANDS_MAX; i++) {
      command_write(&command, "x", (uint8_t)i);
      ck_assert_int_eq(command_queue_push(queue, &command), EVP_OK);
    }
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    ck_assert_int_eq(command_queue_push(queue, &command), EVP_REJECT);
    for (unsigned i = 0; i < COMMANDS_MAX; i++) {
      ck_assert(command_queue_first(queue, &command));
      ck_assert_uint_eq(command_id(&command), i);
      command_queue_take(queue);
    }
    ck_assert(command_queue_is_empty(queue) && !command_queue_first(queue, &command));
  }
  command_queue_free(queue);
}
END_TEST

START_TEST(a_stream_that_is_over_takes_none)
{
  struct evp_stream *stream = harness_stream(&harness, false);
  ck_assert(!evp_stream_controllable(stream));
  ck_assert_int_eq(evp_control(stream, "x", 1), EVP_REJECT);
  stream->commands = new_queue();
  ck_assert(evp_stream_controllable(stream));
  ck_assert_int_eq(evp_control(stream, "x", 1), EVP_OK);
  ck_assert_int_eq(evp_control(stream, "", 1), EVP_REJECT);
  ck_assert(harness.node.commands == stream->commands);
  command_queue_close(stream->commands);
  ck_assert_ptr_null(harness.node.commands);
  ck_assert_int_eq(evp_control(stream, "x", 1), EVP_END);
  stream_set_state(stream, EVP_STREAM_CUT);
  ck_assert_int_eq(evp_control(stream, "x", 1), EVP_END);
  evp_stream_unref(stream);
}
END_TEST

START_TEST(every_stream_of_a_node_is_told)
{
  struct command command;
  struct command_queue *one = new_queue(), *other = new_queue();
  command_write(&command, "x", 1);
  for (unsigned i = 0; i < COMMANDS_MAX; i++) command_queue_push(one, &command);
  struct commands_pushed pushed = commands_push_all(&harness.node, &command);
  ck_assert_uint_eq(pushed.streams, 2);
  ck_assert_uint_eq(pushed.queued, 1);
  command_queue_free(one);
  pushed = commands_push_all(&harness.node, &command);
  ck_assert_uint_eq(pushed.streams, 1);
  ck_assert_uint_eq(pushed.queued, 1);
  command_queue_free(other);
  pushed = commands_push_all(&harness.node, &command);
  ck_assert_uint_eq(pushed.streams, 0);
}
END_TEST

/* ----------------------------------------------------------------------------------------------------------- sending */

static enum evp_status answers[8];
static unsigned calls;
static uint8_t sent[8];

static enum evp_status fake_send(void *self, const uint8_t *command, size_t size)
{
  (void)self;
  sent[calls] = command[size - 1];
  return answers[calls++];
}

static bool send_next(struct command_sender *sender, struct command_queue *queue)
{
  sender->at = 0; /* its pause is over */
  return command_send(sender, queue, -1, &ctx);
}

START_TEST(what_send_answers)
{
  struct command command;
  struct command_sender sender = {0};
  struct command_queue *queue = new_queue();
  harness.plugin.send = fake_send;
  calls = 0;
  ck_assert(command_send(&sender, NULL, -1, &ctx));
  ck_assert(command_deadline(&sender, queue) == UINT64_MAX);
  for (uint8_t i = 1; i <= 4; i++) {
    command_write(&command, "x", i);
    command_queue_push(queue, &command);
  }
  memcpy(answers, (enum evp_status[]){EVP_AGAIN, EVP_OK, EVP_REJECT, EVP_ERROR, EVP_OK}, 5 * sizeof *answers);
  ck_assert(send_next(&sender, queue) && sender.waits);
  ck_assert(command_deadline(&sender, queue) == UINT64_MAX); /* until the fd is writable */
  uint64_t before = time_monotonic();
  ck_assert(send_next(&sender, queue) && !sender.waits);
  ck_assert(sender.at > before && command_deadline(&sender, queue) == sender.at);
  ck_assert_uint_ge(sender.pause, 10 * NS_PER_MS);
  sender.at += 3600 * NS_PER_S; /* the pause may be over before the next line, on a busy machine */
  ck_assert(command_send(&sender, queue, -1, &ctx)); /* too early for the next: each comes alone */
  ck_assert_uint_eq(calls, 2);
  ck_assert(send_next(&sender, queue)); /* refused: left out */
  ck_assert(!send_next(&sender, queue)); /* the stream is over */
  ck_assert(send_next(&sender, queue));
  ck_assert_mem_eq(sent, ((uint8_t[]){1, 1, 2, 3, 4}), 5);
  ck_assert(command_queue_is_empty(queue));
  ck_assert_uint_eq(statistics_get(&harness.node.statistics.errors), 2);
  command_queue_free(queue);
}
END_TEST

static int program_socket; /* ours */

static enum evp_status send_to_program(void *self, const uint8_t *command, size_t size)
{
  (void)self;
  calls++;
  return send(program_socket, command, size, 0) == (ssize_t)size ? EVP_OK : EVP_ERROR;
}

/* A program that reads late, as it does while it collects: it must not find two at once. */
START_TEST(the_next_is_sent_when_the_last_was_read)
{
  int ends[2];
  char read_part[256];
  struct command command;
  struct command_sender sender = {0};
  struct command_queue *queue = new_queue();
  ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
  program_socket = ends[0];
  harness.plugin.send = send_to_program;
  calls = 0;
  command_write(&command, "x", 1);
  for (int i = 0; i < 2; i++) command_queue_push(queue, &command);
  for (int i = 0; i < 20; i++) {
    uint64_t before = time_monotonic();
    sender.at = 0;
    ck_assert(command_send(&sender, queue, ends[0], &ctx));
    ck_assert(sender.at > before && sender.at <= time_monotonic() + NS_PER_S);
  }
  ck_assert_uint_eq(calls, 1);
  ck_assert_uint_eq(sender.pause, NS_PER_S); /* a program that never reads costs next to nothing */
  ck_assert_int_eq(recv(ends[1], read_part, sizeof read_part, 0), (ssize_t)command.size);
  sender.at = 0;
  ck_assert(command_send(&sender, queue, ends[0], &ctx));
  ck_assert_uint_eq(calls, 2);
  ck_assert_int_eq(recv(ends[1], read_part, sizeof read_part, 0), (ssize_t)command.size);
  command_queue_free(queue);
  close(ends[0]);
  close(ends[1]);
}
END_TEST

/* ----------------------------------------------------------------------------------------------------------- threads */

static void *push_many(void *argument)
{
  while (evp_control(argument, "thread", 1) != EVP_END) continue;
  return NULL;
}

START_TEST(any_thread_may_push_while_the_stream_ends)
{
  struct evp_stream *stream = harness_stream(&harness, false);
  stream->commands = new_queue();
  pthread_t threads[3];
  struct command command;
  log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, push_many, stream);
  for (unsigned taken = 0; taken < 500;) {
    if (!command_queue_first(stream->commands, &command)) continue;
    command_queue_take(stream->commands);
    taken++;
  }
  command_queue_close(stream->commands);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  ck_assert_int_eq(evp_control(stream, "x", 1), EVP_END);
  evp_stream_unref(stream);
}
END_TEST

int main(void)
{
  const TTest *const tests[] = {the_coding, the_built_in_ones, the_lengths_of_names, a_queue_is_in_order_and_bounded,
    a_stream_that_is_over_takes_none, every_stream_of_a_node_is_told, what_send_answers,
    the_next_is_sent_when_the_last_was_read, any_thread_may_push_while_the_stream_ends};
  TCase *all = tcase_create("command");
  tcase_add_checked_fixture(all, setup, teardown);
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
  return check_main("command", all);
}
