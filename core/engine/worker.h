/* worker.h: a thread that can be waited for until a deadline. (pthread_clockjoin_np does that too, but the thread
 * sanitizer does not know it, and then takes everything after the join for a race.)
 *
 * Owner    whoever embeds it; started and joined by one thread.
 */
#ifndef EVPIPE_WORKER_H
#define EVPIPE_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t ended; /* on CLOCK_MONOTONIC */
  bool running; /* started and not joined */
  bool over; /* its function has returned; under the lock */
  void (*run)(void *);
  void *argument;
};

void worker_init(struct worker *);
void worker_free(struct worker *); /* it must not be running */
bool worker_start(struct worker *, void (*run)(void *), void *argument);
/* True: it is not running (any more). `deadline` is monotonic; 0: do not wait; UINT64_MAX: for ever. */
bool worker_join(struct worker *, uint64_t deadline);

/* For condition variables that are waited on until a monotonic deadline. */
void condition_init(pthread_cond_t *);
void condition_wait(pthread_cond_t *, pthread_mutex_t *, uint64_t deadline); /* UINT64_MAX: for ever */

#endif
