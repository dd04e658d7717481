#include "frames.h"
#include <stdlib.h>
#include <zstd.h>

struct frames {
  ZSTD_CCtx *context;
  size_t open;
};

int frames_best_level(void)
{
  return ZSTD_maxCLevel();
}

struct frames *frames_new(int level)
{
  struct frames *frames = calloc(1, sizeof *frames);
  if (!frames) return NULL;
  frames->context = ZSTD_createCCtx();
  if (!frames->context) {
    free(frames);
    return NULL;
  }
  ZSTD_CCtx_setParameter(frames->context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(frames->context, ZSTD_c_checksumFlag, 1);
  return frames;
}

void frames_free(struct frames *frames)
{
  if (!frames) return;
  ZSTD_freeCCtx(frames->context);
  free(frames);
}

size_t frames_open(const struct frames *frames)
{
  return frames->open;
}

void frames_reset(struct frames *frames)
{
  ZSTD_CCtx_reset(frames->context, ZSTD_reset_session_only);
  frames->open = 0;
}

static bool compress(struct frames *frames, ZSTD_inBuffer *in, ZSTD_EndDirective directive, struct evp_buf *out)
{
  for (;;) {
    size_t room = ZSTD_CStreamOutSize();
    if (out->capacity - out->size < room && !evp_buf_grow(out, room)) return false;
    ZSTD_outBuffer output = {out->data + out->size, out->capacity - out->size, 0};
    size_t left = ZSTD_compressStream2(frames->context, &output, in, directive);
    if (ZSTD_isError(left)) return false;
    out->size += output.pos;
    if (directive == ZSTD_e_continue ? in->pos == in->size : left == 0) return true;
  }
}

bool frames_add(struct frames *frames, const void *data, size_t size, struct evp_buf *out)
{
  ZSTD_inBuffer in = {data, size, 0};
  frames->open += size;
  return compress(frames, &in, ZSTD_e_continue, out);
}

bool frames_end(struct frames *frames, struct evp_buf *out)
{
  ZSTD_inBuffer in = {NULL, 0, 0};
  if (!frames->open) return true;
  frames->open = 0;
  return compress(frames, &in, ZSTD_e_end, out);
}
