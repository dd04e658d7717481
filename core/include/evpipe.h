/* evpipe.h: the contract between evpipe and its plugins. Plain C11, also C++17. Nothing else is needed to write one.
 *
 * Ownership  What a callback is handed is borrowed until it returns. evp_batch_ref() and evp_stream_ref() keep it
 *            longer, from any thread. What was emitted is frozen. Option values live until destroy() has returned.
 * Threads    At most one call at a time into an instance, on one thread, but for deliver() and unseal(), which run on a
 *            thread of their own beside the others.
 *            create, start, stop, destroy of sources and sinks: main thread. Host functions marked [any] may be
 *            called from any thread, the others only from inside a callback of the instance that owns the ctx.
 * Growth     (a) struct evp_plugin, evp_batch, evp_series, evp_message, evp_delivery, evp_gap are only
 *            ever reached by pointer: they grow at the end. (b) What lies in arrays is FROZEN for ABI 1 and never
 *            changes size: evp_event, evp_metric, evp_log, evp_label, evp_event_type, evp_option, evp_secret. (c) The rest is opaque.
 *            A plugin of another abi is refused; one of a larger size only if what the core does not know is not zero.
 */
#ifndef EVPIPE_H
#define EVPIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVP_ABI 1u

#if defined __GNUC__
#define EVP_EXPORT __attribute__((visibility("default")))
#define EVP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define EVP_EXPORT
#define EVP_PRINTF(text, first)
#endif

struct evp_ctx; /* the host's side of one instance; handed to create(), valid until destroy() returns */
struct evp_stream; /* one run of one program, header to end; identity is fixed, facts are learnt; refcounted */
struct evp_out; /* where a filter or an item source emits; only inside the call that was given it */

/* ------------------------------------------------------------------------------------------------- words */

enum evp_signal { /* bits; a batch has exactly one */
  EVP_BYTES = 1,
  EVP_EVENTS = 2,
  EVP_METRICS = 4,
  EVP_LOGS = 8,
  EVP_SPANS = 16,
  EVP_PROFILES = 32 /* reserved */
};
enum evp_kind { EVP_SOURCE = 1, EVP_FILTER = 2, EVP_SINK = 3 };

/* What each status means for each callback is the table at struct evp_plugin. */
enum evp_status { EVP_OK = 0, EVP_END = 1, EVP_AGAIN = 2, EVP_REJECT = 3, EVP_ERROR = -1 };

/* -------------------------------------------------------------------------------------------------- items */

#define EVP_NO_CAP 0xffffu /* of evp_event.cap and evp_log.cap: from no capability */
#define EVP_NEVER UINT64_MAX /* a duration given as `never` or `none` */

enum evp_event_flag {
  EVP_EVENT_VARIABLE = 1, /* this stream declares the type as of variable size: a u16 length precedes the payload */
  EVP_EVENT_MALFORMED = 2, /* the payload is shorter than every known layout of the type */
  EVP_EVENT_RESYNC = 4 /* something damaged was skipped before this event */
};

struct evp_event { /* FROZEN, 24 bytes */
  uint64_t time; /* ns since the program started */
  const uint8_t *data; /* payload, big endian; lives as long as its batch */
  uint16_t size; /* true payload bytes (corrected for GHC 6.12's sizes and type 169), not the declared ones */
  uint16_t type;
  uint16_t cap; /* that of the block; EVP_NO_CAP if none */
  uint16_t flags; /* set of evp_event_flag; unknown bits are to be ignored */
};

struct evp_label {
  const char *key, *value;
}; /* FROZEN; UTF-8, no NUL inside, sanitised by the core, never empty */

enum evp_metric_kind { EVP_GAUGE = 1, EVP_COUNTER = 2, EVP_HISTOGRAM = 3 };
enum evp_value_type { EVP_INT64 = 1, EVP_DOUBLE = 2, EVP_BUCKETS = 3 };

/* A time series: interned once, named by pointer. It lives as long as any batch that names it. Its id is never used
   again in this process, so a sink may cache what it derives from a series under the id. */
struct evp_series {
  uint64_t id;
  const char *name, *unit, *help; /* Prometheus conventions; unit "bytes", "seconds" or "" */
  uint16_t kind, type; /* evp_metric_kind; evp_value_type, the same for every item of the series */
  uint32_t n_labels;
  const struct evp_label *labels; /* those of the stream included; sorted by key */
  int64_t start; /* counters and histograms: Unix ns since when they count */
  uint32_t n_bounds; /* histograms: upper bounds, ascending, without +Inf */
  const double *bounds;
};

struct evp_buckets {
  uint64_t count;
  double sum;
  const uint64_t *counts; /* n_bounds + 1, not summed up */
};

