#include "gzip.h"
#include "http_private.h"
#include <stdio.h>
#include <strings.h>

enum { COMPRESS_FROM = 1024, UNPACKED_MAX = 64 << 20, UNSENT_MAX = 64 << 20, UNSENT_SMALL = 64 << 10 };

/* -------------------------------------------------------------------------------------------------------------- weights */

static int parse_weight(const char *text, size_t size)
{
  int weight = 0, scale = 1000;
  if (!size || (text[0] != '0' && text[0] != '1')) return 0;
  if (text[0] == '1') return 1000;
  for (size_t i = 2; i < size && text[1] == '.' && scale > 1; i++) {
    if (text[i] < '0' || text[i] > '9') break;
    scale /= 10;
    weight += (text[i] - '0') * scale;
  }
  return weight;
}

/* Of "name;x=y;q=0.5" its q. */
static int weight_of(const char *item, size_t size)
{
  for (const char *at = memchr(item, ';', size), *end = item + size; at; at = memchr(at, ';', (size_t)(end - at))) {
    at++;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    if (end - at > 2 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=')
      return parse_weight(at + 2, (size_t)(end - at - 2));
  }
  return 1000;
}

int http_weight(const char *header, const char *wanted)
{
  size_t length = strlen(wanted);
  for (const char *at = header; at && *at;) {
    at += strspn(at, " \t,");
    size_t size = strcspn(at, ","), name = strcspn(at, ",; \t");
    if (name == length && !strncasecmp(at, wanted, length)) return weight_of(at, size);
    at += size;
  }
  return -1;
}

/* --------------------------------------------------------------------------------------------------------------- bodies */

static bool wants_gzip(const struct http_request *request)
{
  const char *accepted = http_request_header(request, "Accept-Encoding");
  int weight = http_weight(accepted, "gzip");
  if (weight < 0) weight = http_weight(accepted, "*");
  return weight > 0;
}

static struct MHD_Response *response_of(struct evp_buf *body)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
  if (!response) free(body->data);
  *body = (struct evp_buf){0};
  return response;
}

static bool pack(const struct http_request *request, struct evp_buf *body)
{
  return body->size >= COMPRESS_FROM && wants_gzip(request) && gzip_replace(body);
}

/* The body as it is sent; `size` is what it was before it was packed. */
static struct MHD_Response *owned_response(struct evp_buf *body, size_t size, bool packed)
{
  struct MHD_Response *response = response_of(body);
  if (response && packed) MHD_add_response_header(response, "Content-Encoding", "gzip");
  if (response && size >= COMPRESS_FROM) MHD_add_response_header(response, "Vary", "Accept-Encoding");
  return response;
}

static struct MHD_Response *constant_response(struct http_request *request, const struct http_answer *answer)
{
  struct evp_buf text = {0};
  bool plain = answer->gzipped && !wants_gzip(request);
  if (plain && !gzip_unpack(answer->data, answer->size, UNPACKED_MAX, &text)) {
    free(text.data);
    return NULL;
  }
  struct MHD_Response *response =
    plain ? response_of(&text)
          : MHD_create_response_from_buffer(answer->size, (void *)(uintptr_t)answer->data, MHD_RESPMEM_PERSISTENT);
  if (response && answer->gzipped && !plain) MHD_add_response_header(response, "Content-Encoding", "gzip");
  if (response && answer->gzipped) MHD_add_response_header(response, "Vary", "Accept-Encoding");
  return response;
}

/* -------------------------------------------------------------------------------------------------------------- answers */

/* If-None-Match: a list, or `*`; W/ in front makes no difference here. */
static bool is_known(const struct http_request *request, const char *etag)
{
  const char *known = etag ? http_request_header(request, "If-None-Match") : NULL;
  size_t length = etag ? strlen(etag) : 0;
  for (const char *at = known; at && *at;) {
    at += strspn(at, " \t,");
    if (!strncmp(at, "W/", 2)) at += 2;
    size_t size = strcspn(at, ", \t");
    if ((size == 1 && *at == '*') || (size == length && !memcmp(at, etag, length))) return true;
    at += size;
  }
  return false;
}

/* What libmicrohttpd does with a body that nobody read is not to be relied on: the connection ends. */
static bool leaves_body(const struct http_request *request)
{
  return request->has_body && (!request->route || request->body.size == 0);
}

void http_answer_queue(struct http_request *request, unsigned status, struct MHD_Response *response)
{
  if (!response) return;
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (leaves_body(request)) MHD_add_response_header(response, "Connection", "close");
  request->answered = MHD_queue_response(request->connection, status, response) == MHD_YES;
  MHD_destroy_response(response);
  if (request->answered) http_connection_phase(request->connection, HTTP_ANSWERING);
}

/* What many ask for and nobody reads must not take more and more memory. What is small always has room, and one answer alone,
   however large. */
static bool has_room(struct http_request *request, size_t size)
{
  struct http_server *server = request->server;
  if (size < UNSENT_SMALL) return true;
  if (server->unsent && (server->unsent >= UNSENT_MAX || size > UNSENT_MAX - server->unsent)) return false;
  request->unsent = size;
  server->unsent += size;
  return true;
}

static void put_off(struct http_request *request)
{
  static const char TEXT[] = "too much is being read by others\n";
  http_answer(request, &(struct http_answer){.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                         .type = "text/plain; charset=utf-8",
                         .data = TEXT,
                         .size = sizeof TEXT - 1,
                         .headers = &(struct http_header){"Retry-After", "1"},
                         .n_headers = 1});
}

void http_answer(struct http_request *request, const struct http_answer *answer)
{
  unsigned status = answer->status ? answer->status : MHD_HTTP_OK;
  struct MHD_Response *response;
  bool known = status == MHD_HTTP_OK && is_known(request, answer->etag);
  if (known) {
    status = MHD_HTTP_NOT_MODIFIED;
    if (answer->body) text_free(answer->body);
    response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
  } else if (answer->body) {
    size_t size = answer->body->size;
    bool packed = pack(request, answer->body);
    if (!has_room(request, answer->body->size)) {
      text_free(answer->body);
      put_off(request);
      return;
    }
    response = owned_response(answer->body, size, packed);
  } else {
    response = constant_response(request, answer);
  }
  if (!response) {
    evp_error(request->server->ctx, "no memory for an answer");
    return;
  }
  if (answer->type && !known) MHD_add_response_header(response, "Content-Type", answer->type);
  if (answer->etag) MHD_add_response_header(response, "ETag", answer->etag);
  MHD_add_response_header(response, "Cache-Control", answer->etag ? "no-cache" : "no-store");
  for (size_t i = 0; i < answer->n_headers; i++)
    MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
  http_answer_queue(request, status, response);
}

void http_answer_text(struct http_request *request, unsigned status, const char *text)
{
  struct evp_buf body = {0};
  if (!text_put_string(&body, text) || !text_put_char(&body, '\n')) {
    text_free(&body);
    return;
  }
  http_answer(request, &(struct http_answer){.status = status, .type = "text/plain; charset=utf-8", .body = &body});
}

void http_answer_error(struct http_request *request, unsigned status, const char *text)
{
  struct evp_buf body = {0};
  if (!text_put_string(&body, "{\"error\":") || !text_put_json_string(&body, text) || !text_put_string(&body, "}\n")) {
    text_free(&body);
    return;
  }
  http_answer(request, &(struct http_answer){.status = status, .type = "application/json", .body = &body});
}
