/* program_info.h: the metric ghc_program_info {program, pid, rts} 1: what runs behind a stream.
 *
 * No other series carries what is learnt from the stream, so that a restarted program continues them; this one names
 * the run. It is emitted once all facts are known, or five seconds (of event time) after the first of them: GHC 9.0
 * sends neither pid nor arguments to a socket. When the stream ends it is taken back as 0.
 *
 * Owner    a filter's instance, thus one stream. Threads: those of the filter.
 */
#ifndef EVPIPE_COMMON_PROGRAM_INFO_H
#define EVPIPE_COMMON_PROGRAM_INFO_H

#include <evpipe.h>

struct program_info {
  const struct evp_stream *stream; /* ours; NULL before the first batch */
  const struct evp_series *series; /* what is shown now */
  unsigned shown; /* the facts in it */
  bool seen; /* any fact */
  uint64_t first_time; /* when the first was seen */
};

void program_info_want(struct evp_ctx *); /* in create */
/* At the end of map. */
enum evp_status program_info_map(
  struct program_info *, struct evp_ctx *, const struct evp_batch *, uint64_t time, struct evp_out *);
/* In end; `time` is later than all that was emitted. */
enum evp_status program_info_end(struct program_info *, struct evp_ctx *, uint64_t time, struct evp_out *);
void program_info_free(struct program_info *); /* in destroy */

#endif
