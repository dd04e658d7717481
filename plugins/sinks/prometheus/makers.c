#include "makers.h"
#include "hash.h"
#include <string.h>

bool makers_allow(struct makers *makers, const struct evp_batch *batch, const struct evp_series *series)
{
  const struct maker maker = {
    hash_name(series->name, strlen(series->name)), hash_name(batch->origin, strlen(batch->origin))};
  for (uint32_t i = 0; i < makers->n; i++)
    if (makers->of[i].metric == maker.metric) return makers->of[i].node == maker.node;
  if (makers->n < MAKERS_MAX) makers->of[makers->n++] = maker;
  return true;
}
