/* prometheus: shows the last value of each series on /metrics, for Prometheus and whoever else scrapes. */
#include "exposition.h"
#include "groups.h"
#include "http_server.h"
#include "makers.h"
#include "monotonic.h"

/* While a scrape waits for the end of a group it is looked so often whether it has waited enough. */
#define LOOK_EVERY (GROUP_PATIENCE / 10)

struct prometheus {
  struct http_options http;
  int64_t max_series;
  uint64_t linger;
  struct evp_ctx *ctx;
  struct http_server *server;
  struct table table;
  size_t last_size; /* of the last exposition: the next will be about as large */
  struct groups groups;
  bool away; /* the server is not watched, because a scrape waits for the end of a group */
  bool full_said, duplicate_said, conflict_said;
};

/* Of each stream, zeroed at its begin. */
struct stream {
  struct makers makers;
  bool group_open;
};

/* -------------------------------------------------------------------------------------------------------------- answers */

static void answer_metrics(void *self, struct http_request *request)
{
  struct prometheus *prometheus = self;
  enum exposition_format format = exposition_choose(http_request_header(request, "Accept"));
  struct evp_buf body = {0};
  table_sweep(&prometheus->table, monotonic(), prometheus->linger);
  if (!evp_buf_grow(&body, prometheus->last_size + prometheus->last_size / 8 + 256) ||
      !exposition_put(&body, &prometheus->table, format)) {
    text_free(&body);
    http_answer_text(request, 500, "no memory");
    return;
  }
  prometheus->last_size = body.size;
  if (!http_request_is_head(request)) table_was_shown(&prometheus->table);
  http_answer(request, &(struct http_answer){.type = exposition_type(format), .body = &body});
}

static void answer_root(void *self, struct http_request *request)
{
  static const char PAGE[] = "<!doctype html><title>evpipe</title><h1>evpipe</h1><p><a href=\"/metrics\">Metrics</a>\n";
  static const struct http_header POLICY = {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"};
  (void)self;
  http_answer(request,
    &(struct http_answer){
      .type = "text/html; charset=utf-8", .data = PAGE, .size = sizeof PAGE - 1, .headers = &POLICY, .n_headers = 1});
}

static const struct http_route routes[] = {
  {"GET", "/metrics", answer_metrics, HTTP_LINKED, 0}, {"GET", "/", answer_root, HTTP_LINKED, 0}, HTTP_HEALTH_ROUTES};

/* -------------------------------------------------------------------------------------------------------------- values */

struct losses {
  uint64_t full, duplicate, conflict, falling, no_memory;
};

static void say_once(bool *said, struct prometheus *prometheus, const char *format, const struct evp_series *series)
{
  if (!*said) evp_warn(prometheus->ctx, format, series->name);
  *said = true;
}

static void note_loss(
  struct prometheus *prometheus, struct losses *losses, enum table_answer answer, const struct evp_series *series)
{
  switch (answer) {
  case TABLE_FULL:
    losses->full++;
    say_once(&prometheus->full_said, prometheus,
      "more series than max_series: '%s' and others are left out; `top` of a heap filter keeps bands few", series);
    return;
  case TABLE_DUPLICATE:
    losses->duplicate++;
    say_once(&prometheus->duplicate_said, prometheus,
      "two streams at once, or two nodes of one, have a series '%s' with the same labels: the later one's is left out; "
      "give the sources different `labels`, and take only one of the nodes",
      series);
    return;
  case TABLE_CONFLICT:
    losses->conflict++;
    say_once(&prometheus->conflict_said, prometheus, "'%s' is also the name of another kind of metric: it is left out",
      series);
    return;
  case TABLE_FALLING:
    losses->falling++;
    return;
  case TABLE_NO_MEMORY:
    losses->no_memory++;
    return;
  case TABLE_OK:
    return;
  }
}

static void count_losses(struct prometheus *prometheus, const struct losses *losses)
{
  if (losses->full) evp_drop(prometheus->ctx, losses->full, "max_series");
  if (losses->duplicate) evp_drop(prometheus->ctx, losses->duplicate, "duplicate");
  if (losses->conflict) evp_drop(prometheus->ctx, losses->conflict, "conflict");
  if (losses->falling) evp_drop(prometheus->ctx, losses->falling, "falling");
  if (losses->no_memory) evp_drop(prometheus->ctx, losses->no_memory, "no_memory");
}

/* The server stays readable as long as it was not looked at: it is not watched meanwhile. */
static void look_away(struct prometheus *prometheus)
{
  if (prometheus->away) return;
  prometheus->away = true;
  evp_watch(prometheus->ctx, -1);
  evp_tick_every(prometheus->ctx, LOOK_EVERY);
}

static void look_again(struct prometheus *prometheus)
{
  if (!prometheus->away) return;
  prometheus->away = false;
  evp_watch(prometheus->ctx, http_server_fd(prometheus->server));
  evp_tick_every(prometheus->ctx, 0);
}

static void note_group(struct prometheus *prometheus, struct stream *local, bool more, uint64_t now)
{
  groups_note(&prometheus->groups, &local->group_open, more, now);
  if (!prometheus->groups.n_open) look_again(prometheus);
}

static enum evp_status prometheus_write(void *self, const struct evp_batch *batch)
{
  struct prometheus *prometheus = self;
  struct losses losses = {0};
  uint64_t stream = evp_stream_id(batch->stream), now = monotonic();
  struct stream *local = evp_stream_local(prometheus->ctx, batch->stream);
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_metric *metric = &batch->metrics[batch->sel[i]];
    enum table_answer answer = TABLE_DUPLICATE;
    if (makers_allow(&local->makers, batch, metric->series))
      answer = table_set(&prometheus->table, (size_t)prometheus->max_series, stream, metric, now);
    if (answer != TABLE_OK) note_loss(prometheus, &losses, answer, metric->series);
  }
  count_losses(prometheus, &losses);
  note_group(prometheus, local, batch->flags & EVP_BATCH_MORE, now);
  return EVP_OK;
}

