#include "deliver.h"
#include "line_protocol.h"
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* So many requests are spent on one message to find the lines that a server refuses the rest for. */
enum { SEARCHES_MAX = 100 };

static bool check_file(struct courier *courier, const char *key, const char *path)
{
  if (!path || !access(path, R_OK)) return true;
  evp_error(courier->ctx, "tls: %s: %s can not be read: %m", key, path);
  return false;
}

bool courier_start(struct courier *courier)
{
  const struct tls_options *tls = &courier->options->tls;
  if (!check_file(courier, "ca_file", tls->ca_file) || !check_file(courier, "cert_file", tls->cert_file) ||
      !check_file(courier, "key_file", tls->key_file))
    return false;
  /* Counted by libcurl, and safe from any thread since 7.84. */
  bool good = !curl_global_init(CURL_GLOBAL_DEFAULT);
  const struct request_options options = {
    .target = courier->options, .timeout = evp_timeout(courier->ctx), .stop_fd = evp_stop_fd(courier->ctx)};
  bool packs = courier->options->compression == COMPRESSION_GZIP;
  courier->request = good ? request_new(&options) : NULL;
  courier->gzip = courier->request && packs ? gzip_new() : NULL;
  if (courier->request && !packs == !courier->gzip) return true;
  evp_error(courier->ctx, "libcurl can not be set up: no memory");
  if (good) courier_stop(courier);
  return false;
}

void courier_stop(struct courier *courier)
{
  request_free(courier->request);
  courier->request = NULL;
  gzip_free(courier->gzip);
  courier->gzip = NULL;
  curl_global_cleanup();
}

/* ------------------------------------------------------------------------------------------------------- what is said */

/* A server may repeat what it was sent. */
static void hide(char *text, const char *secret)
{
  size_t size = secret ? strlen(secret) : 0;
  if (!size) return;
  for (char *at = text; (at = strstr(at, secret)); at += size) memset(at, '*', size);
}

static void hide_secrets(const struct courier *courier, char *text)
{
  hide(text, courier->options->password);
  hide(text, courier->options->token);
}

static void complain(struct courier *courier, struct verdict *verdict)
{
  uint64_t unsaid;
  hide_secrets(courier, verdict->text);
  if (!complaint_is_due(&courier->trouble, verdict->text, &unsaid)) return;
  const char *url = courier->options->url;
  if (verdict->setup)
    evp_error(courier->ctx, "%s: %s; what can not be delivered is kept and tried again", url, verdict->text);
  else
    evp_warn(courier->ctx, "%s: %s; trying again", url, verdict->text);
}

static void say_delivered(struct courier *courier)
{
  if (complaint_over(&courier->trouble)) evp_info(courier->ctx, "%s: delivers again", courier->options->url);
}

static void say_rejected(struct courier *courier, struct verdict *verdict, uint64_t rejected)
{
  uint64_t unsaid;
  if (!complaint_is_due(&courier->rejections, "rejected", &unsaid)) return;
  hide_secrets(courier, verdict->text);
  evp_warn(courier->ctx, "%s: rejected %" PRIu64 " points: %s", courier->options->url, rejected, verdict->text);
}

/* --------------------------------------------------------------------------------------------------------- the database */

/* InfluxDB answers 200 and {"results":[...]}, in which there is an "error" if it failed. */
static bool create_database(struct courier *courier)
{
  struct answer *answer = &courier->answer;
  request_post(courier->request, courier->target.create_url, NULL, 0, answer);
  if (answer->stopped) return false;
  if (answer->status == 200 && !strstr(answer->body, "\"error\"")) {
    evp_info(courier->ctx, "created database %s", courier->options->database);
    return true;
  }
  struct verdict verdict = {.setup = answer->status != 0};
  char said[ANSWER_TEXT_MAX / 2];
  answer_text(answer, said, sizeof said);
  snprintf(verdict.text, sizeof verdict.text, "database %.100s can not be created: %.250s", courier->options->database,
    answer->status ? said : answer->failure);
  complain(courier, &verdict);
  return false;
}

/* ---------------------------------------------------------------------------------------------------------- the message */

static bool is_packed(const struct evp_message *message)
{
  return gzip_is_packed(message->data, message->size);
}

/* Whether it is to be cut, or goes to a server that does not take it so, is known before anything is sent. */
static bool must_be_plain(const struct courier *courier, const struct evp_message *message)
{
  if (!is_packed(message)) return false;
  if (courier->options->compression == COMPRESSION_NONE) return true;
  return courier->piece_max && gzip_unpacked_size(message->data, message->size) > courier->piece_max;
}

static uint64_t points_in(const struct evp_message *message, size_t size)
{
  return size == message->size ? message->items : line_protocol_lines(message->data, size);
}

/* The lines that end before `limit`, at least one. */
static size_t whole_lines(const struct evp_message *message, size_t limit)
{
  size_t end = line_protocol_line_end(message->data, message->size, 0);
  for (size_t next; end < message->size; end = next) {
    next = line_protocol_line_end(message->data, message->size, end);
    if (next > limit) break;
  }
  return end;
}

static size_t first_piece(const struct courier *courier, const struct evp_message *message)
{
  bool whole = is_packed(message) || !courier->piece_max || message->size <= courier->piece_max;
  return whole ? message->size : whole_lines(message, courier->piece_max);
}

