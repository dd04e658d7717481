/* metrics.h: the one table of the metrics that our filters make: name, unit, kind and type of each.
 *
 * A metric's type is fixed here and never changes: InfluxDB refuses a field that becomes another type.
 * docs/metrics.md says what each means; a test compares the two.
 */
#ifndef EVPIPE_COMMON_METRICS_H
#define EVPIPE_COMMON_METRICS_H

#include <evpipe.h>

enum metric {
  METRIC_PROGRAM_INFO,
  METRIC_HEAP_SIZE,
  METRIC_HEAP_LIVE,
  METRIC_HEAP_BLOCKS,
  METRIC_MEMORY_CURRENT,
  METRIC_MEMORY_NEEDED,
  METRIC_MEMORY_RETURNED,
  METRIC_HEAP_ALLOCATED,
  METRIC_HEAP_CENSUS,
  METRIC_HEAP_PROFILED,
  METRIC_COUNT
};

struct metric_description {
  const char *name, *unit, *help;
  uint16_t kind, type; /* enum evp_metric_kind, enum evp_value_type */
};

extern const struct metric_description metric_descriptions[METRIC_COUNT];

/* The series of a metric with these labels. NULL: no memory (reported). */
const struct evp_series *metric_series(
  struct evp_ctx *, enum metric, const struct evp_label *labels, uint32_t n_labels);

#endif
