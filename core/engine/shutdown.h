/* shutdown.h: how the engine's threads end: in order, with what was read delivered first, or at once.
 *
 * In order: the sources stop, what they read goes through the filters to the sinks, sources of items tell their totals,
 * sinks write and deliver what they have. How long that may take is `shutdown_timeout`; then, as when the start fails, all
 * are told to leave everything as it is.
 *
 * Threads  the main thread. Both return when every thread has ended, or end the process if one never comes back.
 */
#ifndef EVPIPE_ENGINE_SHUTDOWN_H
#define EVPIPE_ENGINE_SHUTDOWN_H

#include "engine/engine_state.h"

/* The lanes have been told to stop, `by_signal` or because all is read. A signal that comes meanwhile counts. */
void shutdown_in_order(struct engine *, int signal_fd, bool by_signal);
void shutdown_at_once(struct engine *);

#endif
