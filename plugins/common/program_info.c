#include "program_info.h"

#include "metrics.h"

#include <evpipe/events.h>
#include <stdio.h>

enum fact { PROGRAM = 1, PID = 2, RTS = 4, ALL_FACTS = 7 };

static const uint64_t patience = UINT64_C(5000000000);

void program_info_want(struct evp_ctx *ctx)
{
  evp_want_event(ctx, EVP_RTS_IDENTIFIER);
  evp_want_event(ctx, EVP_PROGRAM_ARGS);
  evp_want_event(ctx, EVP_OSPROCESS_PID);
}

static unsigned known_facts(const struct evp_stream *stream)
{
  return (evp_stream_program(stream) ? PROGRAM : 0u) | (evp_stream_pid(stream) ? PID : 0u) |
         (evp_stream_rts(stream) ? RTS : 0u);
}

static const struct evp_series *series_of(struct evp_ctx *ctx, const struct evp_stream *stream, unsigned facts)
{
  char pid[16];
  struct evp_label labels[3];
  uint32_t n = 0;
  snprintf(pid, sizeof pid, "%u", evp_stream_pid(stream));
  if (facts & PID) labels[n++] = (struct evp_label){"pid", pid};
  if (facts & PROGRAM) labels[n++] = (struct evp_label){"program", evp_stream_program(stream)};
  if (facts & RTS) labels[n++] = (struct evp_label){"rts", evp_stream_rts(stream)};
  return metric_series(ctx, METRIC_PROGRAM_INFO, labels, n);
}

static enum evp_status take_back(struct program_info *info, struct evp_ctx *ctx, uint64_t time, struct evp_out *out)
{
  if (!info->series) return EVP_OK;
  enum evp_status status = evp_emit_int(out, info->series, time, 0);
  evp_series_end(ctx, info->series);
  info->series = NULL;
  return status;
}

static enum evp_status show(
  struct program_info *info, struct evp_ctx *ctx, unsigned facts, uint64_t time, struct evp_out *out)
{
  info->shown = facts;
  info->series = series_of(ctx, info->stream, facts);
  return info->series ? evp_emit_int(out, info->series, time, 1) : EVP_ERROR;
}

enum evp_status program_info_map(
  struct program_info *info, struct evp_ctx *ctx, const struct evp_batch *batch, uint64_t time, struct evp_out *out)
{
  if (info->shown == ALL_FACTS) return EVP_OK;
  if (!info->stream) info->stream = evp_stream_ref(batch->stream);
  unsigned facts = known_facts(info->stream);
  if (facts == info->shown) return EVP_OK;
  if (!info->seen) {
    info->seen = true;
    info->first_time = time;
  }
  bool waiting = time < info->first_time || time - info->first_time < patience;
  if (facts != ALL_FACTS && waiting) return EVP_OK;
  if (take_back(info, ctx, time, out) != EVP_OK) return EVP_ERROR;
  return show(info, ctx, facts, time, out);
}

enum evp_status program_info_end(struct program_info *info, struct evp_ctx *ctx, uint64_t time, struct evp_out *out)
{
  unsigned facts = info->stream ? known_facts(info->stream) : 0;
  if (!info->series && facts && show(info, ctx, facts, time, out) != EVP_OK) return EVP_ERROR;
  return take_back(info, ctx, time + 1, out);
}

void program_info_free(struct program_info *info)
{
  if (info->stream) evp_stream_unref(info->stream);
}