enum evp_metric_flag {
  EVP_METRIC_LAST = 1, /* the series ends with this item, and begins anew if there is another one. Set by the core after
                          evp_series_end(), or by who emits: so a series that may come again can be kept */
  EVP_METRIC_ESTIMATED = 2 /* no wall clock event was seen: the time is estimated */
};

struct evp_metric { /* FROZEN, 32 bytes */
  int64_t time; /* Unix ns */
  const struct evp_series *series;
  union {
    int64_t i;
    double d;
    const struct evp_buckets *buckets;
  } value; /* by series->type */
  uint32_t flags, reserved;
};

enum evp_severity { EVP_TRACE = 1, EVP_DEBUG = 5, EVP_INFO = 9, EVP_WARN = 13, EVP_FAILURE = 17 }; /* OpenTelemetry's */

struct evp_log { /* FROZEN, 64 bytes */
  int64_t time; /* Unix ns */
  const char *name; /* what it is: "user_message", "user_marker", "thread_label", "rts_log" */
  const char *body; /* UTF-8, may hold NUL; also NUL-terminated */
  uint32_t body_size;
  uint16_t severity, cap;
  const struct evp_label *attributes;
  uint32_t n_attributes, flags;
  uint64_t thread, reserved;
};

/* ------------------------------------------------------------------------------------------------ batches */

enum evp_batch_flag {
  EVP_BATCH_MORE = 1, /* the next batch of this origin belongs to the same group (a census): kept or dropped together */
  EVP_BATCH_LEADING = 2, /* bytes in front of the header, of no stream's grammar */
  EVP_BATCH_FRAMED = 4, /* bytes: the framing is known, so `sync` can be trusted */
  EVP_BATCH_ENDED = 8 /* bytes: the end marker has come, in this batch or before */
};

enum evp_secret_kind { EVP_ARGUMENTS = 1, EVP_ENVIRONMENT = 2 }; /* bits */

/* Where the program's arguments or its environment lie: strings that each end with a NUL, without the capset in front. */
struct evp_secret { /* FROZEN, 16 bytes */
  uint64_t offset; /* in a batch an index into its bytes, in the prologue the offset there */
  uint32_t size;
  uint32_t kind; /* enum evp_secret_kind */
};

struct evp_batch { /* immutable, shared by all who get it */
  uint32_t signal, flags;
  const struct evp_stream *stream; /* never NULL */
  const char *origin; /* name of the node that made it */
  union {
    const void *items;
    const struct evp_event *events;
    const struct evp_metric *metrics;
    const struct evp_log *logs;
    const uint8_t *bytes;
  };
  const uint16_t *sel; /* indices of the selected items, ascending; never NULL, but for bytes always */
  uint32_t n; /* items selected; of bytes: their number */
  uint32_t sync; /* bytes: index of the first block marker (or header) a reader can begin at; n if none */
  uint64_t offset; /* bytes: place of bytes[0] in the stream */
  uint64_t prologue; /* length of the stream's prologue before the first item, of bytes before bytes[sync]: see
                        evp_prologue_read */
  int64_t epoch; /* Unix ns of event time 0, the same for the whole batch */
  /* Bytes, if somebody wants it (evp_want_secrets): where secrets lie in them, ascending; a record that is cut has its
     part in each of the batches. They can be relied on only with EVP_BATCH_FRAMED. */
  const struct evp_secret *secrets;
  uint32_t n_secrets;
  /* Bytes, where records are walked (evp_want_prologue()): what somebody needs to know who ends a copy here. */
  uint64_t whole; /* place in the stream up to which, as of this batch, all records are whole and no record is begun */
  uint64_t block; /* place of the marker of the block that is not over at `whole`; UINT64_MAX: none is open */
  uint64_t prologue_end; /* bytes: the prologue's length behind the last byte, for who comes while nothing else does */
};

static inline int64_t evp_unix_time(const struct evp_batch *batch, uint64_t event_time)
{
  return batch->epoch + (int64_t)event_time;
}

/* [any] Keeps a batch beyond the call: go on with what it returns, which may be a compact copy of a batch that used
   little of the memory it lay in. NULL: no memory (reported). */
const struct evp_batch *evp_batch_ref(const struct evp_batch *);
void evp_batch_unref(const struct evp_batch *); /* [any] */

struct evp_gap { /* what a sink did not get, told before the next batch of that stream */
  const struct evp_stream *stream;
  uint32_t signal;
  uint64_t items; /* after a gap in bytes the next batch has sync < n: begin there */
};

/* ------------------------------------------------------------------------------------------------ streams */

