/* bytes.c: bytes as they came. A readable file ends with a whole record at any time: what is behind the last one is held
 * back, in memory, until the rest of it comes (at most 66 KiB, and a header). An exact one takes all at once. */
#include "recording.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>

enum { MAGIC_SIZE = 8 };

/* How far the stream goes, and what is known there. */
struct reach {
  uint64_t whole; /* up to here the records are whole */
  uint64_t block, prologue;
  bool ended;
};

static struct reach reach_of(const struct evp_batch *batch)
{
  return (struct reach){batch->whole, batch->block, batch->prologue_end, batch->flags & EVP_BATCH_ENDED};
}

static bool is_exact(const struct recording *recording)
{
  return recording->recorder->fidelity == FIDELITY_EXACT;
}

static void leave_out(struct recording *recording, uint64_t bytes, const char *reason)
{
  if (bytes) evp_drop(recording->recorder->ctx, bytes, reason);
}

static void forget_held(struct recording *recording, size_t bytes)
{
  struct evp_buf *held = &recording->held;
  held->size -= bytes;
  recording->held_at += bytes;
  if (held->size) memmove(held->data, held->data + bytes, held->size);
}

static void failed(struct recording *recording, uint64_t bytes)
{
  recording_failed(recording, bytes + recording->held.size);
  recording->held.size = 0;
  recording->seeking = true;
}

/* ------------------------------------------------------------------------------------------------------------ writing */

/* From this place of the stream on, which is at this place of the file, they hang together. */
static void begin_run(struct recording *recording, uint64_t at)
{
  recording->now.begun = true;
  recording->now.block = NO_BLOCK;
  recording->now.run_begin = recording->held_at = at;
  recording->now.run_at = recording->file.size;
}

/* How many of what is held and `more` bytes behind it belong to whole records. */
static size_t ready_of(const struct recording *recording, size_t more, const struct reach *reach)
{
  size_t all = recording->held.size + more;
  if (is_exact(recording)) return all;
  uint64_t whole = reach->whole > recording->held_at ? reach->whole - recording->held_at : 0;
  return whole < all ? (size_t)whole : all;
}

/* The first `ready` bytes are put, the others are held. */
static bool put_ready(struct recording *recording, const uint8_t *bytes, size_t size, size_t ready)
{
  size_t of_held = recording->held.size < ready ? recording->held.size : ready, of_bytes = ready - of_held;
  if (of_held && !recording_put(recording, recording->held.data, of_held)) return false;
  if (of_bytes && !recording_put(recording, bytes, of_bytes)) return false;
  errno = ENOMEM;
  if (size > of_bytes && !text_put(&recording->held, bytes + of_bytes, size - of_bytes)) return false;
  forget_held(recording, of_held);
  recording->held_at += of_bytes;
  return true;
}

static bool open_for(struct recording *recording)
{
  if (recording_is_open(recording)) return true;
  if (!recording_begin(recording)) return false;
  begin_run(recording, recording->held_at);
  return true;
}

/* What is held and these bytes behind it: written as far as the records are whole, held from there on. */
static void take(struct recording *recording, const uint8_t *bytes, size_t size, const struct reach *reach)
{
  size_t ready = ready_of(recording, size, reach);
  if ((ready && !open_for(recording)) || !put_ready(recording, bytes, size, ready)) {
    failed(recording, size);
    return;
  }
  if (!ready) return;
  recording->now.block = reach->block;
  recording->now.ended = reach->ended;
  if (reach->prologue > recording->now.prologue) recording->now.prologue = reach->prologue;
  if (!recording_commit(recording, ready)) failed(recording, 0);
}

/* ------------------------------------------------------------------------------------------- beginning, going on, gaps */

/* What is held so far is no eventlog's, or where one begins. True: it is known where. */
static bool find_header(struct recording *recording)
{
  struct evp_buf *held = &recording->held;
  const uint8_t *magic = memmem(held->data, held->size, "hdrbhetb", MAGIC_SIZE);
  size_t before = magic ? (size_t)(magic - held->data) : 0;
  if (!magic && held->size >= MAGIC_SIZE) before = held->size - (MAGIC_SIZE - 1);
  leave_out(recording, before, "leading");
  forget_held(recording, before);
  return magic != NULL;
}

/* Nothing is written before the header is whole. */
static void look_for_header(struct recording *recording, const struct evp_batch *batch)
{
  struct reach reach = reach_of(batch);
  if (!recording->held.size) recording->held_at = batch->offset;
  errno = ENOMEM;
  if (!text_put(&recording->held, batch->bytes, batch->n)) {
    failed(recording, batch->n);
    return;
  }
  if (!find_header(recording) || !ready_of(recording, 0, &reach)) return;
  take(recording, NULL, 0, &reach);
}

