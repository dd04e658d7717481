/* A lane that runs, with sources that come, are asked for, and leave. */
#include "check_main.h"
#include "engine/lane.h"
#include "engine/source.h"
#include "engine/time.h"
#include "harness.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MANY = 200 };

static struct harness harness;
static struct lane lane;
static struct source *sources[MANY];
static atomic_int connects, reads, destroyed;
static int ready_fd; /* of every source; readable once it is written to */
static atomic_bool refuse;

static enum evp_status test_connect(void *self, int *fd)
{
  (void)self;
  atomic_fetch_add(&connects, 1);
  *fd = atomic_load(&refuse) ? -1 : dup(ready_fd);
  return atomic_load(&refuse) ? EVP_AGAIN : EVP_OK;
}

static enum evp_status test_read(void *self, uint8_t *buffer, size_t *size)
{
  (void)self, (void)buffer, (void)size;
  atomic_fetch_add(&reads, 1);
  return EVP_END;
}

static void test_destroy(void *self)
{
  (void)self;
  atomic_fetch_add(&destroyed, 1);
}

static void set_up(void)
{
  harness_init(&harness);
  harness.plugin = (struct evp_plugin){
    .kind = EVP_SOURCE, .name = "test", .connect = test_connect, .read = test_read, .destroy = test_destroy};
  harness.config.kind = EVP_SOURCE;
  harness.engine.sources_come = true;
  harness.engine.nodes = &harness.node;
  harness.engine.n_nodes = 1;
  harness.config.source.silence = EVP_NEVER;
  ready_fd = eventfd(0, EFD_NONBLOCK);
  ck_assert(lane_init(&lane, &harness.engine));
  ck_assert(lane_start(&lane));
}

static void tear_down(void)
{
  lane_free(&lane);
  close(ready_fd);
  harness_free(&harness);
}

static struct pipeline_instance *new_instance(void)
{
  struct pipeline_instance *instance = calloc(1, sizeof *instance);
  instance->path = "/some/path";
  instance->source.reconnect = (struct reconnect_settings){NS_PER_S * 3600, NS_PER_S * 3600};
  atomic_init(&instance->refs, 1000000); /* not to be freed: it is no configuration's */
  return instance;
}

static struct pipeline_instance *shared;

static void add(int i)
{
  struct evp_ctx *ctx = calloc(1, sizeof *ctx);
  ck_assert(instance_create(ctx, &harness.node, NULL, shared, false, NULL));
  sources[i] = source_new(&harness.node, ctx);
  ck_assert(source_start(sources[i]));
  lane_add(&lane, sources[i]);
}

static void wait_until(atomic_int *counter, int n)
{
  for (int i = 0; atomic_load(counter) < n; i++) {
    ck_assert_msg(i < 10000, "%d of %d", atomic_load(counter), n);
    poll(NULL, 0, 1);
  }
}

static int take_left(int wanted)
{
  int n = 0;
  for (int i = 0; n < wanted && i < 10000; i++) {
    for (struct source *source; (source = lane_take_left(&lane)); n++) source_free(source);
    poll(NULL, 0, 1);
  }
  return n;
}

static void end(void)
{
  atomic_fetch_add(&harness.engine.stop_requests, 1);
  lane_wake(&lane);
  ck_assert(lane_join(&lane, time_monotonic() + 20 * NS_PER_S));
}

START_TEST(they_come_while_it_runs_and_leave_when_gone)
{
  atomic_store(&refuse, true);
  for (int i = 0; i < MANY; i++) add(i);
  wait_until(&connects, MANY);
  ck_assert_uint_eq(lane.n_sources, MANY);
  ck_assert_ptr_null(lane_take_left(&lane));
  for (int i = 0; i < MANY; i++) source_try_now(sources[i]); /* not to wait for the hour */
  wait_until(&connects, 2 * MANY);
  for (int i = 0; i < MANY; i += 2) source_path_is(sources[i], false);
  for (int i = 0; i < MANY; i += 2) source_try_now(sources[i]);
  ck_assert_int_eq(take_left(MANY / 2), MANY / 2);
  ck_assert_uint_eq(lane.n_sources, MANY / 2);
  ck_assert_int_eq(atomic_load(&destroyed), MANY / 2);
  end();
  ck_assert_int_eq(take_left(MANY / 2), MANY / 2);
}
END_TEST

/* One that is connected is not let go although its path is; once the connection is over it is. */
START_TEST(the_connected_stay)
{
  atomic_store(&refuse, false);
  for (int i = 0; i < 10; i++) add(i);
  wait_until(&connects, 10);
  for (int i = 0; i < 10; i++) source_path_is(sources[i], false);
  for (int i = 0; i < 10; i++) lane_ask(sources[i]);
  poll(NULL, 0, 20);
  ck_assert_ptr_null(lane_take_left(&lane));
  ck_assert_int_eq(atomic_load(&reads), 0);
  atomic_store(&refuse, true);
  eventfd_write(ready_fd, 1);
  wait_until(&reads, 10);
  for (int i = 0; i < 10; i++) source_try_now(sources[i]);
  ck_assert_int_eq(take_left(10), 10);
  end();
}
END_TEST

/* Asked for from other threads all the time, also while they leave. */
static void *ask_all(void *argument)
{
  for (int round = 0; round < 500; round++)
    for (int i = 0; i < MANY; i++) lane_ask(sources[i]);
  return argument;
}

START_TEST(asking_never_hurts)
{
  pthread_t askers[2];
  atomic_store(&refuse, true);
  for (int i = 0; i < MANY; i++) add(i);
  for (int i = 0; i < 2; i++) pthread_create(&askers[i], NULL, ask_all, NULL);
  for (int i = 0; i < MANY; i++) source_path_is(sources[i], false);
  for (int i = 0; i < MANY; i++) source_try_now(sources[i]);
  for (int i = 0; i < 2; i++) pthread_join(askers[i], NULL);
  ck_assert_int_eq(take_left(MANY), MANY);
  ck_assert_ptr_null(lane_take_left(&lane));
  end();
}
END_TEST

int main(void)
{
  shared = new_instance();
  TCase *tests = tcase_create("lane");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, they_come_while_it_runs_and_leave_when_gone);
  tcase_add_test(tests, the_connected_stay);
  tcase_add_test(tests, asking_never_hurts);
  int status = check_main("lane", tests);
  free(shared);
  return status;
}