struct evp_event_type { /* FROZEN, 24 bytes */
  uint16_t number, size; /* size as declared; 0xffff: variable */
  uint32_t reserved;
  const char *description;
  const char *name; /* the catalogue's, "HEAP_LIVE"; NULL: unknown to this evpipe */
};

enum evp_stream_state {
  EVP_STREAM_OPEN = 0,
  EVP_STREAM_COMPLETE = 1, /* its end marker was seen */
  EVP_STREAM_CUT = 2, /* the input ended without one */
  EVP_STREAM_DAMAGED = 3 /* something was skipped */
};

struct evp_stream_end { /* where a stream ended; grows at its end */
  uint64_t whole; /* place up to which all records are whole: behind it one is cut, if anything is there */
  uint64_t block; /* place of the marker of the block that is not over there; UINT64_MAX: none is open */
  bool marker; /* the end marker was seen */
};

const struct evp_stream *evp_stream_ref(const struct evp_stream *); /* [any] */
void evp_stream_unref(const struct evp_stream *); /* [any] */
uint64_t evp_stream_id(const struct evp_stream *); /* [any] unique over restarts of evpipe: start time and counter */
const char *evp_stream_source(const struct evp_stream *); /* [any] name of the source node */
const char *evp_stream_label(const struct evp_stream *, const char *key); /* [any] NULL if there is none */
/* [any] All labels; they live as long as the stream. */
const struct evp_label *evp_stream_labels(const struct evp_stream *, size_t *n);
int64_t evp_stream_begin_time(const struct evp_stream *); /* [any] Unix ns at which evpipe got the first byte */
bool evp_stream_live(const struct evp_stream *); /* [any] false: replayed from a file, time is not now */
/* Facts, learnt from the stream, each once: NULL or 0 until then. [any] */
const char *evp_stream_program(const struct evp_stream *);
const char *evp_stream_rts(const struct evp_stream *);
uint32_t evp_stream_pid(const struct evp_stream *);
enum evp_stream_state evp_stream_state(const struct evp_stream *); /* [any] */
/* [any] Of a stream of bytes whose records are walked (as for evp_batch.whole); false as long as its state is OPEN. What
   the last batch said is less: only the end decides about records that nothing follows. */
bool evp_stream_where_ended(const struct evp_stream *, struct evp_stream_end *);
/* [any] For evpipe/events.h: which coding of what varies by stream. */
uint32_t evp_stream_dialect(const struct evp_stream *);
/* [any] A type that the stream's header declares, NULL if it does not; all of them, in the header's order. */
const struct evp_event_type *evp_stream_event_type(const struct evp_stream *, uint16_t number);
const struct evp_event_type *evp_stream_event_types(const struct evp_stream *, size_t *n);
/* The prologue is an append-only eventlog: the header, then every defining record, in blocks of its own. Its first
   batch->prologue bytes make everything from that batch on readable. Copies at most `size` bytes from `offset`
   (not past `end`) and says how many; the data may come from disk. [any] */
size_t evp_prologue_read(const struct evp_stream *, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size);
/* [any] Where secrets lie in the prologue's bytes [begin, end): copies at most n, ascending, whole, and says how many. If
   these were n, ask again from behind the last. */
uint32_t evp_prologue_secrets(
  const struct evp_stream *, uint64_t begin, uint64_t end, struct evp_secret *secrets, uint32_t n);
/* Memory of evp_plugin.stream_size bytes that a sink has for each stream: zeroed before stream_begin, freed after
   stream_end. */
void *evp_stream_local(struct evp_ctx *, const struct evp_stream *);
/* Queue a command of eventlog-socket's protocol for the program. [any] EVP_OK: queued; EVP_REJECT: can not be controlled
   (the source is not `controllable`), the name has not 1 to 255 bytes, or 64 commands wait already; EVP_END: the stream
   is over. There is no reply: whether the program understood is not known. */
enum evp_status evp_control(const struct evp_stream *, const char *name_space, uint8_t command);
bool evp_stream_controllable(const struct evp_stream *); /* [any] */

/* ------------------------------------------------------------------------------------- reporting, the node */

/* [any] One line each in the log, with the node's name and place; all are rate-limited. */
void evp_error(struct evp_ctx *, const char *format, ...) EVP_PRINTF(2, 3);
void evp_warn(struct evp_ctx *, const char *format, ...) EVP_PRINTF(2, 3);
void evp_info(struct evp_ctx *, const char *format, ...) EVP_PRINTF(2, 3);
void evp_debug(struct evp_ctx *, const char *format, ...) EVP_PRINTF(2, 3);
/* In create: shown at the value of that key ("tls.ca_file" for one in a group), or at the node's name if it is not
   there; then return EVP_ERROR. */