/* A block that follows nothing can not be read: there must be a prologue before it, or it is the header itself. */
static bool can_begin(const struct recording *recording, const struct evp_batch *batch)
{
  if (batch->sync >= batch->n) return false;
  return is_exact(recording) || recording->now.begun || batch->prologue || batch->bytes[batch->sync] == 'h';
}

static bool prepare(struct recording *recording, const struct evp_batch *batch)
{
  if (!recording_is_open(recording) && !recording_begin(recording)) return false;
  if (!is_exact(recording)) {
    bool first = !recording->now.begun;
    uint64_t known = first ? 0 : recording->now.prologue;
    if (!recording_repair(recording) || !recording_put_prologue(recording, known, batch->prologue)) return false;
    if (first) recording->content = recording->file.size + recording->file.compressed.size;
  }
  begin_run(recording, batch->offset + batch->sync);
  return true;
}

/* After a gap, or in the next file. */
static void resume(struct recording *recording, const struct evp_batch *batch)
{
  struct reach reach = reach_of(batch);
  recording->seeking = false;
  if (prepare(recording, batch))
    take(recording, batch->bytes + batch->sync, batch->n - batch->sync, &reach);
  else
    failed(recording, batch->n - batch->sync);
}

static void seek(struct recording *recording, const struct evp_batch *batch)
{
  bool here = can_begin(recording, batch);
  leave_out(recording, recording->held.size, "gap");
  recording->held.size = 0;
  leave_out(recording, here ? batch->sync : batch->n, "gap");
  if (here) resume(recording, batch);
}

static void rotate(struct recording *recording, const struct evp_batch *batch)
{
  struct reach reach = {batch->offset + batch->sync, NO_BLOCK, batch->prologue, false};
  take(recording, batch->bytes, batch->sync, &reach);
  recording_finish(recording);
  resume(recording, batch);
}

static void write_batch(struct recording *recording, const struct evp_batch *batch)
{
  struct reach reach = reach_of(batch);
  bool may_rotate = batch->sync < batch->n && batch->flags & EVP_BATCH_FRAMED;
  if (recording->seeking) {
    seek(recording, batch);
  } else if (is_exact(recording)) {
    take(recording, batch->bytes, batch->n, &reach);
  } else if (batch->flags & EVP_BATCH_LEADING) {
    leave_out(recording, batch->n + recording->held.size, "leading");
    recording->held.size = 0;
  } else if (!recording->now.begun) {
    look_for_header(recording, batch);
  } else if (may_rotate && recording_is_due(recording, recording->held.size + batch->sync)) {
    rotate(recording, batch);
  } else {
    take(recording, batch->bytes, batch->n, &reach);
  }
}

/* What can not be redacted is as good as lost: the file goes on behind it. */
static void write_redacted(struct recording *recording, const struct evp_batch *batch)
{
  struct redaction *redaction = &recording->recorder->redaction;
  struct evp_batch copy = *batch;
  uint32_t begin = redact_begin(redaction, &recording->redact, batch);
  if (begin && !recording->seeking) {
    leave_out(recording, recording->held.size, "unframed");
    recording->held.size = 0;
    recording->seeking = true;
  }
  copy.bytes = begin < batch->n ? redact_bytes(redaction, batch) : batch->bytes;
  if (!copy.bytes) {
    errno = ENOMEM;
    failed(recording, batch->n);
  } else if (begin == batch->n) {
    leave_out(recording, batch->n, "unframed");
  } else {
    write_batch(recording, &copy);
  }
}

void bytes_write(struct recording *recording, const struct evp_batch *batch)
{
  if (recording->recorder->redaction.kinds && !(batch->flags & EVP_BATCH_LEADING))
    write_redacted(recording, batch);
  else
    write_batch(recording, batch);
}

void bytes_gap(struct recording *recording, uint64_t items)
{
  leave_out(recording, recording->held.size, "gap");
  recording->held.size = 0;
  recording->seeking = true;
  if (is_exact(recording) && recording_is_open(recording))
    evp_warn(recording->recorder->ctx, "%s: %" PRIu64 " bytes are missing behind byte %" PRIu64, recording->file.path,
      items, recording->file.size);
}

/* -------------------------------------------------------------------------------------------------------------- the end */

/* Only now it is known whether what is held are whole records, which nothing follows. */
void bytes_end(struct recording *recording)
{
  struct evp_stream_end end;
  struct reach reach = {.prologue = recording->now.prologue};
  if (recording->now.begun && !recording->seeking && evp_stream_where_ended(recording->stream, &end)) {
    reach.whole = end.whole;
    reach.block = end.block;
    reach.ended = end.marker;
    take(recording, NULL, 0, &reach);
  }
  leave_out(recording, recording->held.size, "cut_record");
  recording_finish(recording);
}
