#include "http_private.h"
#include <stdio.h>

void http_livez(void *owner, struct http_request *request)
{
  static const char TEXT[] = "{\"status\":\"ok\"}\n";
  (void)owner;
  http_answer(request, &(struct http_answer){.type = "application/json", .data = TEXT, .size = sizeof TEXT - 1});
}

/* A source that is not connected. (One that makes items itself has nothing to connect to.) */
static bool is_missing(const struct evp_node_statistics *node)
{
  return node->kind == EVP_SOURCE && node->inputs & EVP_BYTES && !node->connected;
}

/* The sources that are missing, as JSON texts with commas between. */
static bool put_reasons(struct evp_ctx *ctx, struct evp_buf *reasons, bool *ready)
{
  struct evp_node_statistics node = {.size = sizeof node};
  char text[256];
  bool ok = true;
  for (size_t i = 0; ok && evp_statistics(ctx, i, &node); i++) {
    if (!is_missing(&node)) continue;
    snprintf(text, sizeof text, "source '%s' is not connected", node.name);
    ok = (*ready || text_put_char(reasons, ',')) && text_put_json_string(reasons, text);
    *ready = false;
  }
  return ok;
}

void http_readyz(void *owner, struct http_request *request)
{
  struct evp_buf reasons = {0}, body = {0};
  bool ready = true, ok = put_reasons(request->server->ctx, &reasons, &ready) && text_put_char(&reasons, 0);
  (void)owner;
  if (ready)
    ok = ok && text_put_string(&body, "{\"status\":\"ok\"}\n");
  else if (request->authorised)
    ok = ok && text_printf(&body, "{\"status\":\"not ready\",\"reasons\":[%s]}\n", (const char *)reasons.data);
  else
    ok = ok && text_put_string(&body, "{\"status\":\"not ready\"}\n");
  text_free(&reasons);
  if (!ok) {
    text_free(&body);
    return;
  }
  http_answer(request,
    &(struct http_answer){
      .status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, .type = "application/json", .body = &body});
}
