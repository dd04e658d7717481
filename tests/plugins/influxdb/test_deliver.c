/* deliver() against a server that is a function of the test: what is sent, in which pieces, and what is said. */
#include "check_main.h"
#include "deliver.h"
#include "line_protocol.h"
#include "sink_host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
  int unused;
};

/* ---------------------------------------------------------------------------------------------------------- the server */

static size_t body_max; /* larger ones, unpacked, are answered with 413 */
static const char *bad_word; /* a body with it is refused as 2.x does */
static bool database_missing, create_fails;
static const char *fixed_body;
static long fixed_status; /* 0: by the rules above */
static bool stopping;
static bool takes_no_gzip;
static unsigned requests, packed_requests;
static char stored[8192]; /* the lines that the server has */

struct request *request_new(const struct request_options *options)
{
  (void)options;
  return calloc(1, sizeof(struct request));
}

void request_free(struct request *request)
{
  free(request);
}

static void answer_with(struct answer *answer, long status, const char *body)
{
  answer->status = status;
  snprintf(answer->body, sizeof answer->body, "%s", body);
  answer->body_size = answer->body_total = strlen(body);
}

static void write_lines(const uint8_t *data, size_t size, struct answer *answer)
{
  if (body_max && size > body_max) {
    answer_with(answer, 413, "{\"error\":\"Request Entity Too Large\"}");
  } else if (bad_word && memmem(data, size, bad_word, strlen(bad_word))) {
    answer_with(answer, 400, "{\"code\":\"invalid\",\"message\":\"unable to parse 'bad': missing fields\"}");
  } else {
    strncat(stored, (const char *)data, size);
    answer_with(answer, 204, "");
  }
}

static void write_body(const uint8_t *data, size_t size, struct answer *answer)
{
  struct evp_buf lines = {0};
  bool packed = gzip_is_packed(data, size);
  packed_requests += packed;
  ck_assert(!packed || (!takes_no_gzip && gzip_unpack(data, size, sizeof stored, &lines)));
  write_lines(packed ? lines.data : data, packed ? lines.size : size, answer);
  free(lines.data);
}

void request_post(struct request *request, const char *url, const uint8_t *data, size_t size, struct answer *answer)
{
  (void)request;
  *answer = (struct answer){.stopped = stopping};
  requests++;
  if (stopping) return;
  if (strstr(url, "/query?")) {
    ck_assert_str_eq(url, "http://localhost:8086/query?q=CREATE%20DATABASE%20%22ev%22");
    database_missing = database_missing && create_fails;
    answer_with(answer, 200, create_fails ? "{\"results\":[{\"error\":\"not allowed\"}]}" : "{\"results\":[{}]}");
  } else if (fixed_status) {
    answer_with(answer, fixed_status, fixed_body);
    answer->retry_after = fixed_status == 429 ? 3000000000 : 0;
  } else if (database_missing) {
    answer_with(answer, 404, "{\"error\":\"database not found: \\\"ev\\\"\"}");
  } else {
    write_body(data, size, answer);
  }
}

/* ------------------------------------------------------------------------------------------------------------ the host */

static struct sink_host *host;
static bool sealed; /* messages come packed, as seal() leaves them */
static unsigned unsealed; /* so many were asked for plain */
static struct target_options options;
static struct courier courier;

static void setup(void)
{
  host = sink_host_new(NULL, "");
  options = (struct target_options){.url = "http://localhost:8086/", .database = "ev", .tls.verify = true};
  courier = (struct courier){.ctx = sink_host_ctx(host), .options = &options};
  body_max = 0;
  fixed_status = 0;
  bad_word = NULL;
  database_missing = create_fails = stopping = takes_no_gzip = sealed = false;
  requests = packed_requests = unsealed = 0;
  stored[0] = 0;
}

static void begin(void)
{
  ck_assert(target_check(&options, courier.ctx));
  ck_assert(target_make(&courier.target, &options));
  ck_assert(courier_start(&courier));
}

static void teardown(void)
{
  if (courier.request) courier_stop(&courier);
  target_free(&courier.target);
  sink_host_free(host);
}

static enum evp_status attempt(struct evp_message *message, struct evp_delivery *result)
{
  *result = (struct evp_delivery){0};
  enum evp_status status = courier_deliver(&courier, message, result);
  ck_assert(status == EVP_AGAIN || (!result->delivered && !result->unseal));
  return status;
}

/* As the core does: what is wanted plain comes plain, the leading bytes that are done are cut off, and it is tried again at
   once. */
