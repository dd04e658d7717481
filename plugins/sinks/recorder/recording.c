#include "recording.h"
#include "monotonic.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYNC_INTERVAL_NS UINT64_C(1000000000)

bool recording_is_open(const struct recording *recording)
{
  return recording->file.fd >= 0;
}

/* -------------------------------------------------------------------------------------------------------------- names */

static struct name_facts facts_of(const struct recording *recording)
{
  const struct evp_stream *stream = recording->stream;
  return (struct name_facts){.service = evp_stream_label(stream, "service"),
    .program = evp_stream_program(stream),
    .pid = evp_stream_pid(stream),
    .start = evp_stream_begin_time(stream),
    .seq = recording->seq};
}

static struct place place_of(const struct recorder *recorder)
{
  return (struct place){
    .path = recorder->name, .create_directories = recorder->create_directories, .sync = recorder->sync != SYNC_NONE};
}

static bool name_is_known(const struct recording *recording)
{
  unsigned placeholders = recording->recorder->placeholders;
  bool program = !(placeholders & NAME_PROGRAM) || evp_stream_program(recording->stream);
  return program && (!(placeholders & NAME_PID) || evp_stream_pid(recording->stream));
}

static void say_number(const struct recording *recording, unsigned number)
{
  if (number > 1)
    evp_warn(recording->recorder->ctx, "a file of that name exists: recording to %s", recording->file.path);
}

/* Its name is known, or will never be. */
static void settle_name(struct recording *recording)
{
  unsigned number;
  struct name_facts facts = facts_of(recording);
  struct place place = place_of(recording->recorder);
  recording->part = false;
  if (place_rename(&place, &facts, &recording->file, &number))
    say_number(recording, number);
  else
    evp_warn(
      recording->recorder->ctx, "%s can not be given its name, and stays: %s", recording->file.path, strerror(errno));
}

/* ----------------------------------------------------------------------------------------------------------- failures */

static const char *reason_of(int error)
{
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? "disk_full" : "not_written";
}

static void say_failure(struct recording *recording, const char *path, int error)
{
  struct recorder *recorder = recording->recorder;
  uint64_t unsaid;
  char text[COMPLAINT_TEXT_MAX];
  snprintf(text, sizeof text, "%s: %s", path, strerror(error));
  evp_incomplete(recorder->ctx);
  if (recording->failing || !complaint_is_due(&recorder->complaint, text, &unsaid)) return;
  evp_error(recorder->ctx, "%s; what comes is dropped until it can be written again", text);
}

void recording_failed(struct recording *recording, uint64_t items)
{
  int error = errno;
  struct file *file = &recording->file;
  say_failure(recording, recording_is_open(recording) ? file->path : recording->recorder->name, error);
  if (recording_is_open(recording)) file_cut_back(file);
  evp_drop(recording->recorder->ctx, items + file->lost, reason_of(error));
  file->lost = 0;
  recording->now = recording->sound;
  recording->failing = true;
}

static void succeeded(struct recording *recording)
{
  if (!recording->failing) return;
  recording->failing = false;
  evp_info(recording->recorder->ctx, "%s: can be written again", recording->file.path);
}

/* ------------------------------------------------------------------------------------------------------------ writing */

bool recording_begin(struct recording *recording)
{
  struct recorder *recorder = recording->recorder;
  unsigned number;
  recording->seq++;
  recording->part = !name_is_known(recording);
  struct name_facts facts = facts_of(recording);
  struct place place = place_of(recorder);
  if (!place_create(&place, &facts, recording->part, &recording->file, &number)) {
    recording->seq--;
    return false;
  }
  if (!recording->part) say_number(recording, number);
  recording->opened = monotonic();
  recording->content = 0;
  recording->now = recording->sound = (struct position){.block = NO_BLOCK};
  if (recorder->keeper) keeper_tidy(recorder->keeper);
  return true;
}

