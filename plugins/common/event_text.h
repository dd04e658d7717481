/* event_text.h: events as text (what `ghc-events show` prints) and as JSON. Driven by the event catalogue.
 *
 * Owner    the caller's buffer. Threads: one at a time for each buffer.
 * Errors   false: no memory; what was appended of the event so far stays.
 *
 * An event that the catalogue does not know, or whose payload is none of the known layouts, is printed as the description
 * that the stream's header gives its type, as ghc-events does. Text that is not UTF-8 gets U+FFFD for each bad byte.
 */
#ifndef EVPIPE_COMMON_EVENT_TEXT_H
#define EVPIPE_COMMON_EVENT_TEXT_H

#include <evpipe.h>

/* The table of event types, up to and with the line "Events:". ghc-events prints one more newline after the last event. */
bool event_types_append(struct evp_buf *, const struct evp_stream *);

/* "TIME: [cap N: ]TEXT" and a newline. */
bool event_text_append(struct evp_buf *, const struct evp_stream *, const struct evp_event *);

/* {"time":ns,"cap":0,"type":51,"name":"HEAP_LIVE","fields":{"capset":0,"bytes":46280}} and a newline. "cap" and "name"
   may be null. A field that is coded as a number has its word beside it ("breakdown_name"). In place of "fields" an
   event that can not be read has "description", and its bytes in "payload", each as the character of that number. */
bool event_json_append(struct evp_buf *, const struct evp_stream *, const struct evp_event *);

#endif
