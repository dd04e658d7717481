/* summary.h: `format: summary`: what people want to see of each source: is it there, how many events come, the sizes of
 * its heap and how they change, the last census.
 *
 * Any metric is shown as a row, added up over its labels; a census is shown as its largest bands. Memory is bounded,
 * whatever comes: sources, rows, series and bands beyond the limits below are left out, and counted.
 *
 * Owner    the instance of print. Threads  its callbacks. Errors  false: no memory.
 */
#ifndef EVPIPE_PRINT_SUMMARY_H
#define EVPIPE_PRINT_SUMMARY_H

#include "output.h"

#define SUMMARY_INTERVAL UINT64_C(1000000000) /* between two paintings, ns */

struct summary;

struct summary *summary_new(void);
void summary_free(struct summary *);

bool summary_begin(struct summary *, const struct evp_stream *);
void summary_end(struct summary *, const struct evp_stream *);
bool summary_add(struct summary *, const struct evp_batch *);

/* Appends the picture of now, and remembers what it showed; `now` is monotonic. */
bool summary_paint(struct summary *, struct output *, uint64_t now);
/* The last picture, unless it was shown already; the cursor is left below it. */
void summary_finish(struct summary *, struct output *);

#endif