static enum evp_status deliver_bytes(struct evp_message *message, const char *plain, uint64_t *rejected)
{
  struct evp_delivery result;
  enum evp_status status;
  *rejected = 0;
  while ((status = attempt(message, &result)) == EVP_AGAIN && (result.delivered || result.unseal)) {
    ck_assert_uint_lt(result.delivered, message->size);
    *rejected += result.rejected;
    message->items -= result.rejected + result.delivered_items;
    message->data += result.delivered;
    message->size -= result.delivered;
    if (!result.unseal) continue;
    unsealed++;
    ck_assert(gzip_is_packed(message->data, message->size));
    message->data = (const uint8_t *)plain;
    message->size = strlen(plain);
  }
  *rejected += result.rejected;
  return status;
}

static enum evp_status deliver_all(const char *text, uint64_t *rejected)
{
  static uint64_t id = 1;
  struct evp_buf bytes = {0};
  ck_assert(evp_buf_append(&bytes, text, strlen(text)));
  if (sealed) ck_assert(gzip_replace(&bytes));
  struct evp_message message = {.data = bytes.data,
    .size = bytes.size,
    .id = id++,
    .items = line_protocol_lines((const uint8_t *)text, strlen(text))};
  enum evp_status status = deliver_bytes(&message, text, rejected);
  free(bytes.data);
  return status;
}

/* --------------------------------------------------------------------------------------------------------------- tests */

