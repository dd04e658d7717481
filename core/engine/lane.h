/* lane.h: a thread that drives some of the sources: waits for their fds and deadlines, and gives each its turn. */
#ifndef EVPIPE_LANE_H
#define EVPIPE_LANE_H

#include "engine/source.h"
#include "engine/worker.h"

struct lane {
  struct engine *engine;
  struct source **sources; /* borrowed */
  struct lane_watch *watches; /* what epoll was told of each */
  unsigned n_sources;
  int epoll_fd, wake_fd;
  struct worker worker;
};

bool lane_init(struct lane *, struct engine *, unsigned max_sources);
void lane_free(struct lane *);
void lane_add(struct lane *, struct source *);
bool lane_start(struct lane *);
bool lane_join(struct lane *, uint64_t deadline); /* false: still running at that monotonic time */
void lane_wake(struct lane *); /* [any] */

#endif
