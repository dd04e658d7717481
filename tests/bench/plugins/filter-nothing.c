/* A filter that does nothing: what one more plugin in between costs. */
#include <evpipe.h>

static uint32_t keep_all(void *self, const struct evp_batch *batch, uint16_t *sel, uint32_t n)
{
  (void)self;
  (void)batch;
  (void)sel;
  return n;
}

EVP_PLUGIN(.kind = EVP_FILTER, .name = "nothing", .summary = "Passes everything on.", .accepts = EVP_EVENTS,
  .emits = EVP_EVENTS, .instance_size = 1, .select = keep_all);