bool recording_is_due(const struct recording *recording, uint64_t more)
{
  const struct recorder *recorder = recording->recorder;
  uint64_t size = recording->file.size + recording->file.compressed.size + more - recording->content;
  if (!recording_is_open(recording) || !recording->now.begun || size == 0) return false;
  if (recorder->rotate.max_size && size >= recorder->rotate.max_size) return true;
  return recorder->rotate.max_age && monotonic() - recording->opened >= recorder->rotate.max_age;
}

bool recording_put(struct recording *recording, const void *data, size_t size)
{
  return file_put(&recording->file, data, size);
}

bool recording_put_prologue(struct recording *recording, uint64_t from, uint64_t to)
{
  uint8_t part[16384];
  while (from < to) {
    size_t size = redact_prologue(&recording->recorder->redaction, recording->stream, from, to, part, sizeof part);
    if (!size) return errno = EIO, false;
    if (!recording_put(recording, part, size)) return false;
    from += size;
  }
  return true;
}

/* What the disk does not keep can not be taken back: it is said, and the file goes on. */
static void sync_now(struct recording *recording)
{
  recording->synced = monotonic();
  if (file_sync(&recording->file)) return;
  evp_error(recording->recorder->ctx, "%s: the disk may not keep it: %s", recording->file.path, strerror(errno));
  evp_incomplete(recording->recorder->ctx);
}

bool recording_commit(struct recording *recording, uint64_t items)
{
  bool every = recording->recorder->sync == SYNC_EVERY;
  if (!file_commit(&recording->file, items)) return false;
  if (every && !file_settle(&recording->file)) return false;
  if (every) sync_now(recording);
  if (file_is_sound(&recording->file)) recording->sound = recording->now;
  if (recording->part && name_is_known(recording)) settle_name(recording);
  succeeded(recording);
  return true;
}

/* ------------------------------------------------------------------------------------------------------------- ending */

/* What is compressed can not be changed. Its readers see a block that ends early, and find the next one. */
bool recording_repair(struct recording *recording)
{
  struct position *now = &recording->now;
  bool here = now->block != NO_BLOCK && now->block >= now->run_begin && !recording->file.frames;
  uint64_t marker = now->run_at + (now->block - now->run_begin);
  now->block = NO_BLOCK;
  if (!here || marker >= recording->file.size) return true;
  uint32_t size = (uint32_t)(recording->file.size - marker);
  const uint8_t bytes[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
  return file_patch(&recording->file, marker + 10, bytes, sizeof bytes);
}

static bool put_end(struct recording *recording)
{
  if (recording->recorder->fidelity == FIDELITY_EXACT || !recording->now.begun || recording->now.ended) return true;
  recording->now.ended = true;
  return recording_repair(recording) && recording_put(recording, "\xff\xff", 2) && recording_commit(recording, 0);
}

static void close_file(struct recording *recording)
{
  struct recorder *recorder = recording->recorder;
  struct file *file = &recording->file;
  bool empty = file->size == 0;
  if (empty) unlink(file->path);
  if (!empty && recording->part) settle_name(recording);
  if (recorder->sync != SYNC_NONE) sync_now(recording);
  if (!file_close(file)) {
    evp_error(recorder->ctx, "%s: %s", file->path, strerror(errno));
    evp_incomplete(recorder->ctx);
  }
  if (recorder->keeper) keeper_tidy(recorder->keeper);
}

void recording_finish(struct recording *recording)
{
  if (!recording_is_open(recording)) return;
  if (!put_end(recording) || !file_settle(&recording->file)) recording_failed(recording, 0);
  if (recording_is_open(recording)) close_file(recording);
  recording->now = recording->sound = (struct position){.block = NO_BLOCK};
}

void recording_look(struct recording *recording, uint64_t now)
{
  if (!recording_is_open(recording)) return;
  if (recording->part && name_is_known(recording)) settle_name(recording);
  if (!file_settle(&recording->file)) {
    recording_failed(recording, 0);
    recording->seeking = true;
    return;
  }
  recording->sound = recording->now;
  if (recording->recorder->sync == SYNC_INTERVAL && now - recording->synced >= SYNC_INTERVAL_NS) sync_now(recording);
}
