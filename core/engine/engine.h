/* engine.h: runs a pipeline.
 *
 * Threads  engine_run() is called on the main thread and returns when all is over. It starts the lanes, one thread for
 *          each sink, and one more for each sink that delivers.
 */
#ifndef EVPIPE_ENGINE_H
#define EVPIPE_ENGINE_H

#include "config/pipeline.h"

/* Calls create() (and destroy()) of every sound node, as --check does: plugins know that nothing will follow. The pipeline
   may be broken: so the user is told at once what is wrong elsewhere. Errors go to `diagnostics`. False if there was one. */
bool engine_check(const struct pipeline *, struct diagnostics *);

/* Runs it until its sources are done or a signal ends it; the exit status of DESIGN 9, without 2 but for create(). */
int engine_run(const struct pipeline *, struct diagnostics *);

#endif