void evp_option_error(struct evp_ctx *, const char *key, const char *format, ...) EVP_PRINTF(3, 4);
/* [any] Items it took and could not pass on; `reason` is a word of a small, fixed set. */
void evp_drop(struct evp_ctx *, uint64_t items, const char *reason);
const char *evp_node_name(struct evp_ctx *); /* [any] */
bool evp_checking(struct evp_ctx *); /* create() of --check, or of what is wrong elsewhere: no start() will follow */
uint32_t evp_input_signals(struct evp_ctx *); /* [any] set of evp_signal that the pipeline's edges bring to this node */
uint64_t evp_timeout(struct evp_ctx *); /* [any] the node's `timeout` key, ns: how long a request may take */
/* [any] A source's `silence` key: after how many ns it is to say why nothing comes, or EVP_NEVER. */
uint64_t evp_silence_after(struct evp_ctx *);
/* [any] The node goes on, but something that it was to keep is lost for good: evpipe's exit status will be 1. Reported and
   counted by the caller. */
void evp_incomplete(struct evp_ctx *);
/* In start, sinks that serve what they have got: evpipe does not end with its sources, but goes on until it is told to stop, or
   this sink fails or ends. */
void evp_stay(struct evp_ctx *);
/* [any] The soft limit of open files with which evpipe was started, and may have raised for itself: for who starts programs. */
uint64_t evp_file_limit(struct evp_ctx *);
int evp_stop_fd(struct evp_ctx *); /* [any] readable once calls that wait should give up: poll it beside your own fd */

/* In create: what to be given. A sink, or a filter that emits no events: exactly the types it named, and without a
   call every type. A filter that passes events on: what those behind it want, and the types it named besides; what
   it named for itself alone does not reach those behind it. */
#define EVP_EVERY_EVENT 0xffffu
void evp_want_event(struct evp_ctx *, uint16_t type);
/* In create, a filter that passes events on: only these types pass, whatever those behind it want, so that nobody in
   front decodes the others for them. Without a call: every type. */
void evp_pass_event(struct evp_ctx *, uint16_t type);
void evp_want_prologue(struct evp_ctx *);
/* In create, sinks of bytes: have batches say where secrets lie in them. */
void evp_want_secrets(struct evp_ctx *);
/* In start or later: have tick() called; 0 ends it. */
void evp_tick_every(struct evp_ctx *, uint64_t nanoseconds);
/* In start or later, sinks and item sources: have ready() called when fd (an epoll fd for many) is readable; -1 ends it. */
void evp_watch(struct evp_ctx *, int fd);
/* In connect, sources: does the producer wait for us harmlessly (a regular file), or must it always be drained?
   Without a call: it must be drained. */
void evp_source_can_wait(struct evp_ctx *, bool);
/* In connect, sources: what comes was recorded, its time is not now. `modified` is the Unix time in ns at which the
   recording was last written, 0 if that is not known. Without a call the stream is live. */
void evp_source_recorded(struct evp_ctx *, int64_t modified);
/* [any] Sources that run a program: what it ended with. evpipe exits with it, 0 to 255, if its own status is 0; of several
   the first that is not 0. */
void evp_exit_status(struct evp_ctx *, int status);
/* Filters: events that came too late to be put in order, and were passed on out of order. */
void evp_late(struct evp_ctx *, uint64_t events);

/* ----------------------------------------------------------------------------------------------- emitting
   Times are those of the event clock; the core makes Unix times of them, holding items back until it can.
   All return EVP_OK, or EVP_ERROR when there is no memory (reported): pass it on. */

/* The series with this name, unit, kind, type, labels, bounds; `id` and `start` are filled in. Strings are copied. */
const struct evp_series *evp_series_get(struct evp_ctx *, const struct evp_series *wanted);
void evp_series_end(struct evp_ctx *, const struct evp_series *); /* it will not be emitted again: let go of */
enum evp_status evp_emit_int(struct evp_out *, const struct evp_series *, uint64_t time, int64_t value);
enum evp_status evp_emit_double(struct evp_out *, const struct evp_series *, uint64_t time, double value);
enum evp_status evp_emit_buckets(
  struct evp_out *, const struct evp_series *, uint64_t time, const struct evp_buckets *);
/* Room for n metrics at once, for who has many: fill in all of each, its time that of the event clock, before the next
   call. NULL: no memory (reported). */
struct evp_metric *evp_emit_metrics(struct evp_out *, uint32_t n);
enum evp_status evp_emit_log(struct evp_out *, uint64_t time, const struct evp_log *); /* copied; its time is ignored */
struct evp_event *evp_emit_events(struct evp_out *, uint32_t n); /* to fill before returning; NULL: no memory */
/* Payload that lives as long as what is emitted with it, in this call and before the next evp_emit_group_end(). */
void *evp_emit_room(struct evp_out *, size_t size);
void evp_emit_keep(struct evp_out *, const struct evp_batch *); /* emitted events point into this batch's payload */
void evp_emit_group_end(struct evp_out *); /* all since the last one belongs together: one census */