static enum evp_status prometheus_stream_end(void *self, const struct evp_stream *stream)
{
  struct prometheus *prometheus = self;
  uint64_t now = monotonic();
  table_end_stream(&prometheus->table, evp_stream_id(stream), now);
  note_group(prometheus, evp_stream_local(prometheus->ctx, stream), false, now);
  return EVP_OK;
}

static enum evp_status prometheus_ready(void *self)
{
  struct prometheus *prometheus = self;
  if (groups_hold(&prometheus->groups, monotonic()))
    look_away(prometheus);
  else
    http_server_turn(prometheus->server);
  return EVP_OK;
}

static enum evp_status prometheus_tick(void *self, uint64_t now, struct evp_out *out)
{
  struct prometheus *prometheus = self;
  (void)out;
  if (prometheus->away && !groups_hold(&prometheus->groups, now)) {
    look_again(prometheus);
    http_server_turn(prometheus->server);
  }
  return EVP_OK;
}

/* ---------------------------------------------------------------------------------------------------------------- life */

static enum evp_status prometheus_create(void *self, struct evp_ctx *ctx)
{
  struct prometheus *prometheus = self;
  prometheus->ctx = ctx;
  table_init(&prometheus->table);
  bool ok = http_options_check(&prometheus->http, ctx);
  if (prometheus->max_series >= 1 && prometheus->max_series <= 10000000) return ok ? EVP_OK : EVP_ERROR;
  evp_option_error(ctx, "max_series", "must be from 1 to 10000000");
  return EVP_ERROR;
}

static enum evp_status prometheus_start(void *self)
{
  struct prometheus *prometheus = self;
  prometheus->server =
    http_server_start(prometheus->ctx, &prometheus->http, routes, sizeof routes / sizeof *routes, prometheus);
  if (!prometheus->server) return EVP_ERROR;
  evp_watch(prometheus->ctx, http_server_fd(prometheus->server));
  return EVP_OK;
}

static void prometheus_stop(void *self)
{
  struct prometheus *prometheus = self;
  http_server_stop(prometheus->server);
  prometheus->server = NULL;
}

static void prometheus_destroy(void *self)
{
  table_free(&((struct prometheus *)self)->table);
}

static const struct evp_option options[] = {HTTP_OPTIONS(struct prometheus, http, "127.0.0.1:9464"),
  EVP_INT(struct prometheus, max_series, "10000", "Series that are shown at once; more are left out, and counted."),
  EVP_DURATION(
    struct prometheus, linger, "1m", "How long a series that has ended is still shown, and by one scrape at least."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "prometheus", .summary = "Shows metrics on /metrics, to be scraped by Prometheus.",
  .accepts = EVP_METRICS, .options = options, .instance_size = sizeof(struct prometheus),
  .stream_size = sizeof(struct stream), .create = prometheus_create, .start = prometheus_start, .stop = prometheus_stop,
  .destroy = prometheus_destroy, .ready = prometheus_ready, .tick = prometheus_tick,
  .stream_end = prometheus_stream_end, .write = prometheus_write);
