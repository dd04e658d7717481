/* Server-sent events, answers that nobody reads, and what comes at a bad moment: a server, its clients and the test in one
   thread, over real sockets. */
#include "check_main.h"
#include "http_channel.h"
#include "monotonic.h"
#include "sink_host.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READERS = 3, BACKLOG = 64 * 1024, LARGE = 20 << 20 };
static const uint64_t SECONDS = 1000000000;

static struct sink_host *host;
static struct http_server *server;
static struct http_channel *channel;
static uint64_t hellos;

static void join(void *owner, struct http_request *request)
{
  (void)owner;
  http_channel_join(channel, request, ++hellos, "hello", "{\"seq\":0}", 9);
}

/* As an owner does that makes a channel when the first one comes. */
static void join_new(void *owner, struct http_request *request)
{
  (void)owner;
  hellos++;
  http_channel_join(http_channel_new(server, READERS, BACKLOG), request, 1, NULL, NULL, 0);
}

static void answer_large(void *owner, struct http_request *request)
{
  struct evp_buf body = {0};
  (void)owner;
  ck_assert(evp_buf_grow(&body, LARGE));
  memset(body.data, 'x', LARGE);
  body.size = LARGE;
  http_answer(request, &(struct http_answer){.type = "text/plain", .body = &body});
}

static const struct http_route routes[] = {{"GET", "/large", answer_large, 0, 0}, {"GET", "/live", join, 0, 0},
  {"GET", "/new", join_new, 0, 0}, {"GET", "/livez", http_livez, 0, 0}};

/* Before the library's own, so that an answer can fail as it does without memory. */
static bool no_answers;

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
  enum MHD_Result (*queue)(struct MHD_Connection *, unsigned, struct MHD_Response *);
  *(void **)&queue = dlsym(RTLD_NEXT, "MHD_queue_response");
  return no_answers ? MHD_NO : queue(connection, status, response);
}

bool evp_statistics(struct evp_ctx *ctx, size_t index, struct evp_node_statistics *read)
{
  (void)ctx;
  (void)index;
  (void)read;
  return false;
}

static void set_up(void)
{
  static const struct http_options options = {.listen = "127.0.0.1:0", .max_connections = 16};
  host = sink_host_new(NULL, "");
  server = http_server_start(sink_host_ctx(host), &options, routes, sizeof routes / sizeof *routes, NULL);
  ck_assert_ptr_nonnull(server);
  channel = http_channel_new(server, READERS, BACKLOG);
  ck_assert_ptr_nonnull(channel);
  hellos = 0;
}

static void tear_down(void)
{
  http_server_stop(server); /* with the channel, if the test has not freed it */
  sink_host_free(host);
}

/* -------------------------------------------------------------------------------------------------------------- client */

struct client {
  int fd;
  bool closed;
  size_t size;
  char text[1 << 20];
};

/* It says `text`, and waits. */
static struct client *connected(const char *text, int receive_buffer)
{
  struct client *client = calloc(1, sizeof *client);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)atoi(strrchr(http_server_address(server), ':') + 1));
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
  ck_assert_int_eq(send(client->fd, text, strlen(text), 0), (ssize_t)strlen(text));
  return client;
}

static struct client *client_new(const char *request, int receive_buffer)
{
  char text[256];
  snprintf(text, sizeof text, "%s HTTP/1.0\r\nHost: localhost\r\n\r\n", request); /* 1.0: no chunks */
  return connected(text, receive_buffer);
}

static void client_free(struct client *client)
{
  close(client->fd);
  free(client);
}

