#include <evpipe.h>
#include <stdio.h>

struct count { const char *label; uint64_t events; };

static enum evp_status count_write(void *self, const struct evp_batch *batch)
{
  struct count *count = self;
  count->events += batch->n;
  return EVP_OK;
}

static void count_destroy(void *self)
{
  struct count *count = self;
  printf("%s %lu\n", count->label, (unsigned long)count->events);
}

static const struct evp_option options[] = {
  EVP_STRING(struct count, label, "events", "Printed before the total."),
  EVP_OPTIONS_END
};

EVP_PLUGIN(.kind = EVP_SINK, .name = "count", .summary = "Counts events.", .accepts = EVP_EVENTS,
           .options = options, .instance_size = sizeof(struct count),
           .write = count_write, .destroy = count_destroy);
