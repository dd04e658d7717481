/* fifo.h: the FIFO that the program writes its eventlog into, in a private directory of its own.
 *
 * Owner    the instance, and by fork() the keeper.
 * Errors   false, with errno.
 * Forked   all but fifo_make() make system calls only, so that a child of a process with threads may use them.
 */
#ifndef EVPIPE_EXEC_FIFO_H
#define EVPIPE_EXEC_FIFO_H

#include <stdbool.h>

enum { FIFO_DIRECTORY = 200 };

struct fifo {
  char directory[FIFO_DIRECTORY], path[FIFO_DIRECTORY + 16]; /* empty: not there */
  int fd; /* its read end, non-blocking; -1: not open */
};

/* Below XDG_RUNTIME_DIR, or /tmp if that is not set or can not be written to; then opens it. */
bool fifo_make(struct fifo *);
/* After the last writer has gone poll() would say so for ever: waits for the next one. The new read end is there before the
   old one goes, so that nothing is lost and a writer never is without a reader. */
bool fifo_reopen(struct fifo *);
/* The names go, the read end stays. */
void fifo_remove(struct fifo *);
void fifo_close(struct fifo *);

#endif
