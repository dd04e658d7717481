/* lane.h: a thread that drives some of the sources. It gives a turn to those whose fd is ready, whose deadline has come,
 * that were asked for, or that a full queue held back: the others cost nothing.
 *
 * Owner    the engine; a source's seat is part of the source and of no use to anybody else.
 * Threads  sources come by lane_add() from the main thread and belong to the lane's thread from then on. One that leaves
 *          (source_leaves) when it is done is handed back through lane_take_left(); the others stay till the end.
 */
#ifndef EVPIPE_LANE_H
#define EVPIPE_LANE_H

#include "engine/deadlines.h"
#include "engine/worker.h"
#include <stdatomic.h>

struct engine;
struct lane;
struct source;

/* A source's place in its lane. */
struct seat {
  struct source *source;
  struct lane *lane; /* NULL: in none */
  struct seat *previous, *next; /* in the lane's list of all */
  int fd; /* that epoll watches; -1: none */
  uint32_t events;
  uint64_t connection; /* of the source: a new one is registered anew, even under the same number */
  bool readable; /* epoll said so */
  bool always; /* epoll can not watch it (a regular file): it is always readable */
  struct deadline deadline;
  bool queued; /* its turn comes in this round */
  struct seat *next_turn;
  bool seated; /* the lane has it */
  bool asked; /* in the mail; this and the next are under the lane's lock */
  struct seat *next_mail; /* or the next of those that left */
};

struct seats {
  struct seat *first, *last;
};

struct lane {
  struct engine *engine;
  unsigned n_sources; /* given to it and not taken back; of the main thread */
  int epoll_fd, wake_fd;
  struct worker worker;
  atomic_bool room; /* a queue has room again */
  pthread_mutex_t lock; /* of mail and left */
  struct seats mail; /* seats that are new or were asked for */
  struct seats left; /* handed back */

  /* Of the lane's thread. */
  struct seat *all;
  unsigned n_running, n_reading; /* seated and not done; those of them that read */
  bool read_over; /* said: nothing more will be read */
  struct seats turns; /* whose turn it is in this round */
  struct deadlines deadlines;
  unsigned told; /* requests to stop that the sources that read were told of */
  bool last_told; /* the last call, to those of items */
};

bool lane_init(struct lane *, struct engine *);
void lane_free(struct lane *);
bool lane_start(struct lane *);
bool lane_join(struct lane *, uint64_t deadline); /* false: still running at that monotonic time */

void lane_add(struct lane *, struct source *); /* [main] before or after it starts; not after the engine is stopping */
struct source *lane_take_left(struct lane *); /* [main] one that has left and is the caller's now; NULL: none */
void lane_ask(struct source *); /* [any] while the source is in a lane: gives it a turn soon */
/* [the lane's thread] The source's fd may be closed now: another thread may get the same number the next moment. */
void lane_forget_fd(struct source *);
void lane_wake(struct lane *); /* [any] what was blocked may go on, or the engine is stopping */

#endif
