/* run_times.h: where the times of a run lie in its program's history: a break where it begins, history that begins anew, times
 * that are not believed.
 *
 * Owner    the run. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_RUN_TIMES_H
#define EVPIPE_DASHBOARD_RUN_TIMES_H

#include "run.h"

void run_now(
  struct run *, const struct evp_batch *, uint64_t reach); /* before a batch; history reaches back by `reach` */
/* The first time of a batch, before anything of it is taken. */
void run_begin_times(struct run *, int64_t time);
/* Each time that is taken, before it is. */
void run_note_time(struct run *, int64_t time);

#endif
