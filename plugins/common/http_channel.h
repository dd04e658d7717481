/* http_channel.h: server-sent events (text/event-stream): what is sent to a channel goes to all who read it.
 *
 * An event is encoded once and shared. What waits for one reader is bounded: if it reads too slowly, all that waits gives way
 * to one event `lost`, and what was thrown away is counted. Each reader is told `retry: 2000`, and gets a comment after
 * 15 s without an event, so that a connection that is gone is noticed.
 *
 * Owner    who made the channel; those that are left are freed when the server is stopped.
 * Threads  that of the server.
 */
#ifndef EVPIPE_COMMON_HTTP_CHANNEL_H
#define EVPIPE_COMMON_HTTP_CHANNEL_H

#include "http_server.h"

struct http_channel;
struct http_event; /* encoded, refcounted */

/* At most `max_readers` at once; for each at most `max_backlog` bytes wait. NULL: no memory (reported). */
struct http_channel *http_channel_new(struct http_server *, unsigned max_readers, size_t max_backlog);
/* Its readers get what waits for them, then the end. NULL is fine. */
void http_channel_free(struct http_channel *);

/* Answers the request with the channel's events, after a first one of its own (`name` NULL: none). Refuses with 503 if there
   are max_readers. */
void http_channel_join(
  struct http_channel *, struct http_request *, uint64_t id, const char *name, const void *data, size_t size);

/* Without readers nothing is encoded. `id` 0: none. False: no memory (reported); readers have lost the event. */
bool http_channel_send(struct http_channel *, uint64_t id, const char *name, const void *data, size_t size);

/* To send one event to several channels. NULL: no memory. */
struct http_event *http_event_new(uint64_t id, const char *name, const void *data, size_t size);
void http_channel_put(struct http_channel *, struct http_event *);
void http_event_unref(struct http_event *);

unsigned http_channel_readers(const struct http_channel *);
uint64_t http_channel_lost(const struct http_channel *); /* events that readers did not get, counted for each reader */

#endif
