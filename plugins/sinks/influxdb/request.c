#include "request.h"
#include "gzip.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer that goes on and on is cut; what it began with has been read. */
enum { ANSWER_TOTAL_MAX = 1024 * 1024 };

/* A server that asks for more would keep data back longer than anybody expects. */
static const uint64_t RETRY_AFTER_MAX_S = 3600;

struct request {
  int stop_fd;
  CURL *easy;
  CURLM *multi; /* beside the easy handle for its poll(), which can watch stop_fd */
  struct curl_slist *plain_headers, *gzip_headers;
  char error[CURL_ERROR_SIZE];
};

/* ---------------------------------------------------------------------------------------------------------------- setup */

static bool add_header(struct curl_slist **headers, const char *line)
{
  struct curl_slist *longer = curl_slist_append(*headers, line);
  if (longer) *headers = longer;
  return longer != NULL;
}

/* Expect: libcurl would wait a second for "100 Continue" from servers that do not send it. */
static bool add_headers(struct request *request, const char *token)
{
  struct curl_slist **all[] = {&request->plain_headers, &request->gzip_headers};
  char *authorization = NULL;
  if (token && asprintf(&authorization, "Authorization: Token %s", token) < 0) return false;
  bool good = true;
  for (size_t i = 0; i < 2; i++)
    good = good && add_header(all[i], "Expect:") && add_header(all[i], "Content-Type: text/plain; charset=utf-8") &&
           (!authorization || add_header(all[i], authorization));
  free(authorization);
  return good && add_header(&request->gzip_headers, "Content-Encoding: gzip");
}

static void set_tls(CURL *easy, const struct tls_options *tls)
{
  if (tls->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
  if (tls->cert_file) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
  if (tls->key_file) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
}

static size_t take_body(char *data, size_t one, size_t size, void *to)
{
  (void)one;
  struct answer *answer = to;
  size_t room = ANSWER_BODY_MAX - answer->body_size;
  size_t kept = size < room ? size : room;
  memcpy(answer->body + answer->body_size, data, kept);
  for (size_t i = 0; i < kept; i++) /* a string, for strstr() */
    if (!answer->body[answer->body_size + i]) answer->body[answer->body_size + i] = ' ';
  answer->body_size += kept;
  answer->body[answer->body_size] = 0;
  answer->body_total += size;
  return answer->body_total > ANSWER_TOTAL_MAX ? 0 : size;
}

static void set_options(struct request *request, const struct request_options *options)
{
  const struct target_options *target = options->target;
  uint64_t timeout_ms = options->timeout == EVP_NEVER ? 0 : options->timeout / 1000000 + 1;
  CURL *easy = request->easy;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "evpipe");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms > LONG_MAX ? LONG_MAX : (long)timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms > LONG_MAX ? LONG_MAX : (long)timeout_ms);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  if (target->username) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, target->username);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, target->password ? target->password : "");
  }
  set_tls(easy, &target->tls);
}

struct request *request_new(const struct request_options *options)
{
  struct request *request = calloc(1, sizeof *request);
  if (!request) return NULL;
  request->stop_fd = options->stop_fd;
  request->easy = curl_easy_init();
  request->multi = curl_multi_init();
  if (request->easy && request->multi && add_headers(request, options->target->token)) {
    set_options(request, options);
    return request;
  }
  request_free(request);
  return NULL;
}

void request_free(struct request *request)
{
  if (!request) return;
  if (request->easy) curl_easy_cleanup(request->easy);
  if (request->multi) curl_multi_cleanup(request->multi);
  curl_slist_free_all(request->plain_headers);
  curl_slist_free_all(request->gzip_headers);
  free(request);
}

/* ----------------------------------------------------------------------------------------------------------- a transfer */

static void set_body(struct request *request, const uint8_t *data, size_t size)
{
  struct curl_slist *headers = gzip_is_packed(data, size) ? request->gzip_headers : request->plain_headers;
  curl_easy_setopt(request->easy, CURLOPT_POST, 1L);
  curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, data);
  curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
  curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, headers);
}

/* A name server that does not answer is waited for by a thread of libcurl's, which a normal end would join. */
static void give_up(struct request *request, struct answer *answer)
{
  answer->stopped = true;
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(request->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static CURLcode transfer(struct request *request, struct answer *answer)
{
  struct curl_waitfd stop = {.fd = request->stop_fd, .events = CURL_WAIT_POLLIN};
  CURLMcode bad = CURLM_OK;
  int running = 1;
  while (!bad && !answer->stopped) {
    bad = curl_multi_perform(request->multi, &running);
    if (bad || !running) break;
    stop.revents = 0;
    bad = curl_multi_poll(request->multi, &stop, request->stop_fd >= 0, 1000, NULL);
    if (stop.revents) give_up(request, answer);
  }
  if (bad) return CURLE_FAILED_INIT;
  int left;
  const CURLMsg *message = curl_multi_info_read(request->multi, &left);
  return message ? message->data.result : CURLE_ABORTED_BY_CALLBACK;
}

static void read_status(struct request *request, struct answer *answer)
{
  curl_off_t retry_after = 0;
  curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer->status);
  curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
  uint64_t seconds = retry_after > 0 ? (uint64_t)retry_after : 0;
  answer->retry_after = (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000000000;
}

void request_post(struct request *request, const char *url, const uint8_t *data, size_t size, struct answer *answer)
{
  *answer = (struct answer){0};
  request->error[0] = 0;
  set_body(request, data, size);
  curl_easy_setopt(request->easy, CURLOPT_URL, url);
  curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, answer);
  CURLcode code = CURLE_FAILED_INIT;
  if (!curl_multi_add_handle(request->multi, request->easy)) {
    code = transfer(request, answer);
    if (code == CURLE_OK || answer->body_total > ANSWER_TOTAL_MAX) read_status(request, answer);
    curl_multi_remove_handle(request->multi, request->easy);
  }
  if (!answer->status)
    snprintf(
      answer->failure, sizeof answer->failure, "%s", *request->error ? request->error : curl_easy_strerror(code));
}
