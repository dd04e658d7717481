/* The parts of the HTTP server that need no socket: addresses, weights, options. */
#include "check_main.h"
#include "http_private.h"
#include "sink_host.h"
#include "tcp_listen.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ------------------------------------------------------------------------------------------------------------- targets */

static struct http_request *parse(const char *target, bool *ok)
{
  struct http_request *request = calloc(1, sizeof *request + strlen(target) + 1);
  ck_assert_ptr_nonnull(request);
  strcpy(request->target, target);
  *ok = http_target_parse(request);
  return request;
}

START_TEST(targets_are_taken_apart)
{
  bool ok;
  struct http_request *request = parse("/a%20b/%C3%A4?x=1+2&y=%2B%26&empty=&flag&&x=3", &ok);
  ck_assert(ok);
  ck_assert_str_eq(http_request_path(request), "/a b/\xc3\xa4");
  ck_assert_str_eq(http_request_query(request, "x"), "1 2");
  ck_assert_str_eq(http_request_query(request, "y"), "+&");
  ck_assert_str_eq(http_request_query(request, "empty"), "");
  ck_assert_str_eq(http_request_query(request, "flag"), "");
  ck_assert_ptr_null(http_request_query(request, "z"));
  free(request);
}
END_TEST

START_TEST(a_plus_in_a_path_is_a_plus)
{
  bool ok;
  struct http_request *request = parse("/a+b", &ok);
  ck_assert(ok);
  ck_assert_str_eq(http_request_path(request), "/a+b");
  free(request);
}
END_TEST

START_TEST(dots_within_names_are_fine)
{
  bool ok;
  struct http_request *request = parse("/a..b/.c/d./...", &ok);
  ck_assert(ok);
  free(request);
}
END_TEST

static const char *const bad_targets[] = {"", "*", "a", "http://localhost/", "/..", "/.", "/a/../b", "/%2e%2e/b",
  "/a/%2E", "/a%2f..%2fb", "/%", "/%4", "/%zz", "/%00", "/a%0a", "/\x01", "/\xff", "/%c3", "/%ed%a0%80", "/x?a=%00",
  "/x?%ff=1", "/x?a=%1"};
enum { BAD_TARGETS = sizeof bad_targets / sizeof *bad_targets };

START_TEST(tricks_are_refused)
{
  bool ok;
  struct http_request *request = parse(bad_targets[_i], &ok);
  ck_assert_msg(!ok, "%s was taken", bad_targets[_i]);
  free(request);
}
END_TEST

START_TEST(parameters_are_bounded)
{
  char target[1024] = "/?";
  bool ok;
  for (int i = 0; i < HTTP_PARAMETERS; i++) strcat(target, "a=1&");
  free(parse(target, &ok));
  ck_assert(ok);
  strcat(target, "b");
  free(parse(target, &ok));
  ck_assert(!ok);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------- weights */

START_TEST(weights_of_headers)
{
  static const char PROMETHEUS[] =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  ck_assert_int_eq(http_weight(PROMETHEUS, "application/openmetrics-text"), 1000);
  ck_assert_int_eq(http_weight(PROMETHEUS, "text/plain"), 500);
  ck_assert_int_eq(http_weight(PROMETHEUS, "*/*"), 100);
  ck_assert_int_eq(http_weight(PROMETHEUS, "text/html"), -1);
  ck_assert_int_eq(http_weight(NULL, "gzip"), -1);
  ck_assert_int_eq(http_weight("", "gzip"), -1);
  ck_assert_int_eq(http_weight("deflate , GZIP ; q=0", "gzip"), 0);
  ck_assert_int_eq(http_weight("gzip;q=0.001", "gzip"), 1);
  ck_assert_int_eq(http_weight("gzip;q=1.000", "gzip"), 1000);
  ck_assert_int_eq(http_weight("gzip;q=", "gzip"), 1000);
  ck_assert_int_eq(http_weight("gzip;q=x", "gzip"), 0);
  ck_assert_int_eq(http_weight("xgzip, gzip2", "gzip"), -1);
  ck_assert_int_eq(http_weight(",,;;,", "gzip"), -1);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------- options */

static const char *complaint(struct http_options options)
{
  static char said[512];
  struct sink_host *host = sink_host_new(NULL, "");
  if (!options.listen) options.listen = "127.0.0.1:0";
  if (!options.max_connections) options.max_connections = 64;
  bool ok = http_options_check(&options, sink_host_ctx(host));
  snprintf(said, sizeof said, "%s", sink_host_said(host));
  ck_assert(ok == !*said);
  sink_host_free(host);
  return said;
}

START_TEST(options_that_are_right)
{
  ck_assert_str_eq(complaint((struct http_options){.listen = "localhost:9464"}), "");
  ck_assert_str_eq(complaint((struct http_options){.listen = "[::1]:0"}), "");
  ck_assert_str_eq(complaint((struct http_options){.listen = "0.0.0.0:80", .allow_remote = true}), "");
  ck_assert_str_eq(complaint((struct http_options){.token = "0123456789abcdef"}), "");
  ck_assert_str_eq(complaint((struct http_options){.basic = {"me", "secret"}}), "");
  ck_assert_str_eq(complaint((struct http_options){.tls = {.cert_file = "a", .ca_file = "b", .verify = true}}), "");
}
END_TEST

START_TEST(options_that_are_wrong)
{
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.listen = "0.0.0.0:80"}), "allow_remote: true"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.listen = "example.org:80"}), "allow_remote: true"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.listen = "localhost"}), "option listen: has no port"));
  ck_assert_ptr_nonnull(
    strstr(complaint((struct http_options){.listen = "localhost:99999"}), "option listen: has no port"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.token = ""}), "option token: must be 8"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.token = "short"}), "option token: must be 8"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.token = "with a space"}), "option token: must be 8"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.basic = {"me", NULL}}), "option basic.password"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.basic = {NULL, "x"}}), "option basic.username"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.basic = {"a:b", "x"}}), "option basic.username"));
  ck_assert_ptr_nonnull(
    strstr(complaint((struct http_options){.tls = {.key_file = "a"}}), "option tls.key_file: needs cert_file"));
  ck_assert_ptr_nonnull(
    strstr(complaint((struct http_options){.tls = {.ca_file = "a"}}), "option tls.ca_file: needs cert_file"));
  ck_assert_ptr_nonnull(
    strstr(complaint((struct http_options){.tls = {.cert_file = "a", .ca_file = "b"}}), "option tls.verify"));
  ck_assert_ptr_nonnull(strstr(complaint((struct http_options){.max_connections = -1}), "option max_connections"));
}
END_TEST