START_TEST(one_request_when_all_is_well)
{
  uint64_t rejected;
  sealed = _i;
  begin();
  ck_assert_str_eq(courier.target.write_url, "http://localhost:8086/write?db=ev&precision=ns");
  ck_assert_int_eq(deliver_all("a v=1i 1\nb v=1i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(stored, "a v=1i 1\nb v=1i 1\n");
  ck_assert_uint_eq(requests, 1);
  ck_assert_uint_eq(packed_requests, 1); /* here, what is not packed yet */
  ck_assert_uint_eq(unsealed, 0);
  ck_assert_uint_eq(rejected, 0);
  ck_assert_str_eq(sink_host_said(host), "");
}
END_TEST

/* A server that can not unpack, and what an earlier process with another `compression` left in a spool. */
START_TEST(without_compression_all_goes_plain)
{
  uint64_t rejected;
  sealed = _i;
  options.compression = COMPRESSION_NONE;
  takes_no_gzip = true;
  begin();
  ck_assert_int_eq(deliver_all("a v=1i 1\nb v=1i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(stored, "a v=1i 1\nb v=1i 1\n");
  ck_assert_uint_eq(requests, 1);
  ck_assert_uint_eq(unsealed, (unsigned)_i);
}
END_TEST

START_TEST(a_message_too_large_is_cut_at_lines)
{
  const char *text = "a m=\"one\ntwo\" 1\nb v=1i 1\nc v=2i 1\nd v=\"x\" 1\ne v=5i 2\n";
  uint64_t rejected;
  sealed = _i;
  begin();
  body_max = 20;
  ck_assert_int_eq(deliver_all(text, &rejected), EVP_OK);
  ck_assert_str_eq(stored, text);
  ck_assert_uint_eq(rejected, 0);
  ck_assert_uint_eq(requests, 7); /* whole, its half, and what fits: not whole again when it came back plain */
  ck_assert_uint_eq(unsealed, (unsigned)_i);
  unsigned before = requests;
  ck_assert_int_eq(deliver_all("f v=1i 1\ng v=1i 1\n", &rejected), EVP_OK);
  ck_assert_uint_eq(requests - before, 2); /* the limit is known now */
  ck_assert_uint_eq(unsealed, 2 * (unsigned)_i);
  ck_assert_int_eq(deliver_all("h v=1i 1\n", &rejected), EVP_OK); /* not larger than the limit: goes as it is */
  ck_assert_uint_eq(requests - before, 3);
  ck_assert_uint_eq(unsealed, 2 * (unsigned)_i);
}
END_TEST

START_TEST(a_line_too_large_is_rejected_alone)
{
  uint64_t rejected;
  sealed = _i;
  begin();
  body_max = 12;
  ck_assert_int_eq(deliver_all("a v=1i 1\nb v=123456789i 1\nc v=2i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(stored, "a v=1i 1\nc v=2i 1\n");
  ck_assert_uint_eq(rejected, 1);
  ck_assert_int_eq(deliver_all("b v=123456789i 1\n", &rejected), EVP_REJECT);
  ck_assert_str_eq(stored, "a v=1i 1\nc v=2i 1\n");
}
END_TEST

START_TEST(a_bad_line_does_not_cost_the_others)
{
  uint64_t rejected;
  sealed = _i;
  options =
    (struct target_options){.url = "http://localhost:8086", .api = API_2, .org = "o g", .bucket = "b", .token = "t"};
  begin();
  ck_assert_str_eq(courier.target.write_url, "http://localhost:8086/api/v2/write?org=o%20g&bucket=b&precision=ns");
  bad_word = "bad";
  ck_assert_int_eq(deliver_all("a v=1i 1\nbad 1\nc v=2i 1\nd v=2i 1\nbad 2\nf v=2i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(stored, "a v=1i 1\nc v=2i 1\nd v=2i 1\nf v=2i 1\n");
  ck_assert_uint_eq(rejected, 2);
  ck_assert_uint_eq(unsealed, (unsigned)_i);
}
END_TEST

START_TEST(the_search_for_bad_lines_ends)
{
  char text[5000] = "";
  uint64_t rejected;
  sealed = _i;
  options = (struct target_options){.url = "http://localhost:8086", .api = API_2, .org = "o", .bucket = "b"};
  begin();
  bad_word = "bad";
  for (int i = 0; i < 1000; i++) strcat(text, "bad\n");
  ck_assert_int_eq(deliver_all(text, &rejected), EVP_OK);
  ck_assert_uint_eq(rejected, 1000);
  ck_assert_uint_lt(requests, 250);
  ck_assert_int_eq(deliver_all("bad\n", &rejected), EVP_REJECT);
}
END_TEST

START_TEST(with_api_1_all_lines_of_such_an_answer_are_bad)
{
  uint64_t rejected;
  sealed = _i;
  begin();
  bad_word = "bad";
  ck_assert_int_eq(deliver_all("bad\nbad\n", &rejected), EVP_REJECT);
  ck_assert_uint_eq(requests, 1);
  ck_assert_str_eq(sink_host_said(host),
    "warn http://localhost:8086/: rejected 2 points: HTTP 400: unable to parse 'bad': missing fields\n");
}
END_TEST

START_TEST(rejected_points_are_counted_and_said_once)
{
  uint64_t rejected;
  sealed = _i;
  begin();
  fixed_status = 400;
  fixed_body = "{\"error\":\"partial write: field type conflict dropped=1\"}";
  ck_assert_int_eq(deliver_all("a v=1i 1\nb v=1i 1\n", &rejected), EVP_OK);
  ck_assert_uint_eq(rejected, 1);
  fixed_body = "{\"error\":\"partial write: whatever dropped=1000000\"}";
  ck_assert_int_eq(deliver_all("a v=1i 1\nb v=1i 1\n", &rejected), EVP_OK);
  ck_assert_uint_eq(rejected, 2); /* no more than there were */
  ck_assert_str_eq(sink_host_said(host),
    "warn http://localhost:8086/: rejected 1 points: HTTP 400: partial write: field type conflict dropped=1\n");
}
END_TEST

START_TEST(the_database_is_created_on_request)
{
  uint64_t rejected;
  options.create_database = true;
  begin();
  database_missing = true;
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(stored, "a v=1i 1\n");
  ck_assert_str_eq(sink_host_said(host), "info created database ev\n");
}
END_TEST

START_TEST(a_database_that_can_not_be_created)
{
  uint64_t rejected;
  options.create_database = true;
  begin();
  database_missing = create_fails = true;
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_uint_eq(requests, 4);
  ck_assert_str_eq(sink_host_said(host), "error http://localhost:8086/: database ev can not be created: not allowed; "
                                         "what can not be delivered is kept and tried again\n");
}
END_TEST

START_TEST(without_the_wish_it_is_named)
{
  uint64_t rejected;
  begin();
  database_missing = true;
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_uint_eq(requests, 1);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "create_database: true"));
}
END_TEST

START_TEST(trouble_is_said_once_and_its_end)
{
  uint64_t rejected;
  begin();
  fixed_status = 503;
  fixed_body = "busy";
  for (int i = 0; i < 5; i++) ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  fixed_status = 0;
  for (int i = 0; i < 5; i++) ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_OK);
  ck_assert_str_eq(sink_host_said(host), "warn http://localhost:8086/: HTTP 503: busy; trying again\n"
                                         "info http://localhost:8086/: delivers again\n");
}
END_TEST

START_TEST(the_servers_own_delay_is_kept)
{
  const struct evp_message message = {.data = (const uint8_t *)"a v=1i 1\n", .size = 9, .id = 1};
  struct evp_delivery result = {0};
  begin();
  fixed_status = 429;
  fixed_body = "";
  ck_assert_int_eq(courier_deliver(&courier, &message, &result), EVP_AGAIN);
  ck_assert_uint_eq(result.retry_after, 3000000000);
}
END_TEST

START_TEST(a_secret_that_comes_back_is_hidden)
{
  uint64_t rejected;
  options.username = "me";
  options.password = "hunter2";
  begin();
  fixed_status = 401;
  fixed_body = "{\"error\":\"password hunter2 of me is wrong: hunter2\"}";
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_ptr_null(strstr(sink_host_said(host), "hunter2"));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "password ******* of me"));
}
END_TEST

/* What is put in its place may be the secret itself. */
START_TEST(a_secret_of_stars_is_hidden_once)
{
  uint64_t rejected;
  options.username = "me";
  options.password = "*";
  begin();
  fixed_status = 401;
  fixed_body = "{\"error\":\"password * of me is wrong\"}";
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "password * of me"));
}
END_TEST

START_TEST(when_evpipe_stops_nothing_is_said)
{
  uint64_t rejected;
  begin();
  stopping = true;
  ck_assert_int_eq(deliver_all("a v=1i 1\n", &rejected), EVP_AGAIN);
  ck_assert_str_eq(sink_host_said(host), "");
}
END_TEST

static void expect_refused(struct target_options wrong, const char *said)
{
  sink_host_forget(host);
  ck_assert(!target_check(&wrong, courier.ctx));
  ck_assert_msg(strstr(sink_host_said(host), said), "%s", sink_host_said(host));
}

START_TEST(options_are_checked)
{
  struct target_options wrong = options;
  static const char *const urls[] = {"localhost:8086", "ftp://localhost", "http://", "http://local host",
    "http://h:99999", "http://h/write", "http://h/?db=x", "http://h/#x", ""};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    wrong.url = urls[i];
    expect_refused(wrong, "option url:");
  }
  wrong.url = "http://me:hunter2@h";
  expect_refused(wrong, "option url: has a user or password");
  ck_assert_ptr_null(strstr(sink_host_said(host), "hunter2"));
  expect_refused((struct target_options){.url = "http://h"}, "option database: is missing");
  expect_refused((struct target_options){.url = "http://h", .database = "d", .bucket = "b"}, "option bucket:");
  expect_refused((struct target_options){.url = "http://h", .api = API_2, .org = "o"}, "option bucket: is missing");
  expect_refused((struct target_options){.url = "http://h", .api = API_2, .bucket = "b"}, "option org: is missing");
  expect_refused((struct target_options){.url = "http://h", .database = "d", .token = "a\r\nX: y"}, "option token:");
  expect_refused((struct target_options){.url = "http://h", .database = "d", .password = "p"}, "option password:");
  expect_refused(
    (struct target_options){.url = "http://h", .database = "d", .tls.ca_file = "f"}, "option tls.ca_file:");
  expect_refused(
    (struct target_options){.url = "https://h", .database = "d", .tls.key_file = "f"}, "option tls.key_file:");
}
END_TEST

