#include "metrics.h"

const struct metric_description metric_descriptions[METRIC_COUNT] = {
  [METRIC_PROGRAM_INFO] = {"ghc_program_info", "", "What runs: 1 while it does.", EVP_GAUGE, EVP_INT64},
  [METRIC_HEAP_SIZE] = {"ghc_heap_size_bytes", "bytes", "Megablocks that the RTS holds.", EVP_GAUGE, EVP_INT64},
  [METRIC_HEAP_LIVE] = {"ghc_heap_live_bytes", "bytes", "Live data after the last major collection.", EVP_GAUGE,
    EVP_INT64},
  [METRIC_HEAP_BLOCKS] = {"ghc_heap_blocks_bytes", "bytes", "Blocks in use.", EVP_GAUGE, EVP_INT64},
  [METRIC_MEMORY_CURRENT] = {"ghc_memory_current_mblocks", "", "Megablocks held.", EVP_GAUGE, EVP_INT64},
  [METRIC_MEMORY_NEEDED] = {"ghc_memory_needed_mblocks", "", "Megablocks needed.", EVP_GAUGE, EVP_INT64},
  [METRIC_MEMORY_RETURNED] = {"ghc_memory_returned_mblocks", "", "Megablocks given back to the system.", EVP_GAUGE,
    EVP_INT64},
  [METRIC_HEAP_ALLOCATED] = {"ghc_heap_allocated_bytes_total", "bytes", "Bytes ever allocated.", EVP_COUNTER,
    EVP_INT64},
  [METRIC_HEAP_CENSUS] = {"ghc_heap_census_bytes", "bytes", "Live bytes of a band in a heap census.", EVP_GAUGE,
    EVP_INT64},
  [METRIC_HEAP_PROFILED] = {"ghc_heap_profiled_bytes", "bytes", "Sum of all bands of a heap census.", EVP_GAUGE,
    EVP_INT64},
};

const struct evp_series *metric_series(
  struct evp_ctx *ctx, enum metric metric, const struct evp_label *labels, uint32_t n_labels)
{
  const struct metric_description *description = &metric_descriptions[metric];
  struct evp_series wanted = {.name = description->name,
    .unit = description->unit,
    .help = description->help,
    .kind = description->kind,
    .type = description->type,
    .labels = labels,
    .n_labels = n_labels};
  return evp_series_get(ctx, &wanted);
}
