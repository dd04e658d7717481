/* watermark.h: up to which time a stream is complete, from its block markers.
 *
 * GHC has a buffer for each capability and one for what belongs to none; each is written as blocks, in order, and each
 * block says when it ended. All that is older than the oldest of the newest complete blocks' ends is there.
 *
 * Owner    the filter's instance; its thread. Errors: false: no memory.
 */
#ifndef EVPIPE_SORT_WATERMARK_H
#define EVPIPE_SORT_WATERMARK_H

#include <evpipe.h>

struct watermark_buffer {
  bool known; /* takes part */
  uint64_t end; /* of its newest complete block */
};

struct watermark {
  struct watermark_buffer *buffers; /* by capability; the one of no capability is `global` */
  size_t n_buffers;
  struct watermark_buffer global;
  bool open; /* a block was begun: it is complete when the next one begins */
  uint16_t open_cap;
  uint64_t open_end;
  bool stale; /* `time` is to be found anew */
  uint64_t time;
};

void watermark_clear(struct watermark *);

/* Takes notice of an event, in the order of the stream: block markers, and what creates and deletes capabilities. */
bool watermark_see(struct watermark *, uint32_t dialect, const struct evp_event *);

/* Everything before this time has come. */
uint64_t watermark_time(struct watermark *);

#endif