static void client_read(struct client *client)
{
  while (!client->closed && client->size + 1 < sizeof client->text) {
    ssize_t got = recv(client->fd, client->text + client->size, sizeof client->text - client->size - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    client->closed = got <= 0;
    if (got > 0) client->size += (size_t)got;
  }
}

/* As a sink does: a turn whenever the fd is readable, and never else. */
static void turn(int milliseconds)
{
  struct pollfd polled = {.fd = http_server_fd(server), .events = POLLIN};
  if (poll(&polled, 1, milliseconds) > 0) http_server_turn(server);
}

static void turns(void)
{
  struct pollfd polled = {.fd = http_server_fd(server), .events = POLLIN};
  for (int i = 0; i < 1000 && poll(&polled, 1, 5) > 0; i++) http_server_turn(server);
}

static bool got(struct client *client, const char *text, uint64_t limit)
{
  for (uint64_t begin = monotonic(); monotonic() - begin < limit;) {
    turn(5);
    client_read(client);
    if (strstr(client->text, text)) return true;
  }
  return false;
}

static void wait_readers(unsigned n)
{
  for (uint64_t begin = monotonic(); http_channel_readers(channel) != n && monotonic() - begin < 10 * SECONDS;) turn(5);
  ck_assert_uint_eq(http_channel_readers(channel), n);
}

static void wait_connections(unsigned n)
{
  for (uint64_t begin = monotonic(); http_server_connections(server) != n && monotonic() - begin < 10 * SECONDS;)
    turn(5);
  ck_assert_uint_eq(http_server_connections(server), n);
}

/* What was read, but for the last bytes: a text that is looked for may come in two parts. */
static void forget_most(struct client *client)
{
  size_t kept = client->size < 64 ? client->size : 64;
  memmove(client->text, client->text + client->size - kept, kept);
  client->size = kept;
}

static struct client *reader(void)
{
  struct client *client = client_new("GET /live", 0);
  ck_assert(got(client, "event: hello\n", 10 * SECONDS));
  return client;
}

/* --------------------------------------------------------------------------------------------------------------- tests */

START_TEST(a_reader_gets_hello_and_then_events)
{
  struct client *client = reader();
  ck_assert(http_channel_send(channel, 7, "tick", "one\ntwo\r\nthree", 14));
  ck_assert(http_channel_send(channel, 0, NULL, "", 0));
  ck_assert(got(client, "data: three\n\ndata: \n\n", 10 * SECONDS));
  const char *body = strstr(client->text, "\r\n\r\n") + 4;
  ck_assert_str_eq(body, "retry: 2000\n\nid: 1\nevent: hello\ndata: {\"seq\":0}\n\n"
                         "id: 7\nevent: tick\ndata: one\ndata: two\ndata: three\n\ndata: \n\n");
  ck_assert_ptr_nonnull(strstr(client->text, "Content-Type: text/event-stream"));
  ck_assert_ptr_nonnull(strstr(client->text, "Cache-Control: no-store"));
  client_free(client);
  wait_readers(0);
}
END_TEST

START_TEST(all_readers_get_all_events)
{
  struct client *clients[READERS];
  char text[32];
  for (int i = 0; i < READERS; i++) clients[i] = reader();
  for (uint64_t i = 1; i <= 500; i++) {
    snprintf(text, sizeof text, "event %d.", (int)i);
    ck_assert(http_channel_send(channel, i, "tick", text, strlen(text)));
    turn(0);
  }
  for (int i = 0; i < READERS; i++) {
    const char *at = clients[i]->text;
    ck_assert(got(clients[i], "event 500.\n\n", 10 * SECONDS));
    for (int k = 1; k <= 500; k++) {
      snprintf(text, sizeof text, "data: event %d.\n", k);
      ck_assert_msg((at = strstr(at, text)) != NULL, "reader %d has not event %d", i, k);
    }
    client_free(clients[i]);
  }
  ck_assert_uint_eq(http_channel_lost(channel), 0);
}
END_TEST

/* It is told so, once, behind a whole event; the others have lost nothing. */
START_TEST(who_reads_too_slowly_is_told_lost)
{
  static char data[16 * 1024];
  memset(data, 'x', sizeof data);
  struct client *slow = client_new("GET /live", 4096), *good = reader();
  wait_readers(2);
  uint64_t sent = 0;
  for (; !http_channel_lost(channel) && sent < 10000; sent++) {
    ck_assert(http_channel_send(channel, sent + 1, "tick", data, sizeof data));
    turns();
    good->size = 0; /* it has room for ever */
    client_read(good);
  }
  ck_assert_uint_lt(sent, 10000);
  ck_assert_uint_le(http_channel_lost(channel), BACKLOG / sizeof data + 1);
  ck_assert(http_channel_send(channel, 99999, "tick", "last", 4));
  ck_assert(got(good, "data: last\n", 10 * SECONDS));
  ck_assert_ptr_null(strstr(good->text, "event: lost"));
  bool lost = false;
  for (uint64_t begin = monotonic(); !lost && monotonic() - begin < 20 * SECONDS;) {
    forget_most(slow);
    turn(1);
    client_read(slow);
    slow->text[slow->size] = 0;
    const char *at = strstr(slow->text, "event: lost\ndata: {}\n\n");
    lost = at != NULL;
    if (lost) ck_assert(at - slow->text >= 2 && at[-1] == '\n' && at[-2] == '\n');
  }
  ck_assert(lost);
  ck_assert(strstr(slow->text, "data: last\n") || got(slow, "data: last\n", 10 * SECONDS));
  client_free(slow);
  client_free(good);
}
END_TEST

START_TEST(readers_are_bounded_and_who_leaves_makes_room_at_once)
{
  struct client *clients[READERS];
  for (int i = 0; i < READERS; i++) clients[i] = reader();
  struct client *refused = client_new("GET /live", 0);
  ck_assert(got(refused, " 503 ", 10 * SECONDS));
  ck_assert(got(refused, "{\"error\":", 10 * SECONDS));
  client_free(refused);
  client_free(clients[0]); /* nothing is sent meanwhile */
  wait_readers(READERS - 1);
  clients[0] = reader();
  for (int i = 0; i < READERS; i++) client_free(clients[i]);
  wait_readers(0);
}
END_TEST

START_TEST(the_end_of_a_channel_is_the_end_of_its_streams)
{
  struct client *client = reader();
  ck_assert(http_channel_send(channel, 1, "tick", "last words", 10));
  http_channel_free(channel);
  ck_assert(got(client, "data: last words\n\n", 10 * SECONDS));
  for (uint64_t begin = monotonic(); !client->closed && monotonic() - begin < 10 * SECONDS;) {
    turn(5);
    client_read(client);
  }
  ck_assert(client->closed);
  client_free(client);
}
END_TEST

/* Readers that wait, one with a backlog, one that is gone: nothing of them is left (the sanitizers look). */
START_TEST(a_server_stops_with_readers)
{
  struct client *waiting = reader(), *gone = reader(), *slow = client_new("GET /live", 4096);
  static char data[BACKLOG / 2];
  wait_readers(3);
  for (int i = 0; i < 200; i++) {
    http_channel_send(channel, 1, "tick", data, sizeof data);
    turns();
    waiting->size = gone->size = 0;
    client_read(waiting);
    client_read(gone);
  }
  client_free(gone);
  http_server_stop(server);
  server = NULL;
  client_free(waiting);
  client_free(slow);
}
END_TEST

/* The owner has ended: no handler of its is called, and no reader joins, which libmicrohttpd would not bear. */
START_TEST(a_request_that_comes_with_the_end_is_not_answered)
{
  struct client *late = connected("GET /new HT", 0);
  wait_connections(1);
  turns();
  ck_assert_int_eq(send(late->fd, "TP/1.0\r\nHost: localhost\r\n\r\n", 27, 0), 27);
  http_server_stop(server);
  server = NULL;
  ck_assert_uint_eq(hellos, 0);
  client_free(late);
}
END_TEST

START_TEST(who_can_not_be_refused_is_not_let_in)
{
  static const char *const refused[] = {"GET /live HTTP/1.0\r\nHost: a.stranger\r\n\r\n",
    "GET /nothing HTTP/1.0\r\n\r\n", "GET /live HTTP/1.0\r\nContent-Length: 5\r\n\r\n12345"};
  no_answers = true;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    struct client *client = connected(refused[i], 0);
    for (uint64_t begin = monotonic(); !client->closed && monotonic() - begin < 10 * SECONDS;) {
      turn(5);
      client_read(client);
    }
    ck_assert(client->closed);
    ck_assert_uint_eq(client->size, 0);
    client_free(client);
  }
  no_answers = false;
  ck_assert_uint_eq(hellos, 0);
}
END_TEST

