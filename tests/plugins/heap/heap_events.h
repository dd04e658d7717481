/* heap_events.h: the events of a heap profile, for the fake host. */
#ifndef EVPIPE_TEST_HEAP_EVENTS_H
#define EVPIPE_TEST_HEAP_EVENTS_H

#include "../metric_host.h"

#include <evpipe/events.h>

static inline void put_number(struct metric_host *host, size_t bytes, uint64_t number)
{
  metric_host_put_number(host, bytes, number);
}

/* From the buffer without a capability, where all of a heap profile is. */
static inline void send(struct metric_host *host, uint16_t type, uint64_t time, bool variable)
{
  metric_host_event(host, type, time, EVP_NO_CAP, variable);
}

static inline void put_profile(struct metric_host *host, uint8_t profile, uint32_t breakdown)
{
  put_number(host, 1, profile);
  put_number(host, 8, 100000000);
  put_number(host, 4, breakdown);
  for (int filter = 0; filter < 7; filter++) metric_host_put_string(host, "");
  send(host, EVP_HEAP_PROF_BEGIN, 1, true);
}

/* The era is always 0, as GHC has it. */
static inline void put_begin(struct metric_host *host, uint64_t time)
{
  put_number(host, 8, 0);
  send(host, EVP_HEAP_PROF_SAMPLE_BEGIN, time, false);
}

static inline void put_end(struct metric_host *host, uint64_t time)
{
  put_number(host, 8, 0);
  send(host, EVP_HEAP_PROF_SAMPLE_END, time, false);
}

static inline void put_row(struct metric_host *host, uint64_t time, uint8_t profile, uint64_t bytes, const char *label)
{
  put_number(host, 1, profile);
  put_number(host, 8, bytes);
  metric_host_put_string(host, label);
  send(host, EVP_HEAP_PROF_SAMPLE_STRING, time, true);
}

static inline void put_stack(
  struct metric_host *host, uint64_t time, uint8_t profile, uint64_t bytes, uint8_t depth, const uint32_t *ids)
{
  put_number(host, 1, profile);
  put_number(host, 8, bytes);
  put_number(host, 1, depth);
  for (uint8_t i = 0; i < depth; i++) put_number(host, 4, ids[i]);
  send(host, EVP_HEAP_PROF_SAMPLE_COST_CENTRE, time, true);
}

static inline void put_cost_centre(struct metric_host *host, uint32_t id, const char *label, const char *module)
{
  put_number(host, 4, id);
  metric_host_put_string(host, label);
  metric_host_put_string(host, module);
  metric_host_put_string(host, "Main.hs:1:1");
  put_number(host, 1, 0);
  send(host, EVP_HEAP_PROF_COST_CENTRE, 1, true);
}

static inline void put_info_table(struct metric_host *host, uint64_t address, const char *name, const char *type,
  const char *module, const char *location)
{
  put_number(host, 8, address);
  metric_host_put_string(host, name);
  metric_host_put_string(host, "17");
  metric_host_put_string(host, type);
  metric_host_put_string(host, "label");
  metric_host_put_string(host, module);
  metric_host_put_string(host, location);
  send(host, EVP_IPE, 1, true);
}

#endif