START_TEST(an_empty_text_is_as_none)
{
  options.username = options.password = options.token = options.org = options.tls.key_file = "";
  target_forget_empty(&options);
  ck_assert(target_check(&options, courier.ctx));
  ck_assert_ptr_null(options.username);
  options.database = "";
  target_forget_empty(&options);
  expect_refused(options, "option database: is missing");
}
END_TEST

START_TEST(a_missing_ca_file_is_said_at_the_start)
{
  options.url = "https://localhost:1";
  options.tls.ca_file = "/nonexistent/ca.pem";
  ck_assert(target_check(&options, courier.ctx));
  ck_assert(!courier_start(&courier));
  ck_assert_str_eq(
    sink_host_said(host), "error tls: ca_file: /nonexistent/ca.pem can not be read: No such file or directory\n");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("deliver");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_loop_test(tests, one_request_when_all_is_well, 0, 2);
  tcase_add_loop_test(tests, without_compression_all_goes_plain, 0, 2);
  tcase_add_loop_test(tests, a_message_too_large_is_cut_at_lines, 0, 2);
  tcase_add_loop_test(tests, a_line_too_large_is_rejected_alone, 0, 2);
  tcase_add_loop_test(tests, a_bad_line_does_not_cost_the_others, 0, 2);
  tcase_add_loop_test(tests, the_search_for_bad_lines_ends, 0, 2);
  tcase_add_loop_test(tests, with_api_1_all_lines_of_such_an_answer_are_bad, 0, 2);
  tcase_add_loop_test(tests, rejected_points_are_counted_and_said_once, 0, 2);
  tcase_add_test(tests, the_database_is_created_on_request);
  tcase_add_test(tests, a_database_that_can_not_be_created);
  tcase_add_test(tests, without_the_wish_it_is_named);
  tcase_add_test(tests, trouble_is_said_once_and_its_end);
  tcase_add_test(tests, the_servers_own_delay_is_kept);
  tcase_add_test(tests, a_secret_that_comes_back_is_hidden);
  tcase_add_test(tests, a_secret_of_stars_is_hidden_once);
  tcase_add_test(tests, when_evpipe_stops_nothing_is_said);
  tcase_add_test(tests, options_are_checked);
  tcase_add_test(tests, an_empty_text_is_as_none);
  tcase_add_test(tests, a_missing_ca_file_is_said_at_the_start);
  return check_main("deliver", tests);
}
