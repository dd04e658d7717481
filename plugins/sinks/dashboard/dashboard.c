/* dashboard: a page that shows the programs: heap, pauses, allocation, events, messages, and evpipe itself. See README.md. */
#include "dashboard.h"

#include "describe.h"
#include "run.h"
#include "visitors.h"

enum { MAX_SIZE_MIN = 1 << 20 };

/* ------------------------------------------------------------------------------------------------------------- streams */

static void leaving(void *owner, struct program *program)
{
  visitors_leave(owner, program);
}

static void say_full(struct dashboard *dashboard, const struct evp_stream *stream)
{
  if (dashboard->told_full) return;
  dashboard->told_full = true;
  evp_warn(dashboard->ctx,
    "%lld programs are open: a stream of '%s', and what else there is, is not shown; see max_programs",
    (long long)dashboard->max_programs, evp_stream_source(stream));
}

/* Their samples lie side by side in one history, as if one program had said both. */
static void say_mixed(struct dashboard *dashboard, const struct evp_stream *stream)
{
  if (dashboard->told_mixed) return;
  dashboard->told_mixed = true;
  evp_warn(dashboard->ctx,
    "two streams of '%s' with the same labels are open at once, and are shown as one program; give them different "
    "`labels`",
    evp_stream_source(stream));
}

static enum evp_status dashboard_stream_begin(void *self, const struct evp_stream *stream)
{
  struct dashboard *dashboard = self;
  struct run *run = evp_stream_local(dashboard->ctx, stream);
  run_begin(run, &dashboard->programs, stream);
  if (run->program) {
    program_learn(run->program, stream);
    describe_find_node(dashboard, run->program);
  } else {
    say_full(dashboard, stream);
  }
  if (run->next) say_mixed(dashboard, stream);
  return EVP_OK;
}

static void count(struct evp_ctx *ctx, uint64_t *items, const char *reason)
{
  if (*items) evp_drop(ctx, *items, reason);
  *items = 0;
}

static void count_losses(struct dashboard *dashboard, struct run *run)
{
  count(dashboard->ctx, &run->no_room, "no_room");
  count(dashboard->ctx, &run->not_newer, "not_newer");
  count(dashboard->ctx, &run->other_censuses, "second_census");
  count(dashboard->ctx, &run->wrong_time, "wrong_time");
}

/* What waited for a confirmation or a place is judged at the end, and may be lost then. */
static enum evp_status dashboard_stream_end(void *self, const struct evp_stream *stream)
{
  struct dashboard *dashboard = self;
  struct run *run = evp_stream_local(dashboard->ctx, stream);
  run_end(run);
  count_losses(dashboard, run);
  return EVP_OK;
}

static enum evp_status dashboard_write(void *self, const struct evp_batch *batch)
{
  struct dashboard *dashboard = self;
  struct run *run = evp_stream_local(dashboard->ctx, batch->stream);
  if (!run->program) {
    evp_drop(dashboard->ctx, batch->n, "max_programs");
    return EVP_OK;
  }
  run_take(run, batch, dashboard->history);
  if (run->anew) visitors_lose(run->program);
  run->anew = false;
  dashboard->families |= run->families;
  count_losses(dashboard, run);
  return EVP_OK;
}

/* ---------------------------------------------------------------------------------------------------------------- life */

static enum evp_status dashboard_ready(void *self)
{
  http_server_turn(((struct dashboard *)self)->server);
  return EVP_OK;
}

static enum evp_status dashboard_tick(void *self, uint64_t now, struct evp_out *out)
{
  (void)now;
  (void)out;
  visitors_tick(self);
  return EVP_OK;
}

static bool check(const struct dashboard *dashboard)
{
  bool ok = http_options_check(&dashboard->http, dashboard->ctx);
  if (dashboard->max_size < MAX_SIZE_MIN) {
    evp_option_error(dashboard->ctx, "max_size", "must be at least 1MiB");
    ok = false;
  }
  if (dashboard->max_programs < 1 || dashboard->max_programs > 10000) {
    evp_option_error(dashboard->ctx, "max_programs", "must be from 1 to 10000");
    ok = false;
  }
  if (dashboard->history < 1000000000) {
    evp_option_error(dashboard->ctx, "history", "must be at least 1s, or never: all of it");
    ok = false;
  }
  return ok;
}

static enum evp_status dashboard_create(void *self, struct evp_ctx *ctx)
{
  struct dashboard *dashboard = self;
  dashboard->ctx = ctx;
  programs_init(&dashboard->programs, dashboard->max_size, (uint32_t)dashboard->max_programs);
  dashboard->programs.leaving = leaving;
  dashboard->programs.owner = dashboard;
  return check(dashboard) ? EVP_OK : EVP_ERROR;
}

static enum evp_status dashboard_start(void *self)
{
  struct dashboard *dashboard = self;
  dashboard->server =
    http_server_start(dashboard->ctx, &dashboard->http, dashboard_routes, dashboard_n_routes, dashboard);
  if (!dashboard->server) return EVP_ERROR;
  if (dashboard->stay) evp_stay(dashboard->ctx);
  evp_watch(dashboard->ctx, http_server_fd(dashboard->server));
  return EVP_OK;
}

static void dashboard_stop(void *self)
{
  struct dashboard *dashboard = self;
  http_channel_free(dashboard->lobby);
  dashboard->lobby = NULL;
  for (struct program *program = dashboard->programs.first; program; program = program->next)
    visitors_leave(dashboard, program);
  http_server_stop(dashboard->server);
  dashboard->server = NULL;
}

static void dashboard_destroy(void *self)
{
  programs_free(&((struct dashboard *)self)->programs);
}

static const struct evp_option options[] = {HTTP_OPTIONS(struct dashboard, http, "127.0.0.1:7464"),
  EVP_DURATION(struct dashboard, history, "15m", "How far back each program is remembered; never: all of it."),
  EVP_SIZE(struct dashboard, max_size, "64MiB",
    "Memory for what is remembered of all programs; beyond it the older half of what is largest is thinned by two."),
  EVP_INT(struct dashboard, max_programs, "100", "Programs to remember; the one that ended longest ago leaves."),
  EVP_BOOL(
    struct dashboard, stay, "false", "Go on to serve when the sources have ended, until evpipe is told to stop."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "dashboard", .summary = "Serves a page that shows the programs, live.",
  .accepts = EVP_EVENTS | EVP_METRICS | EVP_LOGS, .options = options, .instance_size = sizeof(struct dashboard),
  .stream_size = sizeof(struct run), .create = dashboard_create, .start = dashboard_start, .stop = dashboard_stop,
  .destroy = dashboard_destroy, .ready = dashboard_ready, .tick = dashboard_tick, .write = dashboard_write,
  .stream_begin = dashboard_stream_begin, .stream_end = dashboard_stream_end);
