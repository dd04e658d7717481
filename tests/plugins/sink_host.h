/* sink_host.h: enough of evpipe to call one instance of a source or a sink, and to see what it says.
 *
 * What it says is kept as text, a line each, in order:
 *
 *   warn the text / error the text / info the text / option url: the text / drop 3 not_finite / incomplete
 *
 * The test calls the plugin's callbacks itself. (fake_host.h is for filters that pass events on, metric_host.h for those
 * that make metrics and logs.)
 */
#ifndef EVPIPE_SINK_HOST_H
#define EVPIPE_SINK_HOST_H

#include <evpipe.h>

struct sink_host {
  const struct evp_plugin *plugin;
  void *self;
  char *values;
  struct evp_buf said; /* NUL-terminated */
  uint32_t input_signals; /* set before sink_host_create() */
  int stop_fd; /* -1 */
  uint64_t timeout, tick_every;
  bool can_wait, recorded;
  bool wants_prologue, wants_secrets;
  int watched; /* the fd of the last evp_watch() */
  int64_t modified;
};

/* An instance with its options, not yet created. `plugin` may be NULL, for tests of what plugins share. */
struct sink_host *sink_host_new(const struct evp_plugin *plugin, const char *options);
enum evp_status sink_host_create(struct sink_host *);
void sink_host_free(struct sink_host *); /* destroys the instance */
struct evp_ctx *sink_host_ctx(struct sink_host *);
const char *sink_host_said(const struct sink_host *);
void sink_host_forget(struct sink_host *); /* what was said */

/* A stream, with what the evp_stream_...() functions say. */
struct sink_host_stream {
  const char *source, *service, *program, *rts;
  uint32_t pid;
  bool live;
  size_t n_types;
  const struct evp_event_type *types;
  int64_t begin_time;
  uint32_t dialect;
  enum evp_stream_state state;
  struct evp_stream_end end;
  int references;
  void *local; /* memory of stream_size bytes, the test's */
  const uint8_t *prologue; /* what evp_prologue_read() reads */
  uint64_t prologue_size;
  const struct evp_secret *secrets; /* in it */
  uint32_t n_secrets;
  const struct evp_label *labels; /* what evp_stream_labels() says */
  size_t n_labels;
};
const struct evp_stream *sink_host_stream(struct sink_host_stream *);

/* A batch of metrics or logs of which all are selected, n <= 64. */
struct sink_host_batch {
  struct evp_batch batch;
  uint16_t sel[64];
};
extern int sink_host_batches; /* kept with evp_batch_ref() and not let go */
const struct evp_batch *sink_host_batch(
  struct sink_host_batch *, enum evp_signal, const struct evp_stream *, const void *items, uint32_t n);

#endif
