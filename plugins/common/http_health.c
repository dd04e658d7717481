#include "http_private.h"
#include <stdio.h>

void http_livez(void *owner, struct http_request *request)
{
  static const char TEXT[] = "{\"status\":\"ok\"}\n";
  (void)owner;
  http_answer(request, &(struct http_answer){.type = "application/json", .data = TEXT, .size = sizeof TEXT - 1});
}

struct readiness {
  unsigned connected, finished, missing; /* sources; one that makes items itself has nothing to connect to */
  struct evp_buf reasons; /* those that are missing, as JSON texts with commas between */
};

static bool add_source(struct readiness *readiness, const struct evp_node_statistics *node)
{
  char text[256];
  if (node->connected) {
    readiness->connected++;
    return true;
  }
  if (node->finished) {
    readiness->finished++;
    return true;
  }
  snprintf(text, sizeof text, "source '%s' is not connected", node->name);
  return (!readiness->missing++ || text_put_char(&readiness->reasons, ',')) &&
         text_put_json_string(&readiness->reasons, text);
}

/* False: no memory. */
static bool look_at_sources(struct evp_ctx *ctx, struct readiness *readiness)
{
  struct evp_node_statistics node = {.size = sizeof node};
  bool ok = true;
  for (size_t i = 0; ok && evp_statistics(ctx, i, &node); i++)
    if (node.kind == EVP_SOURCE && node.inputs & EVP_BYTES) ok = add_source(readiness, &node);
  return ok && text_put_char(&readiness->reasons, 0);
}

static bool put_answer(struct evp_buf *body, const struct readiness *readiness, bool with_reasons)
{
  if (!readiness->missing)
    return text_printf(body, "{\"status\":\"%s\"}\n", readiness->finished && !readiness->connected ? "finished" : "ok");
  if (!with_reasons) return text_put_string(body, "{\"status\":\"not ready\"}\n");
  return text_printf(body, "{\"status\":\"not ready\",\"reasons\":[%s]}\n", (const char *)readiness->reasons.data);
}

void http_readyz(void *owner, struct http_request *request)
{
  struct readiness readiness = {0};
  struct evp_buf body = {0};
  (void)owner;
  bool ok = look_at_sources(request->server->ctx, &readiness) && put_answer(&body, &readiness, request->authorised);
  text_free(&readiness.reasons);
  if (!ok) {
    text_free(&body);
    return;
  }
  http_answer(request, &(struct http_answer){.status = readiness.missing ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
                         .type = "application/json",
                         .body = &body});
}
