/* item_text.h: metrics and logs as text: a line for people (`show`), or an object a line (`json`). For events there is
 * event_text.h.
 *
 *   2026-11-24T01:48:59.123456789Z ghc_heap_live_bytes{service="oddball"} 46280 bytes
 *   2026-11-24T01:48:59.123456789Z info user_marker{service="oddball"} cap 0: Summing 17 numbers
 *   {"time":1795485839123456789,"name":"ghc_heap_live_bytes","kind":"gauge","unit":"bytes","labels":{...},"value":46280}
 *   {"time":1795485839123456789,"name":"user_marker","severity":"info","service":"oddball",...,"message":"Summing..."}
 *
 * Threads  any; nothing is kept. Errors  false: no memory.
 */
#ifndef EVPIPE_COMMON_ITEM_TEXT_H
#define EVPIPE_COMMON_ITEM_TEXT_H

#include <evpipe.h>

bool metric_show_append(struct evp_buf *, const struct evp_metric *);
bool metric_json_append(struct evp_buf *, const struct evp_metric *);
bool log_show_append(struct evp_buf *, const struct evp_stream *, const struct evp_log *);
bool log_json_append(struct evp_buf *, const struct evp_stream *, const struct evp_log *);

#endif
