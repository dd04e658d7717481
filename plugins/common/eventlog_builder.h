/* eventlog_builder.h: a valid eventlog again, from the events of a stream: all of them, or what a filter let pass.
 *
 *   header   the event types of the stream, sizes and descriptions as declared; the block marker if the stream has none
 *   events   a block for each run of events of one capability, in the order given, so that what was put in order stays so;
 *            events of no capability lie in blocks of no capability (0xffff), as GHC's do
 *   end      the end marker
 *
 * The header, any number of batches and the end, appended one after another, are an eventlog. Each batch's blocks are
 * closed in themselves: nothing is held back from one call to the next, and there is no state.
 *
 * What differs from the bytes that came: block markers among the events are left out, for the blocks are new ones; a
 * type 169 whose length lied (GHC 9.6, 9.10) gets the true one. GHC 6.12's wrong sizes stay in the header, where readers
 * know that version by them, and its events keep their true ones.
 *
 * Owner    the caller owns the buffer.
 * Threads  one at a time for each buffer.
 * Errors   false: no memory. What was appended before stays; cut it off by setting `size` back.
 */
#ifndef EVPIPE_COMMON_EVENTLOG_BUILDER_H
#define EVPIPE_COMMON_EVENTLOG_BUILDER_H

#include <evpipe.h>

enum { EVENTLOG_END_SIZE = 2 }; /* of the end marker */

/* To be called when the stream's types are known: with its first batch, or at its end. Without types: a bare header. */
bool eventlog_builder_header(struct evp_buf *, const struct evp_stream *);
/* The selected events of a batch. `*unwritable` grows by those that have no place in this eventlog: of a type that the
   header does not declare, or with another size than it declares. */
bool eventlog_builder_events(struct evp_buf *, const struct evp_batch *, uint64_t *unwritable);
bool eventlog_builder_end(struct evp_buf *);

#endif
