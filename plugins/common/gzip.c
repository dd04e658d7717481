#include "gzip.h"
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

enum { LEVEL = 1 };

struct gzip {
  struct libdeflate_compressor *compressor;
  uint8_t *packed;
  size_t capacity;
};

struct gzip *gzip_new(void)
{
  struct gzip *gzip = calloc(1, sizeof *gzip);
  if (!gzip) return NULL;
  gzip->compressor = libdeflate_alloc_compressor(LEVEL);
  if (gzip->compressor) return gzip;
  free(gzip);
  return NULL;
}

void gzip_free(struct gzip *gzip)
{
  if (!gzip) return;
  libdeflate_free_compressor(gzip->compressor);
  free(gzip->packed);
  free(gzip);
}

size_t gzip_pack(struct gzip *gzip, const void *data, size_t size, const uint8_t **packed)
{
  size_t bound = libdeflate_gzip_compress_bound(gzip->compressor, size);
  if (bound > gzip->capacity) {
    free(gzip->packed);
    gzip->packed = malloc(bound);
    gzip->capacity = gzip->packed ? bound : 0;
    if (!gzip->packed) return 0;
  }
  *packed = gzip->packed;
  return libdeflate_gzip_compress(gzip->compressor, data, size, gzip->packed, gzip->capacity);
}

bool gzip_replace(struct evp_buf *text)
{
  struct gzip *gzip = gzip_new();
  const uint8_t *packed;
  size_t size = gzip ? gzip_pack(gzip, text->data, text->size, &packed) : 0;
  if (size) {
    free(text->data);
    *text = (struct evp_buf){.data = gzip->packed, .size = size, .capacity = gzip->capacity};
    gzip->packed = NULL;
  }
  gzip_free(gzip);
  return size > 0;
}

bool gzip_is_packed(const void *data, size_t size)
{
  static const uint8_t head[] = {0x1f, 0x8b, 8 /* deflate */}; /* RFC 1952 */
  return size >= sizeof head && !memcmp(data, head, sizeof head);
}

/* The last four bytes, little endian. */
size_t gzip_unpacked_size(const void *packed, size_t size)
{
  if (size < 18) return 0; /* shorter than head and tail */
  const uint8_t *last = (const uint8_t *)packed + size - 4;
  return last[0] | (size_t)last[1] << 8 | (size_t)last[2] << 16 | (size_t)last[3] << 24;
}

bool gzip_unpack(const void *packed, size_t size, size_t limit, struct evp_buf *text)
{
  size_t room = gzip_unpacked_size(packed, size);
  struct libdeflate_decompressor *decompressor =
    room <= limit && evp_buf_grow(text, room) ? libdeflate_alloc_decompressor() : NULL;
  bool whole = decompressor && libdeflate_gzip_decompress(
                                 decompressor, packed, size, text->data + text->size, room, NULL) == LIBDEFLATE_SUCCESS;
  libdeflate_free_decompressor(decompressor);
  if (whole) text->size += room;
  return whole;
}