/* ------------------------------------------------------------------------------- delivering (store and forward) */

struct evp_buf {
  uint8_t *data;
  size_t size, capacity;
}; /* FROZEN */
bool evp_buf_grow(struct evp_buf *, size_t more); /* room for that many bytes more */
static inline bool evp_buf_append(struct evp_buf *buf, const void *data, size_t size)
{
  if (buf->capacity - buf->size < size && !evp_buf_grow(buf, size)) return false;
  for (size_t i = 0; i < size; i++) buf->data[buf->size + i] = ((const uint8_t *)data)[i];
  buf->size += size;
  return true;
}

/* All that deliver() may rely on, beside the options: it may come from the spool of an earlier process. */
struct evp_message {
  const uint8_t *data;
  size_t size;
  uint64_t id; /* grows; the same at every attempt, also after a restart */
  uint64_t items;
  uint32_t format; /* evp_plugin.message_format at the time of encoding */
  uint32_t attempt; /* 0 at first */
  int64_t first_time, last_time; /* Unix ns of its items */
};

struct evp_delivery { /* zeroed; what deliver() has to say beside its status */
  uint64_t retry_after; /* AGAIN: the back end's own delay, ns */
  uint64_t rejected; /* OK: items of it that the back end refused for good */
  size_t delivered; /* AGAIN: leading bytes of the message that are done and not to be sent again */
  uint64_t delivered_items; /* AGAIN: items in them, `rejected` ones not; 0: they are counted when the rest is */
  /* AGAIN: the message is wanted plain, to be cut or looked into. It is unsealed, and deliver() is called again at once
     with what that gives; asked for once more, it is retried later as any other. */
  bool unseal;
};

/* ------------------------------------------------------------------------------------------ evpipe's own statistics */

enum {
  EVP_SIGNALS = 6,
  EVP_DROP_REASONS = 16
}; /* signals that there are, from bit 0 on; reasons that are told apart */
/* Why nothing comes from a live source that is connected, when that has lasted for its key `silence` (10 s). */
enum evp_silence {
  EVP_SILENT_NO_HEADER = 0, /* another reader is attached, or it is no eventlog socket */
  EVP_SILENT_NO_EVENTS = 1, /* a header, but no events: no -l, no flush interval, or an idle program */
  EVP_SILENT_NO_CENSUS = 2, /* events, but no heap census, though a filter waits for it */
  EVP_SILENCES = 3
};
enum evp_clock_state { EVP_CLOCK_NONE = 0, EVP_CLOCK_ESTIMATED = 1, EVP_CLOCK_EXACT = 2 };

struct evp_drop_count {
  const char *reason; /* lives as long as the ctx */
  uint64_t items;
}; /* FROZEN, 16 bytes */

/* What a node has done since evpipe started. Every count only grows; what does not apply to the node's kind is 0.
   Of a sink: items in + recovered = delivered + rejected + dropped + what waits (queued, being written, in messages; when
   evpipe has ended, spool_items). */
struct evp_node_statistics { /* grows at the end */
  size_t size; /* set by the caller, to sizeof: what of it is to be filled */
  const char *name; /* lives as long as the ctx */
  uint32_t kind; /* enum evp_kind */
  uint32_t inputs,
    outputs; /* sets of evp_signal that its edges bring and carry on; a source of bytes has EVP_BYTES as input */
  uint32_t n_drops;
  uint64_t in[EVP_SIGNALS],
    out[EVP_SIGNALS]; /* items by signal, of EVP_BYTES bytes; a sink has `delivered` for `out` */
  struct evp_drop_count drops[EVP_DROP_REASONS];
  uint64_t delivered, rejected; /* a sink's items: written or accepted by its back end; refused by it for good */
  uint64_t bytes_in,
    bytes_out; /* of eventlog, read or taken and handed on; out of a sink: written, or accepted in messages, as these were
                  handed to deliver() */
  uint64_t errors, retries; /* calls that failed; deliveries tried again */
  uint64_t queue_bytes, queue_limit; /* a sink's queue, and of one that delivers the messages behind it */
  uint64_t spool_bytes; /* on disk */
  uint64_t lag; /* ns for which the oldest of what waits for a sink has waited; 0: nothing waits */
  uint64_t busy; /* ns spent in the plugin; of a source in reading, decoding, and the filters behind it */
  uint64_t connected, connects; /* a source's open connections, and how many there were */
  int64_t last_event; /* a source's newest event, Unix ns; 0: none yet, or nobody wants events */
  uint32_t clock, reserved; /* enum evp_clock_state of the stream that it read last */
  uint64_t decode_errors,
    skipped_bytes; /* a source's: places in the input that were not understood, bytes left out there */
  uint64_t late; /* evp_late() */
  uint64_t recovered, spool_items; /* a sink's: what an earlier process left in its spool; what waits there now */
  uint64_t silent[EVP_SILENCES]; /* a source's open connections that are silent, by enum evp_silence */
  uint64_t finished; /* 1: a source that has read all that there was, such as a file, and will not connect any more */
};

