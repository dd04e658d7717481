/* emission.h: one round of metrics, all with the same time, and how one of them is added.
 *
 * Owner    the call of emit() that made it.
 * Errors   the first is kept in `status`; what is added after it does nothing.
 */
#ifndef EVPIPE_INTERNAL_EMISSION_H
#define EVPIPE_INTERNAL_EMISSION_H

#include "metrics.h"

struct emission {
  struct evp_ctx *ctx;
  struct evp_out *out;
  uint64_t time; /* Unix ns */
  enum evp_status status;
};

/* Labels: NULL-terminated keys and values in turn; NULL: none. */
void emission_add_int(struct emission *, enum metric, const char *const *labels, int64_t value);
void emission_add_double(struct emission *, enum metric, const char *const *labels, double value);

void emission_add_nodes(struct emission *); /* all of evpipe_node_*, evpipe_source_* and their like: nodes.c */

#endif
