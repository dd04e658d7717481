/* A source of items: it has one stream for its whole life, and emits at its ticks. */
#include "engine/engine_state.h"
#include "engine/out.h"
#include "engine/source_state.h"
#include "engine/time.h"

/* `input_over`: it said itself that nothing more comes. */
static void after_items(struct source *source, enum evp_status status, const char *what)
{
  if (status == EVP_END)
    source->stopping = source->input_over = true;
  else if (status != EVP_OK)
    node_fail(source->node, what);
}

static void emit_items(struct source *source)
{
  enum evp_status status = source->plugin->emit(source->ctx->self, flow_source_out(source->intake.flow));
  flow_source_items(source->intake.flow);
  after_items(source, status, "emit");
}

/* Told to stop, it emits once more: totals, when all else is at rest. */
static void end_items(struct source *source)
{
  bool last = !source->input_over && !atomic_load(&source->node->failed);
  source->input_over = true;
  if (last) emit_items(source);
  source->blocked = !flow_end(source->intake.flow);
  if (source->blocked) return;
  flow_free(source->intake.flow);
  source->intake.flow = NULL;
  source_become_done(source);
}

/* While the others end, it waits for the last call. */
static bool ticks(const struct source *source)
{
  return source->ctx->tick_every && !atomic_load(&source->node->engine->stop_requests);
}

void source_turn_items(struct source *source, bool readable)
{
  struct evp_ctx *ctx = source->ctx;
  if (!source->intake.flow) {
    if (!source_begin_stream(source)) return;
    flow_exact_clock(source->intake.flow, 0); /* its items bring Unix times */
    source->state = SOURCE_OPEN;
  }
  source->let_go = source->let_go || atomic_load(&source->path_gone);
  if (source->stopping || source->let_go || atomic_load(&source->node->failed)) {
    end_items(source);
    return;
  }
  if (readable && source->plugin->ready) after_items(source, source->plugin->ready(ctx->self), "ready");
  uint64_t now = time_monotonic();
  if (source->stopping || !ticks(source) || now < ctx->tick_next) return;
  ctx->tick_next = now + ctx->tick_every;
  emit_items(source);
}

uint64_t source_items_deadline(const struct source *source)
{
  if (!source->intake.flow || source->stopping || source->let_go || atomic_load(&source->node->failed)) return 0;
  return ticks(source) ? source->ctx->tick_next : UINT64_MAX;
}