/* The statistics of node `index`, counted from 0 in the order of the pipeline (a node comes after all that it takes
   from). False: there are no more. Counts of different nodes are not taken at the same instant. [any] */
bool evp_statistics(struct evp_ctx *, size_t index, struct evp_node_statistics *);
const char *evp_version(void); /* [any] of this evpipe, "0.1.0" */

/* [any] The words that evpipe has for these wherever it shows them; "unknown" for numbers that mean nothing to it. */
const char *evp_kind_name(uint32_t kind); /* "source" */
const char *evp_signal_name(uint32_t signal); /* of one bit: "bytes" */
const char *evp_silence_name(uint32_t silence); /* "no_header" */
const char *evp_clock_name(uint32_t clock); /* "none", "estimated", "exact" */

/* ------------------------------------------------------------------------------------------------ options */

enum evp_option_type {
  EVP_T_BOOL = 1,
  EVP_T_INT,
  EVP_T_DOUBLE,
  EVP_T_SIZE,
  EVP_T_DURATION,
  EVP_T_STRING,
  EVP_T_SECRET,
  EVP_T_CHOICE,
  EVP_T_STRINGS,
  EVP_T_MAP,
  EVP_T_GROUP
};
enum evp_option_flag {
  EVP_REQUIRED = 1,
  EVP_SPLIT = 2 /* EVP_T_STRINGS: a scalar is split into words as a shell would (quotes, backslashes, no expansion) */
};

struct evp_strings {
  const char *const *items;
  size_t n;
}; /* FROZEN */
struct evp_map {
  const struct evp_label *items;
  size_t n;
}; /* FROZEN */

struct evp_option { /* FROZEN, 64 bytes */
  const char *key;
  uint32_t type, flags;
  size_t offset; /* of the member */
  const char *value; /* default, as one would write it in the YAML; NULL: none (0, false, NULL, empty) */
  const char *help;
  const char *const *choices; /* EVP_T_CHOICE: NULL-terminated; the member is an int, the index */
  const struct evp_option *group; /* EVP_T_GROUP: the options of the nested map; offsets are relative to the member */
  const void *reserved;
};

#ifdef __cplusplus
} /* extern "C" */
template <class Wanted, class Owner> constexpr size_t evp_offset_(Wanted Owner::*, size_t offset)
{
  return offset;
}
template <class Owner> struct evp_owner_ { /* so that `struct mine` names it as well as `mine` does */
  typedef Owner same;
};
#define EVP_OFFSET_(owner, member, type) \
  evp_offset_<type, owner>(&evp_owner_<owner>::same::member, offsetof(owner, member))
