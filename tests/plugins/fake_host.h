/* fake_host.h: a host small enough to see through, for tests of a filter or of plugins/common without the engine.
 *
 * It is strict where the contract is: payloads lie in memory of exactly their size, what a plugin keeps without
 * evp_batch_ref() is freed under it, and evp_batch_ref() may return a compact copy (fake_compact). What a filter emits is
 * copied when the callback returns. Link it with the plugin's sources, not with core.
 */
#ifndef EVPIPE_FAKE_HOST_H
#define EVPIPE_FAKE_HOST_H

#include <evpipe.h>

/* A log or a made-up list of events: of one stream, in the order of the file. */
struct fake_log {
  struct evp_stream *stream;
  struct evp_event *events;
  size_t n, capacity;
};

/* Reads the header and the records of a sound eventlog (IPE's wrong length put right); exits the test if it can not. */
struct fake_log *fake_log_read(const char *path);
/* An empty log of a stream that declares `types` (borrowed). */
struct fake_log *fake_log_new(const struct evp_event_type *types, size_t n_types, uint32_t dialect);
void fake_log_add(
  struct fake_log *, uint64_t time, uint16_t type, uint16_t cap, uint16_t flags, const void *data, uint16_t size);
void fake_log_free(struct fake_log *);
void fake_log_set_live(struct fake_log *, bool live);

/* One instance of a filter. */
struct fake_filter {
  const struct evp_plugin *plugin;
  void *self;
  struct fake_log *output; /* what it emitted, its stream is that of the input */
  uint64_t late; /* sum of evp_late() */
  uint64_t tick_every; /* the last evp_tick_every() */
  uint64_t most_emitted; /* events that one call emitted at the most */
  size_t n_wanted;
  uint16_t wanted[256]; /* evp_want_event(), in order */
  char option_error[512]; /* the last evp_option_error(), "KEY: TEXT" */
  char error[512]; /* the last evp_error() */
};

/* Options: set before fake_filter_create() by key, as the binder would (numbers: bool, int, size, duration). */
struct fake_filter *fake_filter_new(const struct evp_plugin *, struct fake_log *input);
void fake_filter_number(struct fake_filter *, const char *key, uint64_t value);
void fake_filter_strings(struct fake_filter *, const char *key, const char *const *items, size_t n);
enum evp_status fake_filter_create(struct fake_filter *);
/* Hands it events [from, to) as one batch and calls more() as long as it says AGAIN; the status of the last call. */
enum evp_status fake_filter_map(struct fake_filter *, const struct fake_log *input, size_t from, size_t to);
enum evp_status fake_filter_tick(struct fake_filter *, uint64_t now);
enum evp_status fake_filter_end(struct fake_filter *);
/* Calls select() for events [from, to); the kept ones go to the output. */
void fake_filter_select(struct fake_filter *, const struct fake_log *input, size_t from, size_t to);
void fake_filter_free(struct fake_filter *);

extern bool fake_compact; /* evp_batch_ref() returns a copy */
extern size_t fake_batches; /* alive: 0 when nothing leaks */
extern int fake_full_after; /* evp_emit_events() and evp_batch_ref() fail after so many calls; -1: never */

#endif
