/* series_map.h: from a series' id to what it is for the dashboard, looked at once.
 *
 * Owner    a run; its memory is taken from the budget. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_SERIES_MAP_H
#define EVPIPE_DASHBOARD_SERIES_MAP_H

#include "budget.h"
#include "hash_index.h"

#include <evpipe.h>

enum series_kind { SERIES_OTHER, SERIES_GAUGE, SERIES_ALLOCATED, SERIES_PAUSE, SERIES_BAND, SERIES_PROFILED };

struct series_entry {
  uint64_t series;
  uint64_t value; /* ALLOCATED: what it said last */
  uint32_t target; /* gauge, capability, generation, band, breakdown */
  uint32_t band_id; /* BAND: whose number the target was; 0: not looked up */
  uint8_t kind; /* enum series_kind */
  bool begun; /* ALLOCATED: it has said something */
};

struct series_map {
  struct budget *budget; /* that the memory is taken from; set before the first call */
  struct series_entry *items;
  uint32_t n, capacity;
  struct hash_index index;
};

/* `made`: it is new, and of a kind that its name, type and labels say, but for the target of BAND and PROFILED. NULL: no
   room. The pointer lives until the next call. */
struct series_entry *series_map_get(struct series_map *, const struct evp_series *, bool *made);
void series_map_clear(struct series_map *); /* but for counters, of as many as there may be capabilities */
void series_map_free(struct series_map *);

#endif
