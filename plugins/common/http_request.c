#include "http_private.h"
#include <stdio.h>

/* ------------------------------------------------------------------------------------------------------------- getters */

bool http_request_is_head(const struct http_request *request)
{
  return request->head;
}

const char *http_request_path(const struct http_request *request)
{
  return request->path;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
  return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const uint8_t *http_request_body(const struct http_request *request, size_t *size)
{
  *size = request->body.size;
  return request->body.data;
}

bool http_request_authorised(const struct http_request *request)
{
  return request->authorised;
}

/* ------------------------------------------------------------------------------------------------------------- routing */

static bool path_fits(const struct http_route *route, const char *path)
{
  size_t size = strlen(route->path);
  if (route->path[size - 1] == '*') return !strncmp(route->path, path, size - 1);
  return !strcmp(route->path, path);
}

static const struct http_route *find_route(const struct http_request *request)
{
  const struct http_server *server = request->server;
  for (size_t i = 0; i < server->n_routes; i++)
    if (path_fits(&server->routes[i], request->path) && !strcmp(server->routes[i].method, request->method))
      return &server->routes[i];
  return NULL;
}

/* What methods the path has, for the header Allow; false: there is no such path. */
static bool list_methods(const struct http_request *request, char *list, size_t room)
{
  const struct http_server *server = request->server;
  size_t size = 0;
  *list = 0;
  for (size_t i = 0; i < server->n_routes && size < room; i++) {
    if (!path_fits(&server->routes[i], request->path)) continue;
    const char *method = server->routes[i].method;
    size += (size_t)snprintf(
      list + size, room - size, "%s%s%s", size ? ", " : "", method, !strcmp(method, "GET") ? ", HEAD" : "");
  }
  return size > 0;
}

static void answer_no_route(struct http_request *request)
{
  char methods[64];
  if (!list_methods(request, methods, sizeof methods)) {
    http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such page");
    return;
  }
  static const char TEXT[] = "that is no method of this page\n";
  http_answer(request, &(struct http_answer){.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                         .type = "text/plain; charset=utf-8",
                         .data = TEXT,
                         .size = sizeof TEXT - 1,
                         .headers = &(struct http_header){"Allow", methods},
                         .n_headers = 1});
}

static bool is_too_large(const struct http_request *request)
{
  const char *length = http_request_header(request, "Content-Length");
  return length && strtoull(length, NULL, 10) > request->route->max_body;
}

/* The headers are there. Does it go on? Else it was answered, or there was no memory for that. */
static bool begin(struct http_request *request, const char *method)
{
  request->head = !strcmp(method, "HEAD");
  request->method = request->head ? "GET" : method;
  request->has_body =
    http_request_header(request, "Content-Length") || http_request_header(request, "Transfer-Encoding");
  if (!http_target_parse(request)) {
    http_answer_text(request, MHD_HTTP_BAD_REQUEST, "the address is malformed");
    return false;
  }
  request->route = find_route(request);
  if (!http_guard_admits(request)) return false;
  if (!request->route)
    answer_no_route(request);
  else if (is_too_large(request))
    http_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
  else
    return true;
  return false;
}

/* ----------------------------------------------------------------------------------------------- libmicrohttpd's callbacks */

void *http_request_new(void *server, const char *target, struct MHD_Connection *connection)
{
  size_t size = strlen(target) + 1;
  struct http_request *request = calloc(1, sizeof *request + size);
  http_connection_phase(connection, HTTP_RECEIVING);
  if (!request) return NULL;
  request->server = server;
  request->connection = connection;
  memcpy(request->target, target, size);
  return request;
}

static bool take_body(struct http_request *request, const char *data, size_t size)
{
  return size <= request->route->max_body - request->body.size && text_put(&request->body, data, size);
}

enum MHD_Result http_request_go_on(void *owner, struct MHD_Connection *connection, const char *url, const char *method,
  const char *version, const char *data, size_t *size, void **context)
{
  const struct http_server *server = owner;
  struct http_request *request = *context;
  (void)url;
  (void)version;
  if (!request || !http_connection_of(connection)) return MHD_NO; /* no memory */
  if (server->stopping && !request->answered) return MHD_NO;
  if (!request->begun) {
    request->begun = true;
    return begin(request, method) || request->answered ? MHD_YES : MHD_NO; /* what was not refused is not let in */
  }
  if (*size) { /* of chunks it is only known now that they are too many: the connection is closed */
    if (!request->answered && !take_body(request, data, *size)) return MHD_NO;
    *size = 0;
    return MHD_YES;
  }
  if (request->answered) return MHD_YES;
  request->route->handler(server->owner, request);
  if (!request->answered) http_answer_text(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer could be made");
  return request->answered ? MHD_YES : MHD_NO;
}

void http_request_done(
  void *server, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
  struct http_request *request = *context;
  (void)server;
  (void)how;
  http_connection_phase(connection, HTTP_IDLE);
  if (!request) return;
  request->server->unsent -= request->unsent;
  text_free(&request->body);
  free(request);
  *context = NULL;
}
