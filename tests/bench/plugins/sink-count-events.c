/* What the cheapest consumer of every event costs: it adds up the events and their payload bytes. */
#include <evpipe.h>
#include <stdio.h>

struct count {
  uint64_t events, bytes;
};

static enum evp_status count_write(void *self, const struct evp_batch *batch)
{
  struct count *count = self;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < batch->n; i++) bytes += batch->events[batch->sel[i]].size;
  count->events += batch->n;
  count->bytes += bytes;
  return EVP_OK;
}

static void count_destroy(void *self)
{
  struct count *count = self;
  if (count->events)
    printf("%llu events, %llu payload bytes\n", (unsigned long long)count->events, (unsigned long long)count->bytes);
}

EVP_PLUGIN(.kind = EVP_SINK, .name = "count-events", .summary = "Counts every event.", .accepts = EVP_EVENTS,
  .instance_size = sizeof(struct count), .write = count_write, .destroy = count_destroy);
