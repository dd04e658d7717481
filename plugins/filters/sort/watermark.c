#include "watermark.h"

#include <evpipe/events.h>
#include <stdlib.h>

void watermark_clear(struct watermark *watermark)
{
  free(watermark->buffers);
  *watermark = (struct watermark){0};
}

static struct watermark_buffer *find_buffer(struct watermark *watermark, uint16_t cap)
{
  if (cap == EVP_NO_CAP) return &watermark->global;
  if (cap >= watermark->n_buffers) {
    size_t n = (size_t)cap + 1;
    struct watermark_buffer *buffers = reallocarray(watermark->buffers, n, sizeof *buffers);
    if (!buffers) return NULL;
    memset(buffers + watermark->n_buffers, 0, (n - watermark->n_buffers) * sizeof *buffers);
    watermark->buffers = buffers;
    watermark->n_buffers = n;
  }
  return &watermark->buffers[cap];
}

static bool set_known(struct watermark *watermark, uint16_t cap, bool known)
{
  struct watermark_buffer *buffer = find_buffer(watermark, cap);
  if (!buffer) return false;
  if (buffer->known != known) watermark->stale = true;
  buffer->known = known;
  return true;
}

static bool complete_block(struct watermark *watermark)
{
  if (!watermark->open) return true;
  watermark->open = false;
  struct watermark_buffer *buffer = find_buffer(watermark, watermark->open_cap);
  if (!buffer) return false;
  if (watermark->open_end <= buffer->end) return true;
  /* Only what held the watermark back can move it. */
  if (buffer->end <= watermark->time) watermark->stale = true;
  buffer->end = watermark->open_end;
  return true;
}

static bool see_marker(struct watermark *watermark, const struct evp_block_marker *marker)
{
  if (!complete_block(watermark) || !set_known(watermark, marker->block_cap, true)) return false;
  watermark->open = true;
  watermark->open_cap = marker->block_cap;
  watermark->open_end = marker->end_time;
  return true;
}

bool watermark_see(struct watermark *watermark, uint32_t dialect, const struct evp_event *event)
{
  struct evp_block_marker marker;
  struct evp_cap_create created;
  struct evp_cap_delete deleted;
  struct evp_startup startup;
  switch (event->type) {
  case EVP_BLOCK_MARKER:
    return !evp_read_block_marker(event, dialect, &marker) || see_marker(watermark, &marker);
  case EVP_CAP_CREATE:
    return !evp_read_cap_create(event, dialect, &created) || set_known(watermark, created.target_cap, true);
  case EVP_CAP_DELETE:
    return !evp_read_cap_delete(event, dialect, &deleted) || set_known(watermark, deleted.target_cap, false);
  case EVP_STARTUP:
    if (!evp_read_startup(event, dialect, &startup)) return true;
    for (uint16_t cap = 0; cap < startup.caps && cap < EVP_NO_CAP; cap++)
      if (!set_known(watermark, cap, true)) return false;
    return true;
  default:
    return true;
  }
}

uint64_t watermark_time(struct watermark *watermark)
{
  if (!watermark->stale) return watermark->time;
  watermark->stale = false;
  uint64_t time = watermark->global.end; /* 0 until it was seen: nothing is complete without it */
  for (size_t i = 0; i < watermark->n_buffers; i++)
    if (watermark->buffers[i].known && watermark->buffers[i].end < time) time = watermark->buffers[i].end;
  return watermark->time = time;
}
