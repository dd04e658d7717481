#include "gzip.h"
#include <libdeflate.h>
#include <stdlib.h>

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