extern "C" {
#else
#define EVP_OFFSET_(owner, member, type) _Generic(&((owner *)0)->member, type * : offsetof(owner, member))
#endif
#define EVP_OPTION_(o, m, t, c, f, v, h, ch) \
  { \
#m, t, f, EVP_OFFSET_(o, m, c), v, h, ch, NULL, NULL \
  }

typedef const char *evp_string_;
/* EVP_STRING(struct mine, member, "default", "One line of help."): the key is the member's name. */
#define EVP_BOOL(o, m, v, h) EVP_OPTION_(o, m, EVP_T_BOOL, bool, 0, v, h, NULL)
#define EVP_INT(o, m, v, h) EVP_OPTION_(o, m, EVP_T_INT, int64_t, 0, v, h, NULL)
#define EVP_REAL(o, m, v, h) EVP_OPTION_(o, m, EVP_T_DOUBLE, double, 0, v, h, NULL)
#define EVP_SIZE(o, m, v, h) EVP_OPTION_(o, m, EVP_T_SIZE, uint64_t, 0, v, h, NULL) /* bytes: 64K, 2MiB */
#define EVP_DURATION(o, m, v, h) EVP_OPTION_(o, m, EVP_T_DURATION, uint64_t, 0, v, h, NULL) /* ns: 250ms, 30s */
#define EVP_STRING(o, m, v, h) EVP_OPTION_(o, m, EVP_T_STRING, evp_string_, 0, v, h, NULL)
#define EVP_STRING_REQUIRED(o, m, h) EVP_OPTION_(o, m, EVP_T_STRING, evp_string_, EVP_REQUIRED, NULL, h, NULL)
#define EVP_SECRET(o, m, h) \
  EVP_OPTION_(o, m, EVP_T_SECRET, evp_string_, 0, NULL, h, NULL) /* text or {file: PATH}; never shown */
#define EVP_CHOICE(o, m, v, h, choices) EVP_OPTION_(o, m, EVP_T_CHOICE, int, 0, v, h, choices)
#define EVP_STRINGS(o, m, h) \
  EVP_OPTION_(o, m, EVP_T_STRINGS, struct evp_strings, 0, NULL, h, NULL) /* a scalar is a list of one */
/* A scalar is split into words as a shell would, the items of a list are taken as they are. */
#define EVP_WORDS_REQUIRED(o, m, h) \
  EVP_OPTION_(o, m, EVP_T_STRINGS, struct evp_strings, EVP_REQUIRED | EVP_SPLIT, NULL, h, NULL)
#define EVP_MAP(o, m, h) EVP_OPTION_(o, m, EVP_T_MAP, struct evp_map, 0, NULL, h, NULL)
#define EVP_GROUP(o, m, table, h) \
  { \
#m, EVP_T_GROUP, 0, offsetof(o, m), NULL, h, NULL, table, NULL \
  }
#define EVP_OPTIONS_END \
  { \
    NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL \
  }

/* ------------------------------------------------------------------------------------------------- plugin

  callback      OK           END                     AGAIN                           REJECT          ERROR (reported by you)
  create        go on        -                       -                               -               configuration error, exit 2
  start         go on        -                       -                               -               exit 1
  connect       a stream     never again: all done   *fd < 0: back off; else call    -               back off, counted
                begins                               again when *fd is readable
                                                     or writable
  read          *size > 0    this stream is over;    nothing there: poll fd          -               stream over, counted
                             disconnect, connect
  send          sent whole   -                       try when writable               not possible    stream over
  interrupt     go on        read no more: the       -                               -               read no more
                reading      stream ends here
  emit          go on        no more items, ever     -                               -               node fails
  map tick end  go on        -                       not all is emitted: more() is   -               node fails for this stream
  more                                               called when there is room
  write         taken        wants no more: ends     offer it again after ready(),   can not be      node fails
                             quietly, exit 0         tick() or 100 ms                taken: dropped
  ready flush   go on        as of write; item       -                               -               node fails
  tick of sinks              source: as of emit
  encode        appended     -                       -                               dropped         node fails
  seal          finished     -                       -                               -               node fails
  unseal        plain        -                       -                               given up        node fails, spool is kept
  deliver       accepted     -                       later, in order                 dead letter     node fails, spool is kept

  A node that fails is told nothing more but stream_end, stop and destroy; what it should have got is counted as
  dropped; the others go on; the exit status is 1. What is not in the table is a bug, and treated as ERROR. */

struct evp_plugin {
  uint32_t abi, size; /* set by EVP_PLUGIN */
  uint32_t kind; /* enum evp_kind */
  uint32_t accepts, emits; /* sets of evp_signal */
  uint32_t message_format; /* delivering sinks: change it when encode's bytes change meaning */
  const char *name, *summary;
  const struct evp_option *options; /* ends with EVP_OPTIONS_END */
  size_t instance_size; /* of self: zeroed, then the options set, then create() */
  size_t stream_size; /* sinks: of evp_stream_local() */
  const char *defaults; /* YAML flow text for the core's keys of this node: "{batch: {max_items: 5000}}" */

  /* create checks and allocates, touches nothing outside (--check, and one trial instance of each filter at start-up).
     start takes hold of the world: binds, opens, spawns. destroy is called for every instance, also after a failed
     create or start; stop only after a start that was OK. Filters have no start and stop. */
  enum evp_status (*create)(void *self, struct evp_ctx *ctx);
  enum evp_status (*start)(void *self);
  void (*stop)(void *self);
  void (*destroy)(void *self);
  enum evp_status (*tick)(void *self, uint64_t now, struct evp_out *out); /* filters: now is the stream's event time,
                                              never ahead of its data when not live; sinks: CLOCK_MONOTONIC, out is NULL */
  enum evp_status (*ready)(void *self); /* the watched fd is readable */

  /* A source of bytes. */
  enum evp_status (*connect)(void *self, int *fd); /* *fd = -1 with OK: always ready (a regular file) */
  enum evp_status (*read)(void *self, uint8_t *buffer, size_t *size); /* in: room, at least 64 KiB; out: got */
  enum evp_status (*send)(void *self, const uint8_t *command, size_t size); /* whole, or not at all */
  void (*disconnect)(void *self);
  /* A source of items, called at every tick: it has one stream, for its whole life, and Unix time as event time. Once
     more when evpipe stops, after all else has come to rest: then it can tell the totals. */
  enum evp_status (*emit)(void *self, struct evp_out *out);

  /* A filter: an instance for each stream. select gets exactly the indices in sel, keeps some, returns how many. It may
     keep state, changes nothing but sel and self, and is called once for each batch, in order. */
  uint32_t (*select)(void *self, const struct evp_batch *batch, uint16_t *sel, uint32_t n);
  enum evp_status (*map)(void *self, const struct evp_batch *batch, struct evp_out *out);
  enum evp_status (*end)(void *self, struct evp_out *out);
  /* Emits what was held back when map, tick, end or more returned AGAIN. A filter that may emit much more than it was
     handed (a sort) emits it in parts, so that queues stay bounded; map may be called before the rest is out. */
  enum evp_status (*more)(void *self, struct evp_out *out);

  /* A sink. stream_begin, its batches and gaps, stream_end come in order, and begin and end are never dropped. */
  enum evp_status (*stream_begin)(void *self, const struct evp_stream *stream);
  enum evp_status (*stream_end)(void *self, const struct evp_stream *stream);
  enum evp_status (*gap)(void *self, const struct evp_gap *gap);
  enum evp_status (*write)(void *self, const struct evp_batch *batch);
  enum evp_status (*flush)(void *self); /* the queue has run empty, or 1 s has passed, or the end is near */
  /* ... or encode, seal, deliver. On REJECT or ERROR the core takes back what encode appended. A batch is cut into slices
     of at most 256 items for it; the slice can not be kept by reference. seal finishes a message (brackets, gzip): what it
     makes is what waits, in memory or in the spool, and what deliver gets. unseal appends to `plain`, which is empty, what
     seal was given; of a message that is plain already, which its bytes must tell, what it is. It is called when deliver
     asks for it, and for dead letters, which are to be read (one that it does not return OK for is written as it is);
     REJECT: it is damaged. */
  enum evp_status (*encode)(void *self, const struct evp_batch *batch, struct evp_buf *message);
  enum evp_status (*seal)(void *self, struct evp_buf *message);
  enum evp_status (*unseal)(void *self, const struct evp_message *message, struct evp_buf *plain);
  enum evp_status (*deliver)(void *self, const struct evp_message *message, struct evp_delivery *result);

  /* A source of bytes whose producer is to end first, such as a program that it started: evpipe is asked to stop. `signal`
     is SIGINT or SIGTERM, to be passed on, or 0 if the terminal has sent it to every process of evpipe's group already.
     After OK the source is read on until it ends by itself, or the time for that (shutdown_timeout) is over. Called
     again for a further signal, beside the last reads. Such a source is also read to its end when no sink is left. Without
     it reading stops at once. */
  enum evp_status (*interrupt)(void *self, int signal);
};

extern EVP_EXPORT const struct evp_plugin evp_plugin_entry; /* the one symbol of a plugin */

/* C:    EVP_PLUGIN(.kind = EVP_SINK, .name = "count", ...);
   C++:  EVP_PLUGIN(p.kind = EVP_SINK; p.name = "count"; ...); */
#ifdef __cplusplus
#define EVP_PLUGIN(...) \
  const struct evp_plugin evp_plugin_entry = [] { \
    struct evp_plugin p = {}; \
    p.abi = EVP_ABI; \
    p.size = sizeof p; \
    __VA_ARGS__ return p; \
  }()
#else
#define EVP_PLUGIN(...) \
  const struct evp_plugin evp_plugin_entry = {.abi = EVP_ABI, .size = sizeof(struct evp_plugin), __VA_ARGS__}
#endif

#if UINTPTR_MAX == 0xffffffffffffffffu
#ifdef __cplusplus
#define EVP_LAYOUT_(type, bytes) static_assert(sizeof(type) == bytes, #type " is frozen")
#else
#define EVP_LAYOUT_(type, bytes) _Static_assert(sizeof(type) == bytes, #type " is frozen")
#endif
EVP_LAYOUT_(struct evp_event, 24);
EVP_LAYOUT_(struct evp_label, 16);
EVP_LAYOUT_(struct evp_event_type, 24);
EVP_LAYOUT_(struct evp_metric, 32);
EVP_LAYOUT_(struct evp_log, 64);
EVP_LAYOUT_(struct evp_option, 64);
EVP_LAYOUT_(struct evp_secret, 16);
#endif

#ifdef __cplusplus
}
#endif
#endif
