/* The source `socket` at the contract, against sockets of the test's own. */
#include "check_main.h"
#include "resolver.h"
#include "sink_host.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct sink_host *host;
static const struct evp_plugin *const source = &evp_plugin_entry;
static int listener = -1;

static void setup(void)
{
  strcpy(folder, "/tmp/evpipe-socket-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/x", folder);
}

static void teardown(void)
{
  if (host) {
    source->stop(host->self);
    sink_host_free(host);
  }
  host = NULL;
  if (listener >= 0) close(listener);
  listener = -1;
  unlink(path);
  rmdir(folder);
}

static void begin(const char *options)
{
  host = sink_host_new(source, options);
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
  ck_assert_int_eq(source->start(host->self), EVP_OK);
}

static void begin_unix(void)
{
  char options[128];
  snprintf(options, sizeof options, "unix=%s", path);
  begin(options);
}

static void listen_unix(void)
{
  struct sockaddr_un address;
  socklen_t size;
  ck_assert_ptr_null(unix_address_parse(&address, &size, path));
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
  ck_assert_int_eq(listen(listener, 5), 0);
}

/* The port; listens only if wanted, so that the port is known to be free. */
static unsigned listen_tcp(bool listens)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
  if (listens) ck_assert_int_eq(listen(listener, 5), 0);
  ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  return ntohs(address.sin_port);
}

/* As the core does: again when the fd is writable, or a little later. */
static enum evp_status connect_patiently(int *fd, unsigned back_offs)
{
  for (;;) {
    enum evp_status status = source->connect(host->self, fd);
    if (status != EVP_AGAIN) return status;
    struct pollfd poll_fd = {.fd = *fd, .events = POLLOUT};
    if (*fd >= 0)
      ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
    else if (!back_offs--)
      return status;
    else
      usleep(20000);
  }
}

static void expect_waiting(const char *said)
{
  int fd = 0;
  sink_host_forget(host);
  ck_assert_int_eq(connect_patiently(&fd, 0), EVP_AGAIN);
  ck_assert_int_lt(fd, 0);
  ck_assert_msg(strstr(sink_host_said(host), said), "'%s' is not '%s'", sink_host_said(host), said);
}

START_TEST(a_program_that_is_not_there_yet)
{
  int fd;
  begin_unix();
  expect_waiting("info ");
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "there is no socket yet"));
  expect_waiting(""); /* quietly */
  ck_assert_str_eq(sink_host_said(host), "");
  listen_unix();
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
  close(listener);
  listener = -1;
  source->disconnect(host->self);
  expect_waiting("left behind by a program that has ended");
}
END_TEST

START_TEST(what_is_no_socket_is_a_warning)
{
  close(open(path, O_CREAT | O_WRONLY, 0600));
  begin_unix();
  expect_waiting("warn ");
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "is not a socket"));
}
END_TEST

START_TEST(a_datagram_socket)
{
  struct sockaddr_un address;
  socklen_t size;
  unix_address_parse(&address, &size, path);
  listener = socket(AF_UNIX, SOCK_DGRAM, 0);
  ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
  begin_unix();
  expect_waiting("not a stream socket");
}
END_TEST

START_TEST(a_full_queue_of_readers)
{
  int waiting[16], fd;
  struct sockaddr_un address;
  socklen_t size;
  listen_unix();
  ck_assert_int_eq(listen(listener, 0), 0);
  unix_address_parse(&address, &size, path);
  size_t n = 0;
  do waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  while (!connect(waiting[n], (struct sockaddr *)&address, size) && ++n < 15);
  begin_unix();
  expect_waiting("other readers are waiting");
  for (size_t i = 0; i <= n; i++) close(waiting[i]);
  while (n-- > 0) close(accept(listener, NULL, NULL));
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
}
END_TEST

START_TEST(a_stream_is_read_to_its_end)
{
  uint8_t buffer[65536];
  int fd;
  listen_unix();
  begin_unix();
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
  ck_assert(!host->can_wait && !host->recorded);
  int peer = accept(listener, NULL, NULL);
  size_t size = sizeof buffer;
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_AGAIN);
  ck_assert_int_eq(write(peer, "hello", 5), 5);
  size = sizeof buffer;
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_OK);
  ck_assert_uint_eq(size, 5);
  const uint8_t command[] = {0xf0, 0x9e, 0x97, 0x8c, 0, 1, 'x', 5};
  ck_assert_int_eq(source->send(host->self, command, sizeof command), EVP_OK);
  ck_assert_int_eq(read(peer, buffer, sizeof buffer), (ssize_t)sizeof command);
  ck_assert_mem_eq(buffer, command, sizeof command);
  close(peer);
  size = sizeof buffer;
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_END);
  source->disconnect(host->self);
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK); /* the next stream */
}
END_TEST

