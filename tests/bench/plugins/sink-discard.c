/* A sink that takes everything and does nothing with it; with `delay` it is a slow one. */
#include <evpipe.h>
#include <time.h>

struct discard {
  uint64_t delay;
};

static enum evp_status discard_write(void *self, const struct evp_batch *batch)
{
  struct discard *discard = self;
  (void)batch;
  if (discard->delay)
    nanosleep(&(struct timespec){(time_t)(discard->delay / 1000000000), (long)(discard->delay % 1000000000)}, NULL);
  return EVP_OK;
}

static const struct evp_option options[] = {
  EVP_DURATION(struct discard, delay, "0s", "How long each batch takes."), EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "discard", .summary = "Takes everything, keeps nothing.",
  .accepts = EVP_BYTES | EVP_EVENTS | EVP_METRICS | EVP_LOGS, .options = options,
  .instance_size = sizeof(struct discard), .write = discard_write);
