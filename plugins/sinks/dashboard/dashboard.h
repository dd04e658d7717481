/* dashboard.h: the instance: programs that were seen, and the HTTP server that shows them.
 *
 * Owner    evpipe (instance memory). Threads  that of the sink; start, stop, destroy: main.
 */
#ifndef EVPIPE_DASHBOARD_H
#define EVPIPE_DASHBOARD_H

#include "http_channel.h"
#include "programs.h"

struct dashboard {
  struct http_options http; /* options */
  uint64_t history, max_size;
  int64_t max_programs;
  bool stay;

  struct evp_ctx *ctx;
  struct programs programs;
  struct http_server *server;
  struct http_channel *lobby; /* visitors of no program: there was none yet */
  bool ticking;
  unsigned ticks;
  uint64_t told_changes; /* programs.changes as visitors know it */
  unsigned families; /* set of enum family, of all runs */
  bool told_full, told_mixed; /* that was said: max_programs, streams that are not told apart */
};

extern const struct http_route dashboard_routes[];
extern const size_t dashboard_n_routes;

#endif