START_TEST(the_connection_is_never_half_closed)
{
  struct pollfd peer = {.events = POLLIN | POLLRDHUP};
  int fd;
  listen_unix();
  begin_unix();
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
  peer.fd = accept(listener, NULL, NULL);
  ck_assert_int_eq(poll(&peer, 1, 0), 0);
  source->disconnect(host->self);
  ck_assert_int_eq(poll(&peer, 1, 1000), 1);
  ck_assert_int_eq(peer.revents & POLLHUP, POLLHUP); /* closed whole */
  close(peer.fd);
}
END_TEST

START_TEST(a_command_waits_for_room)
{
  uint8_t bytes[256] = {0};
  int fd;
  listen_unix();
  begin_unix();
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
  enum evp_status status;
  while ((status = source->send(host->self, bytes, sizeof bytes)) == EVP_OK) continue;
  ck_assert_int_eq(status, EVP_AGAIN);
}
END_TEST

/* What it said before is still read: a command that comes too late takes nothing away. */
START_TEST(a_command_to_a_program_that_has_gone)
{
  uint8_t buffer[65536];
  int fd;
  listen_unix();
  begin_unix();
  ck_assert_int_eq(source->connect(host->self, &fd), EVP_OK);
  int peer = accept(listener, NULL, NULL);
  ck_assert_int_eq(write(peer, "the end", 7), 7);
  close(peer);
  ck_assert_int_eq(source->send(host->self, (const uint8_t *)"command", 7), EVP_REJECT);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "a command could not be sent: Broken pipe"));
  size_t size = sizeof buffer;
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_OK);
  ck_assert_uint_eq(size, 7);
  size = sizeof buffer;
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_END);
}
END_TEST

START_TEST(tcp_with_keep_alive)
{
  char options[64];
  int fd, value = 0;
  socklen_t size = sizeof value;
  snprintf(options, sizeof options, "tcp=127.0.0.1:%u", listen_tcp(true));
  begin(options);
  ck_assert_int_eq(connect_patiently(&fd, 0), EVP_OK);
  ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
  ck_assert_int_eq(value, 1);
  ck_assert_str_eq(sink_host_said(host), "");
}
END_TEST

START_TEST(tcp_refused_then_there)
{
  char options[64];
  int fd;
  snprintf(options, sizeof options, "tcp=127.0.0.1:%u", listen_tcp(false));
  begin(options);
  expect_waiting("connection refused");
  ck_assert_int_eq(listen(listener, 5), 0);
  ck_assert_int_eq(connect_patiently(&fd, 0), EVP_OK);
}
END_TEST

START_TEST(a_name_with_several_addresses)
{
  char options[64];
  int fd;
  snprintf(options, sizeof options, "tcp=localhost:%u", listen_tcp(true)); /* ::1 refuses where it exists */
  begin(options);
  ck_assert_int_eq(connect_patiently(&fd, 500), EVP_OK);
}
END_TEST

START_TEST(a_name_that_nobody_knows)
{
  int fd;
  begin("tcp=nobody.invalid:4242");
  for (int i = 0; i < 2500 && !*sink_host_said(host); i++) {
    ck_assert_int_eq(source->connect(host->self, &fd), EVP_AGAIN);
    ck_assert_int_lt(fd, 0);
    usleep(20000);
  }
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "info nobody.invalid:4242: "));
}
END_TEST

static size_t count_threads(void)
{
  size_t n = 0;
  DIR *tasks = opendir("/proc/self/task");
  ck_assert_ptr_nonnull(tasks);
  for (const struct dirent *entry; (entry = readdir(tasks));) n += entry->d_name[0] != '.';
  closedir(tasks);
  return n;
}

static void *tell_id(void *id)
{
  *(pid_t *)id = gettid();
  return NULL;
}

