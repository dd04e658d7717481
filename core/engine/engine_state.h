/* engine_state.h: the running engine, as its parts see it.
 *
 * Owner    engine_run(). Threads: what is not atomic is fixed before the threads start.
 */
#ifndef EVPIPE_ENGINE_STATE_H
#define EVPIPE_ENGINE_STATE_H

#include "engine/node.h"
#include "engine/stream.h"
#include <stdatomic.h>

struct control;
struct lane;
struct pollfd;

/* Exit statuses in the order in which a worse one replaces a better one. */
enum engine_status_rank { STATUS_DONE, STATUS_INPUT_DAMAGED, STATUS_NODE_FAILED };

struct engine {
  const struct pipeline *pipeline;
  struct node *nodes; /* in the pipeline's order */
  unsigned n_nodes;
  int64_t begin_time; /* Unix ns: since when nodes count */
  struct slab_pool *slabs;
  struct series_table *series;
  struct lane *lanes;
  unsigned n_lanes;
  bool sources_come; /* some node has `each`: lanes wait for sources to come until the engine stops */
  atomic_int status; /* enum engine_status_rank */
  atomic_uint lanes_running;
  atomic_uint lanes_reading; /* those with a source that reads, or to which one may come */
  atomic_int program_status; /* evp_exit_status(): what to exit with if `status` has nothing to say */
  atomic_uint stop_requests; /* each is told once to the sources that read; those of items go on */
  atomic_int stop_signal; /* of the last request, as evp_plugin.interrupt is told of it */
  atomic_bool last_call; /* all else has come to rest: sources of items emit once more, and end */
  atomic_bool live; /* a live stream was connected: totals at the end are worth a line */
  atomic_bool abandoned; /* the time is up: lanes leave everything as it is */
  _Atomic uint64_t spool_until; /* monotonic, set before `abandoned`: sinks with a spool may fill it until then */
  struct control *control; /* NULL: nobody may ask; main thread */
  int wake_fd; /* eventfd: something for the main thread to look at */
  struct pollfd *polled; /* room for what the main thread waits for */
  int stop_fd; /* epoll of what follows, and at the very end of signals: readable once calls that wait should give up */
  int abandon_fd; /* eventfd */
  int timeout_fd; /* timerfd: the shutdown timeout of what is left when all is drained */
  uint64_t file_limit; /* of open files (RLIMIT_NOFILE), as it was when evpipe was started */
};

void engine_status(struct engine *, enum engine_status_rank);
void engine_wake(struct engine *); /* [any] the main thread looks again */
void engine_wake_lanes(struct engine *); /* [any] a queue has room again */
int engine_stop_fd(const struct engine *);
bool engine_stops_by(struct engine *, int fd); /* once this fd is readable, calls that wait give up */
/* Main thread: until the deadline (monotonic) or until there is news: a signal, a wake-up, a question to the control socket,
   and if it `looks_at_paths` a change there. True: a signal that ends evpipe came, and the lanes were told. */
bool engine_wait(struct engine *, int signal_fd, uint64_t deadline, bool looks_at_paths);

#endif
