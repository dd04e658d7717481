/* ZAP requests as libzmq makes them, and such as nobody should make. */
#include "authenticator.h"
#include "check_main.h"
#include "sink_host.h"
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ALLOWED "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define STRANGER "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static struct sink_host *host;
static struct authenticator authenticator;
static void *context, *client;

static void begin(const struct curve_settings *curve)
{
  host = sink_host_new(NULL, NULL);
  context = zmq_ctx_new();
  authenticator = (struct authenticator){0};
  ck_assert(authenticator_open(&authenticator, context, curve, sink_host_ctx(host)));
  client = zmq_socket(context, ZMQ_REQ);
  ck_assert(!zmq_connect(client, "inproc://zeromq.zap.01"));
}

static void end(void)
{
  zmq_close(client);
  authenticator_close(&authenticator);
  zmq_ctx_term(context);
  sink_host_free(host);
}

static void send_frames(const char *version, const char *mechanism, const void *key, size_t size, int n)
{
  const struct {
    const void *data;
    size_t size;
  } frames[] = {{version, strlen(version)}, {"id1", 3}, {"evpipe", 6}, {"192.0.2.1", 9}, {"", 0},
    {mechanism, strlen(mechanism)}, {key, size}, {"extra", 5}};
  for (int i = 0; i < n; i++) zmq_send(client, frames[i].data, frames[i].size, i + 1 < n ? ZMQ_SNDMORE : 0);
}

/* The status of the answer, "200" or "400". */
static const char *answer(void)
{
  static char frames[6][64];
  memset(frames, 0, sizeof frames);
  authenticator_serve(&authenticator);
  for (int i = 0; i < 6; i++) ck_assert_int_ge(zmq_recv(client, frames[i], sizeof *frames - 1, ZMQ_DONTWAIT), 0);
  ck_assert_str_eq(frames[0], "1.0");
  ck_assert_str_eq(frames[1], "id1");
  return frames[2];
}

static const char *ask(const char *key_text)
{
  uint8_t key[KEY_SIZE];
  ck_assert_ptr_nonnull(zmq_z85_decode(key, key_text));
  send_frames("1.0", "CURVE", key, sizeof key, 7);
  return answer();
}

static const char *const allowed[] = {ALLOWED};

START_TEST(who_is_listed_comes_in)
{
  const struct curve_settings curve = {.allowed_keys = {allowed, 1}};
  begin(&curve);
  ck_assert_str_eq(ask(ALLOWED), "200");
  ck_assert_str_eq(sink_host_said(host), "");
  ck_assert_str_eq(ask(STRANGER), "400");
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "192.0.2.1"));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), STRANGER));
  ck_assert_str_eq(ask(ALLOWED), "200");
  end();
}
END_TEST

START_TEST(nothing_else_than_curve_comes_in)
{
  const struct curve_settings curve = {.allow_any = true};
  begin(&curve);
  ck_assert_str_eq(ask(STRANGER), "200");
  send_frames("1.0", "NULL", "", 0, 6);
  ck_assert_str_eq(answer(), "400");
  send_frames("1.0", "PLAIN", STRANGER, 32, 7);
  ck_assert_str_eq(answer(), "400");
  send_frames("1.0", "CURVE", STRANGER, 31, 7);
  ck_assert_str_eq(answer(), "400");
  send_frames("2.0", "CURVE", STRANGER, 32, 7);
  ck_assert_str_eq(answer(), "400");
  send_frames("1.0", "CURVE", STRANGER, 32, 8);
  ck_assert_str_eq(answer(), "400");
  end();
}
END_TEST

START_TEST(no_request_no_answer)
{
  const struct curve_settings curve = {.allow_any = true};
  struct authenticator none = {0};
  authenticator_serve(&none);
  begin(&curve);
  authenticator_serve(&authenticator);
  ck_assert_str_eq(ask(STRANGER), "200");
  end();
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("authenticator");
  tcase_add_test(tests, who_is_listed_comes_in);
  tcase_add_test(tests, nothing_else_than_curve_comes_in);
  tcase_add_test(tests, no_request_no_answer);
  return check_main("zmq_authenticator", tests);
}