/* Three times 20 MiB; who asks for more is put off, until one of them has left. What is small has room. */
START_TEST(answers_that_nobody_reads_are_bounded)
{
  struct client *clients[3];
  for (int i = 0; i < 3; i++) {
    clients[i] = client_new("GET /large", 4096);
    ck_assert(got(clients[i], " 200 ", 10 * SECONDS));
  }
  struct client *more = client_new("GET /large", 0), *small = client_new("GET /livez", 0);
  ck_assert(got(more, " 503 ", 10 * SECONDS));
  ck_assert(got(more, "Retry-After: 1\r\n", 10 * SECONDS));
  ck_assert(got(small, " 200 ", 10 * SECONDS));
  client_free(more);
  client_free(small);
  client_free(clients[0]);
  wait_connections(2);
  more = client_new("GET /large", 4096);
  ck_assert(got(more, " 200 ", 10 * SECONDS));
  client_free(more);
  client_free(clients[1]);
  client_free(clients[2]);
}
END_TEST

START_TEST(head_has_no_stream)
{
  struct client *client = client_new("HEAD /live", 0);
  ck_assert(got(client, "text/event-stream", 10 * SECONDS));
  for (uint64_t begin = monotonic(); !client->closed && monotonic() - begin < 10 * SECONDS;) {
    turn(5);
    client_read(client);
  }
  ck_assert(client->closed);
  ck_assert_ptr_null(strstr(client->text, "hello"));
  wait_readers(0);
  client_free(client);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("channel");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_reader_gets_hello_and_then_events);
  tcase_add_test(tests, all_readers_get_all_events);
  tcase_add_test(tests, who_reads_too_slowly_is_told_lost);
  tcase_add_test(tests, readers_are_bounded_and_who_leaves_makes_room_at_once);
  tcase_add_test(tests, the_end_of_a_channel_is_the_end_of_its_streams);
  tcase_add_test(tests, a_server_stops_with_readers);
  tcase_add_test(tests, a_request_that_comes_with_the_end_is_not_answered);
  tcase_add_test(tests, who_can_not_be_refused_is_not_let_in);
  tcase_add_test(tests, answers_that_nobody_reads_are_bounded);
  tcase_add_test(tests, head_has_no_stream);
  return check_main("channel", tests);
}
