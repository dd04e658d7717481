/* setup.h: from a checked pipeline to an engine that can be started, and the end of it: memory and file descriptors, each
 * node's create(), who owns which instance, which lane has which source.
 *
 * Owner    engine_run(). Threads: the main thread, before all others begin and after they have ended.
 * Errors   of options and of create() go to the diagnostics; what else is missing (memory, descriptors) is logged.
 */
#ifndef EVPIPE_SETUP_H
#define EVPIPE_SETUP_H

#include "engine/engine_state.h"

struct engine *setup_new(const struct pipeline *); /* NULL: no memory or descriptors */
void setup_free(struct engine *);

/* Every sound node's create(), so that all errors are shown at once. A filter's is a trial: it says what it wants.
   `instances` has room for one of each node, and gets NULL where there was an error. False if there was one. */
bool setup_create(struct engine *, struct evp_ctx **instances, bool checking, struct diagnostics *);
/* Hands the instances to their owners; that of a filter, or of a source with `each`, was a trial and goes. False: no
   memory, or an instance was missing. */
bool setup_adopt(struct engine *, struct evp_ctx **instances);
void setup_discard(struct evp_ctx *); /* an instance that nobody adopts */
bool setup_lanes(struct engine *); /* makes them, and gives them their sources; false: no memory */

#endif
