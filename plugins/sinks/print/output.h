/* output.h: where print writes to: a file or standard output, through one large buffer.
 *
 * Owner    the instance. Threads  opened and closed on the main thread, else those of the sink's callbacks.
 * Errors   reported through the ctx, once; the status is that of the callback.
 */
#ifndef EVPIPE_PRINT_OUTPUT_H
#define EVPIPE_PRINT_OUTPUT_H

#include <evpipe.h>

struct output {
  struct evp_ctx *ctx;
  const char *path;
  int fd; /* -1: not open */
  bool ours; /* to be closed */
  bool over; /* the reader has left, or nothing can be written any more */
  struct evp_buf text; /* append here, whole lines */
};

enum { OUTPUT_ENOUGH = 256 * 1024 }; /* so much text is worth a write */

bool output_open(struct output *); /* false: reported */
/* Writes all that is there. OK; END: the reader has left; AGAIN: evpipe stops, and the reader does not read; ERROR. */
enum evp_status output_drain(struct output *);
/* What could not be written is lost, and said. */
void output_close(struct output *);

#endif