/* So much of the message is over, but for `rejected` points. */
static enum evp_status done(struct courier *courier, const struct evp_message *message, size_t size, uint64_t rejected,
  struct evp_delivery *result)
{
  say_delivered(courier);
  result->rejected = rejected;
  if (size == message->size) return EVP_OK;
  uint64_t points = points_in(message, size);
  courier->begun = message->id;
  result->delivered = size;
  result->delivered_items = points > rejected ? points - rejected : 0;
  return EVP_AGAIN;
}

/* All of the piece, or all but a few points. */
static enum evp_status stored(struct courier *courier, const struct evp_message *message, size_t size,
  struct verdict *verdict, struct evp_delivery *result)
{
  uint64_t rejected = verdict->rejected;
  if (rejected) {
    uint64_t points = points_in(message, size);
    if (rejected > points) rejected = points;
    say_rejected(courier, verdict, rejected);
  }
  return done(courier, message, size, rejected, result);
}

/* Refused lines are gone; a message of which nothing was stored goes to the dead letters as it is. */
static enum evp_status refused(struct courier *courier, const struct evp_message *message, size_t size,
  struct verdict *verdict, struct evp_delivery *result)
{
  uint64_t points = points_in(message, size);
  say_rejected(courier, verdict, points);
  if (size == message->size && courier->begun != message->id) return EVP_REJECT;
  return done(courier, message, size, points, result);
}

/* InfluxDB 1.x stores the good lines of a request and says so: if it does not, all are bad. 2.x stores none. */
static bool worth_searching(struct courier *courier, const struct evp_message *message)
{
  if (courier->options->api == API_1) return false;
  if (courier->searched != message->id) courier->searches = 0;
  courier->searched = message->id;
  return courier->searches++ < SEARCHES_MAX;
}

/* The size of the next, smaller piece; 0: no smaller one is worth a try. */
static size_t smaller_piece(
  struct courier *courier, const struct evp_message *message, size_t size, enum verdict_kind kind)
{
  if (is_packed(message) || line_protocol_line_end(message->data, size, 0) == size) return 0;
  if (kind == VERDICT_MALFORMED && !worth_searching(courier, message)) return 0;
  if (kind == VERDICT_TOO_LARGE) courier->piece_max = size / 2;
  return whole_lines(message, size / 2);
}

static enum evp_status later(struct courier *courier, struct verdict *verdict, struct evp_delivery *result)
{
  complain(courier, verdict);
  result->retry_after = courier->answer.retry_after;
  return EVP_AGAIN;
}

static enum evp_status want_plain(struct evp_delivery *result)
{
  result->unseal = true;
  return EVP_AGAIN;
}

/* Only what is plain can be cut. When it comes back so, what was said of it is known: it is not sent whole once more. */
static bool worth_unsealing(struct courier *courier, const struct evp_message *message, const struct verdict *verdict)
{
  if (!is_packed(message) || message->items < 2) return false;
  if (verdict->kind == VERDICT_MALFORMED && courier->options->api == API_1) return false;
  courier->refused_packed = message->id;
  courier->refusal = *verdict;
  return true;
}

static void post(struct courier *courier, const struct evp_message *message, size_t size)
{
  const uint8_t *body = message->data;
  size_t packed = courier->gzip && !is_packed(message) ? gzip_pack(courier->gzip, message->data, size, &body) : 0;
  request_post(courier->request, courier->target.write_url, packed ? body : message->data, packed ? packed : size,
    &courier->answer);
}

/* What the server says of a piece. False: evpipe stops. */
static bool ask(struct courier *courier, const struct evp_message *message, size_t size, struct verdict *verdict)
{
  bool known = courier->refused_packed == message->id && !is_packed(message);
  courier->refused_packed = 0;
  if (known) {
    *verdict = courier->refusal;
    return true;
  }
  post(courier, message, size);
  if (!courier->answer.stopped) answer_judge(&courier->answer, courier->options->api == API_2 ? 2 : 1, verdict);
  return !courier->answer.stopped;
}

enum evp_status courier_deliver(struct courier *courier, const struct evp_message *message, struct evp_delivery *result)
{
  bool created = false;
  if (must_be_plain(courier, message)) return want_plain(result);
  size_t size = first_piece(courier, message);
  for (;;) {
    struct verdict verdict;
    if (!ask(courier, message, size, &verdict)) return EVP_AGAIN;
    switch (verdict.kind) {
    case VERDICT_STORED:
      return stored(courier, message, size, &verdict, result);
    case VERDICT_TOO_LARGE:
    case VERDICT_MALFORMED: {
      if (worth_unsealing(courier, message, &verdict)) return want_plain(result);
      size_t smaller = smaller_piece(courier, message, size, verdict.kind);
      if (!smaller) return refused(courier, message, size, &verdict, result);
      size = smaller;
      break;
    }
    case VERDICT_NO_DATABASE:
      if (created || !courier->target.create_url) return later(courier, &verdict, result);
      if (!create_database(courier)) return EVP_AGAIN;
      created = true;
      break;
    case VERDICT_LATER:
    default:
      return later(courier, &verdict, result);
    }
  }
}
