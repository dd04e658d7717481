#include "gauges.h"

const char *const gauge_names[GAUGE_COUNT] = {"ghc_heap_size_bytes", "ghc_heap_live_bytes", "ghc_heap_blocks_bytes",
  "ghc_memory_current_mblocks", "ghc_memory_needed_mblocks", "ghc_memory_returned_mblocks"};
const char *const gauge_keys[GAUGE_COUNT] = {"size", "live", "blocks", "current", "needed", "returned"};

void gauge_keep_larger(void *owner, void *first, void *second)
{
  (void)owner;
  struct sample *a = first, *b = second;
  if (b->value > a->value) *a = *b;
}
