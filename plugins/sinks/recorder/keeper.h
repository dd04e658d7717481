/* keeper.h: keeps at most so many files, or bytes, of those that a path's pattern matches; the oldest go.
 *
 * A file that somebody writes (it is locked), that is no regular file, or whose name does not match is never deleted.
 *
 * Owner    the instance. Threads  one at a time.
 */
#ifndef EVPIPE_RECORDER_KEEPER_H
#define EVPIPE_RECORDER_KEEPER_H

#include <evpipe.h>

struct keeper;

/* `path`: with placeholders in its last part only. 0: as many as there are. NULL: no memory. */
struct keeper *keeper_new(const char *path, uint64_t max_files, uint64_t max_size, struct evp_ctx *);
void keeper_free(struct keeper *); /* NULL is allowed */
void keeper_tidy(struct keeper *); /* what goes wrong is reported */

#endif
