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
  pid_t pid; /* 0: none */
  int control; /* -1: let go */
};

bool keeper_start(struct keeper *, const struct fifo *); /* false, with errno */
/* The calling process is the program to be. */
bool keeper_tell(const struct keeper *);
/* From here on the keeper reads; when the program has ended, and nobody writes any more, it removes the FIFO and ends. */
void keeper_let_go(struct keeper *);
/* After that: takes its end note, waiting a moment for it if nothing keeps it. One that is still at it is left to init. */
void keeper_reap(struct keeper *);

#endif
