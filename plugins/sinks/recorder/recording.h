/* recording.h: what becomes of one stream: its files, one after another, each an eventlog that is complete in itself.
 *
 *   recorder.c    the options, and the sink's callbacks
 *   recording.c   the file that is open: put, commit, begin the next one, end it, and what a full disk does to that
 *   bytes.c       bytes as they came, cut where records end
 *   events.c      events, made an eventlog again
 *
 * A file is sound after each commit: it ends with a whole record. What the sound part holds is `sound`; when a write fails
 * the file is cut back to it, what is lost is counted, and bytes are left out (`seeking`) up to a place where a reader may
 * begin. Then the file goes on there: the block it was cut in gets the size that it has, and what was defined meanwhile is
 * put in from the stream's prologue. So a gap does not need a file of its own, and each file can be read over its gaps.
 *
 * Owner    the sink's memory for the stream; linked into the instance.
 * Threads  the sink's; at the end the main thread.
 * Errors   reported and counted here: false means only that the rest of the work is without purpose.
 */
#ifndef EVPIPE_RECORDER_RECORDING_H
#define EVPIPE_RECORDER_RECORDING_H

#include "complaint.h"
#include "keeper.h"
#include "place.h"
#include "redact.h"

#define NO_BLOCK UINT64_MAX

enum fidelity { FIDELITY_READABLE, FIDELITY_EXACT };
enum sync_when { SYNC_NONE, SYNC_INTERVAL, SYNC_EVERY };
enum compression { COMPRESSION_NONE, COMPRESSION_ZSTD };

struct rotate_options {
  uint64_t max_size, max_age; /* 0: without end */
};

struct keep_options {
  int64_t files; /* 0: all */
  uint64_t size;
};

struct recorder {
  const char *path;
  int fidelity, sync, compression;
  int64_t level;
  bool create_directories;
  struct rotate_options rotate;
  struct keep_options keep;
  struct evp_strings redact;

  struct evp_ctx *ctx;
  char *name; /* the path with its suffix */
  unsigned placeholders;
  struct redaction redaction;
  struct keeper *keeper; /* NULL: all are kept */
  struct complaint complaint;
  struct recording *recordings;
};

/* What a file holds, and where in the stream that ends. */
struct position {
  bool begun; /* it has a header */
  bool ended; /* it has an end marker */
  uint64_t prologue; /* so much of the stream's prologue is among what it holds */
  uint64_t block; /* bytes: place in the stream of the marker of the block that it ends in; NO_BLOCK */
  uint64_t run_begin, run_at; /* bytes in one piece: where they begin in the stream, and in the file */
};

struct recording {
  struct recorder *recorder;
  const struct evp_stream *stream;
  struct recording *next;
  struct file file;
  uint64_t seq; /* of the file, from 1 */
  bool part; /* its name is not known yet */
  uint64_t opened, synced; /* monotonic ns */
  uint64_t content; /* size of the file before what was recorded: of the prologue in it */
  struct position now, sound;
  struct redact_stream redact;
  bool seeking; /* bytes: up to the next place where a reader may begin, nothing can be taken */
  bool failing; /* the last write failed */
  struct evp_buf held; /* bytes: behind the last whole record; events: what is being written */
  uint64_t held_at; /* bytes: their place in the stream */
};

/* recording.c */
bool recording_is_open(const struct recording *);
bool recording_begin(struct recording *); /* the next file */
bool recording_is_due(
  const struct recording *, uint64_t more); /* for the next file, once `more` bytes are in this one */
bool recording_put(struct recording *, const void *data, size_t size);
bool recording_put_prologue(struct recording *, uint64_t from, uint64_t to);
bool recording_commit(struct recording *, uint64_t items);
/* A call of these failed: `items`, which were not committed, and what was committed and is lost, are counted. */
void recording_failed(struct recording *, uint64_t items);
bool recording_repair(struct recording *); /* the block that the file ends in gets the size that it has */
void recording_finish(struct recording *); /* an end marker, if it lacks one; its name; closed */
void recording_look(struct recording *, uint64_t now); /* what time brings: monotonic ns */

/* bytes.c */
void bytes_write(struct recording *, const struct evp_batch *);
void bytes_gap(struct recording *, uint64_t items);
void bytes_end(struct recording *);

/* events.c */
void events_write(struct recording *, const struct evp_batch *);
void events_end(struct recording *);

#endif
