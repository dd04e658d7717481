/* keeper.h: a small process that waits beside evpipe, and reads the program's eventlog to nowhere when evpipe does not.
 *
 * The run-time system holds the FIFO open itself: a full one without a reader would stop the program for ever. The keeper
 * has the read end from before the program starts, learns of the program from that itself (keeper_tell), and knows that
 * evpipe is gone, or has let go, by the end of a socket that only evpipe holds.
 *
 * Owner    the instance. Threads  main thread; keeper_tell() in the forked child that becomes the program.
 */
#ifndef EVPIPE_EXEC_KEEPER_H
#define EVPIPE_EXEC_KEEPER_H

#include "fifo.h"
#include <sys/types.h>

struct keeper {
  int control; /* -1: none, or not ours any more */
};

bool keeper_start(struct keeper *, const struct fifo *); /* false, with errno */
/* The calling process is the program to be. */
bool keeper_tell(const struct keeper *);
/* From here on the keeper reads; when the program has ended, and nobody writes any more, it removes the FIFO and ends. */
void keeper_let_go(struct keeper *);
/* After that: with `wait`, waits a moment for its end. It is no child of evpipe, which has nothing else to do with it. */
void keeper_forget(struct keeper *, bool wait);

#endif