/* ThreadSanitizer adds one of its own when the first is made; one that was joined may be listed a little longer. */
static size_t count_threads_at_rest(void)
{
  char task[64];
  pthread_t thread;
  pid_t id;
  ck_assert_int_eq(pthread_create(&thread, NULL, tell_id, &id), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  snprintf(task, sizeof task, "/proc/self/task/%d", (int)id);
  while (!access(task, F_OK)) poll(NULL, 0, 1);
  return count_threads();
}

/* At its end libc may hold memory that a thread in the middle of a lookup has not let go of: that is no leak. */
START_TEST(an_answer_that_nobody_waits_for)
{
  size_t threads = count_threads_at_rest();
  for (int i = 0; i < 20; i++) {
    struct tcp_address address = {.host = "nobody.invalid", .port = "1"};
    struct resolver resolver = {.address = &address};
    const char *why;
    resolver_ask(&resolver, (unsigned)i % 3, &why);
    resolver_free(&resolver);
  }
  for (int ms = 0; ms < 90000 && count_threads() > threads; ms++) poll(NULL, 0, 1);
  ck_assert_uint_le(count_threads(), threads);
}
END_TEST

START_TEST(a_socket_that_met_itself)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
  ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  ck_assert(!tcp_is_connected_to_itself(fd));
  ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
  ck_assert(tcp_is_connected_to_itself(fd));
  close(fd);
}
END_TEST

START_TEST(a_reset_is_said)
{
  char options[64];
  uint8_t buffer[100];
  size_t size = sizeof buffer;
  int fd;
  snprintf(options, sizeof options, "tcp=127.0.0.1:%u", listen_tcp(true));
  begin(options);
  ck_assert_int_eq(connect_patiently(&fd, 0), EVP_OK);
  int peer = accept(listener, NULL, NULL);
  const struct linger linger = {.l_onoff = 1};
  setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(peer);
  struct pollfd reset = {.fd = fd, .events = POLLIN};
  ck_assert_int_eq(poll(&reset, 1, 10000), 1); /* on a busy machine it takes its time, even here */
  ck_assert_int_eq(source->read(host->self, buffer, &size), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "warn "));
}
END_TEST

START_TEST(addresses_are_parsed)
{
  struct tcp_address address;
  ck_assert_ptr_null(tcp_address_parse(&address, "localhost:4242"));
  ck_assert_str_eq(address.host, "localhost");
  ck_assert_str_eq(address.port, "4242");
  ck_assert_ptr_null(tcp_address_parse(&address, "[::1]:65535"));
  ck_assert_str_eq(address.host, "::1");
  static const char *const wrong[] = {"", "localhost", "localhost:", ":4242", "localhost:0", "localhost:65536",
    "localhost:12a", "::1:4242", "[::1]", "[]:1", "[::1]4242", "localhost:+1", "localhost:000001"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_msg(tcp_address_parse(&address, wrong[i]) != NULL, "%s", wrong[i]);
}
END_TEST

static void expect_refused(const char *options, const char *said)
{
  struct sink_host *refused = sink_host_new(source, options);
  ck_assert_int_eq(sink_host_create(refused), EVP_ERROR);
  ck_assert_msg(strstr(sink_host_said(refused), said), "%s", sink_host_said(refused));
  sink_host_free(refused);
}

START_TEST(options_are_checked)
{
  char longest[160] = "unix=";
  expect_refused("", "option unix: needs either");
  expect_refused("unix=a tcp=b:1", "option tcp:");
  expect_refused("tcp=b", "option tcp:");
  expect_refused("unix=", "option unix:");
  memset(longest + 5, 'x', 107);
  struct sink_host *taken = sink_host_new(source, longest);
  ck_assert_int_eq(sink_host_create(taken), EVP_OK);
  sink_host_free(taken);
  longest[5 + 107] = 'x';
  expect_refused(longest, "107 bytes");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("socket");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_program_that_is_not_there_yet);
  tcase_add_test(tests, what_is_no_socket_is_a_warning);
  tcase_add_test(tests, a_datagram_socket);
  tcase_add_test(tests, a_full_queue_of_readers);
  tcase_add_test(tests, a_stream_is_read_to_its_end);
  tcase_add_test(tests, the_connection_is_never_half_closed);
  tcase_add_test(tests, a_command_waits_for_room);
  tcase_add_test(tests, a_command_to_a_program_that_has_gone);
  tcase_add_test(tests, tcp_with_keep_alive);
  tcase_add_test(tests, tcp_refused_then_there);
  tcase_add_test(tests, a_name_with_several_addresses);
  tcase_add_test(tests, a_name_that_nobody_knows);
  tcase_add_test(tests, an_answer_that_nobody_waits_for);
  tcase_add_test(tests, a_socket_that_met_itself);
  tcase_add_test(tests, a_reset_is_said);
  tcase_add_test(tests, addresses_are_parsed);
  tcase_add_test(tests, options_are_checked);
  return check_main("socket", tests);
}