/* -------------------------------------------------------------------------------------------------------------- listen */

/* Before libc's own: `two` has two addresses on every machine, and a port may be taken at the second of them. */
static int taken_times;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
  int (*look_up)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  *(void **)&look_up = dlsym(RTLD_NEXT, "getaddrinfo");
  if (!host || strcmp(host, "two")) return look_up(host, port, hints, found);
  int error = look_up("127.0.0.1", port, hints, found);
  return error ? error : look_up("127.0.0.2", port, hints, &(*found)->ai_next);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
  int (*really)(int, const struct sockaddr *, socklen_t);
  const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
  *(void **)&really = dlsym(RTLD_NEXT, "bind");
  if (address->sa_family != AF_INET || in->sin_addr.s_addr != htonl(0x7f000002) || !taken_times)
    return really(fd, address, size);
  taken_times--;
  errno = EADDRINUSE;
  return -1;
}

START_TEST(any_port_is_one_that_is_free_at_all_addresses)
{
  struct tcp_address address = {.host = "two", .port = "0"};
  struct tcp_listen sockets = {0};
  taken_times = 3;
  ck_assert_ptr_null(tcp_listen_open(&sockets, &address));
  ck_assert_uint_eq(sockets.n, 2);
  ck_assert_int_eq(taken_times, 0);
  snprintf(address.port, sizeof address.port, "%u", sockets.port);
  tcp_listen_close(&sockets);
  taken_times = 1; /* a port that is wanted is no other */
  ck_assert_str_eq(tcp_listen_open(&sockets, &address), "somebody else listens on that port");
  ck_assert_int_eq(taken_times, 0);
  ck_assert_uint_eq(sockets.n, 0);
}
END_TEST

START_TEST(localhost_has_one_port_for_all_its_addresses)
{
  struct tcp_address address;
  struct tcp_listen first = {0}, second = {0};
  ck_assert_ptr_null(tcp_listen_parse(&address, "localhost:0"));
  ck_assert_ptr_null(tcp_listen_open(&first, &address));
  ck_assert_uint_ge(first.n, 1);
  ck_assert_uint_gt(first.port, 0);
  snprintf(address.port, sizeof address.port, "%u", first.port);
  ck_assert_str_eq(tcp_listen_open(&second, &address), "somebody else listens on that port");
  ck_assert_uint_eq(second.n, 0);
  tcp_listen_close(&first);
  ck_assert_ptr_null(tcp_listen_open(&second, &address));
  ck_assert_uint_eq(second.port, (unsigned)atoi(address.port));
  tcp_listen_close(&second);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("http");
  tcase_add_test(tests, targets_are_taken_apart);
  tcase_add_test(tests, a_plus_in_a_path_is_a_plus);
  tcase_add_test(tests, dots_within_names_are_fine);
  tcase_add_loop_test(tests, tricks_are_refused, 0, BAD_TARGETS);
  tcase_add_test(tests, parameters_are_bounded);
  tcase_add_test(tests, weights_of_headers);
  tcase_add_test(tests, options_that_are_right);
  tcase_add_test(tests, options_that_are_wrong);
  tcase_add_test(tests, any_port_is_one_that_is_free_at_all_addresses);
  tcase_add_test(tests, localhost_has_one_port_for_all_its_addresses);
  return check_main("http", tests);
}
