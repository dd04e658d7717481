/* frames.h: bytes to frames of zstd, each of which is read without the ones before it.
 *
 * Owner    the caller; what is compressed is appended to a buffer of the caller's.
 * Threads  one at a time. Errors  false: no memory.
 */
#ifndef EVPIPE_RECORDER_FRAMES_H
#define EVPIPE_RECORDER_FRAMES_H

#include <evpipe.h>

struct frames;

int frames_best_level(void);
struct frames *frames_new(int level); /* NULL: no memory */
void frames_free(struct frames *); /* NULL is allowed */
bool frames_add(struct frames *, const void *data, size_t size, struct evp_buf *out);
bool frames_end(struct frames *, struct evp_buf *out); /* ends the frame, if there is anything in it */
size_t frames_open(const struct frames *); /* bytes in the frame that is not ended */
void frames_reset(struct frames *); /* forgets that frame */

#endif
