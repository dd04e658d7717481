/* recorder: an eventlog on the disk, that GHC's own tools read. */
#include "recording.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_INTERVAL UINT64_C(1000000000)

enum { LEAST_SIZE = 4096 };

/* ------------------------------------------------------------------------------------------------------------- options */

static bool refuse(struct recorder *recorder, const char *key, const char *why)
{
  evp_option_error(recorder->ctx, key, "%s", why);
  return false;
}

static bool rotates(const struct recorder *recorder)
{
  return recorder->rotate.max_size || recorder->rotate.max_age;
}

static bool check_rotate(struct recorder *recorder)
{
  if (!rotates(recorder)) return true;
  if (recorder->rotate.max_size && recorder->rotate.max_size < LEAST_SIZE)
    return refuse(recorder, "rotate.max_size", "must be 4KiB or more");
  if (recorder->fidelity == FIDELITY_EXACT)
    return refuse(recorder, "rotate",
      "does not go with fidelity: exact, for each file begins with a prologue and ends with an end marker: nothing "
      "that "
      "came so");
  if (!(recorder->placeholders & NAME_SEQ))
    return refuse(recorder, "path", "needs {seq} in it, which tells the files of rotate apart");
  return true;
}

static bool check_keep(struct recorder *recorder)
{
  if (recorder->keep.files < 0) return refuse(recorder, "keep.files", "can not be negative");
  if (!recorder->keep.files && !recorder->keep.size) return true;
  if (!(recorder->placeholders & NAME_START))
    return refuse(recorder, "path", "needs {start} in it, so that keep deletes nothing but recordings");
  if (name_folder_placeholders(recorder->path))
    return refuse(recorder, "path", "can not have placeholders in its folder: keep looks into one folder only");
  return true;
}

static bool check_signals(struct recorder *recorder)
{
  uint32_t signals = evp_input_signals(recorder->ctx);
  if ((signals & EVP_BYTES) && (signals & EVP_EVENTS))
    return refuse(
      recorder, "from", "brings bytes and events; a file holds either: write signals: [events], or use two recorders");
  if ((signals & EVP_EVENTS) && recorder->fidelity == FIDELITY_EXACT)
    return refuse(recorder, "fidelity", "exact is for bytes; events are written as blocks of their own");
  return true;
}

static bool check_level(struct recorder *recorder)
{
  if (recorder->level >= 1 && recorder->level <= frames_best_level()) return true;
  evp_option_error(recorder->ctx, "level", "must be from 1 to %d", frames_best_level());
  return false;
}

static bool check_options(struct recorder *recorder)
{
  bool good = name_check(recorder->path, recorder->ctx);
  recorder->placeholders = good ? name_placeholders(recorder->path) : 0;
  good = good && check_rotate(recorder) && check_keep(recorder);
  good = check_signals(recorder) && good;
  if (recorder->redact.n && recorder->fidelity == FIDELITY_EXACT)
    good = refuse(recorder, "redact", "does not go with fidelity: exact, which changes nothing");
  return check_level(recorder) && good;
}

static char *full_name(const struct recorder *recorder)
{
  size_t size = strlen(recorder->path);
  bool lacks_suffix =
    recorder->compression == COMPRESSION_ZSTD && (size < 4 || strcmp(recorder->path + size - 4, ".zst"));
  char *name = NULL;
  return asprintf(&name, "%s%s", recorder->path, lacks_suffix ? ".zst" : "") < 0 ? NULL : name;
}

/* --------------------------------------------------------------------------------------------------------- the instance */

static enum evp_status recorder_create(void *self, struct evp_ctx *ctx)
{
  struct recorder *recorder = self;
  recorder->ctx = ctx;
  if (!check_options(recorder) || !redact_create(&recorder->redaction, ctx, &recorder->redact)) return EVP_ERROR;
  bool keeps = recorder->keep.files || recorder->keep.size;
  recorder->name = full_name(recorder);
  if (recorder->name && keeps)
    recorder->keeper = keeper_new(recorder->name, (uint64_t)recorder->keep.files, recorder->keep.size, ctx);
  if (!recorder->name || (keeps && !recorder->keeper)) {
    evp_error(ctx, "no memory");
    return EVP_ERROR;
  }
  bool bytes = evp_input_signals(ctx) & EVP_BYTES;
  if (rotates(recorder) || (bytes && recorder->fidelity == FIDELITY_READABLE)) evp_want_prologue(ctx);
  return EVP_OK;
}

/* What can be known now is better known now. */
static bool check_folder(const struct recorder *recorder)
{
  if (recorder->create_directories || name_folder_placeholders(recorder->path)) return true;
  char *folder = name_folder(recorder->path);
  bool good = folder && !access(folder, W_OK | X_OK);
  if (!good)
    evp_error(recorder->ctx, "%s: can not be written to: %s%s", folder ? folder : recorder->path, strerror(errno),
      errno == ENOENT ? "; make the folder, or set create_directories: true" : "");
  free(folder);
  return good;
}

static enum evp_status recorder_start(void *self)
{
  struct recorder *recorder = self;
  if (!check_folder(recorder)) return EVP_ERROR;
  evp_tick_every(recorder->ctx, LOOK_INTERVAL);
  return EVP_OK;
}

static void recorder_destroy(void *self)
{
  struct recorder *recorder = self;
  keeper_free(recorder->keeper);
  redact_free(&recorder->redaction);
  free(recorder->name);
}

/* --------------------------------------------------------------------------------------------------------- the streams */

static struct recording *recording_of(struct recorder *recorder, const struct evp_stream *stream)
{
  return evp_stream_local(recorder->ctx, stream);
}

static enum evp_status recorder_stream_begin(void *self, const struct evp_stream *stream)
{
  struct recorder *recorder = self;
  struct recording *recording = recording_of(recorder, stream);
  *recording = (struct recording){.recorder = recorder, .stream = stream, .next = recorder->recordings, .file.fd = -1};
  recording->now = recording->sound = (struct position){.block = NO_BLOCK};
  recorder->recordings = recording;
  if (recorder->compression == COMPRESSION_NONE) return EVP_OK;
  recording->file.frames = frames_new((int)recorder->level);
  if (recording->file.frames) return EVP_OK;
  evp_error(recorder->ctx, "no memory");
  return EVP_ERROR;
}

static void end_recording(struct recording *recording)
{
  struct recording **link = &recording->recorder->recordings;
  if (evp_input_signals(recording->recorder->ctx) & EVP_EVENTS)
    events_end(recording);
  else
    bytes_end(recording);
  while (*link != recording) link = &(*link)->next;
  *link = recording->next;
  frames_free(recording->file.frames);
  free(recording->file.compressed.data);
  free(recording->file.path);
  free(recording->held.data);
}

static enum evp_status recorder_stream_end(void *self, const struct evp_stream *stream)
{
  end_recording(recording_of(self, stream));
  return EVP_OK;
}

static enum evp_status recorder_gap(void *self, const struct evp_gap *gap)
{
  if (gap->signal == EVP_BYTES) bytes_gap(recording_of(self, gap->stream), gap->items);
  return EVP_OK;
}

static enum evp_status recorder_write(void *self, const struct evp_batch *batch)
{
  struct recording *recording = recording_of(self, batch->stream);
  if (batch->signal == EVP_EVENTS)
    events_write(recording, batch);
  else
    bytes_write(recording, batch);
  return EVP_OK;
}

static enum evp_status recorder_tick(void *self, uint64_t now, struct evp_out *out)
{
  (void)out;
  struct recorder *recorder = self;
  for (struct recording *recording = recorder->recordings; recording; recording = recording->next)
    recording_look(recording, now);
  return EVP_OK;
}

/* Of streams whose end was not told: evpipe stops at once. */
static void recorder_stop(void *self)
{
  struct recorder *recorder = self;
  while (recorder->recordings) end_recording(recorder->recordings);
}

static const char *const fidelities[] = {"readable", "exact", NULL};
static const char *const syncs[] = {"none", "interval", "every", NULL};
static const char *const compressions[] = {"none", "zstd", NULL};

static const struct evp_option rotate_option_table[] = {
  EVP_SIZE(struct rotate_options, max_size, NULL, "A next file after so many bytes; its prologue is not counted."),
  EVP_DURATION(struct rotate_options, max_age, NULL, "A next file after so long."), EVP_OPTIONS_END};

static const struct evp_option keep_option_table[] = {
  EVP_INT(struct keep_options, files, NULL, "At most so many files; the oldest are deleted."),
  EVP_SIZE(struct keep_options, size, NULL, "At most so many bytes; the oldest files are deleted."), EVP_OPTIONS_END};

static const struct evp_option options[] = {
  EVP_STRING_REQUIRED(
    struct recorder, path, "The file. May have {service}, {program}, {pid}, {start} and {seq} in it."),
  EVP_CHOICE(struct recorder, fidelity, "readable",
    "readable: without what GHC's tools do not read; exact: nothing left out or added.", fidelities),
  EVP_GROUP(struct recorder, rotate, rotate_option_table, "When a next file is begun."),
  EVP_GROUP(struct recorder, keep, keep_option_table, "How much is kept of what this path's pattern matches."),
  EVP_CHOICE(
    struct recorder, sync, "none", "When the disk is told to keep it: never, every second, at every write.", syncs),
  EVP_CHOICE(
    struct recorder, compression, "none", "zstd: the suffix .zst is put behind the path if it lacks it.", compressions),
  EVP_INT(struct recorder, level, "3", "Of zstd: 1 is fast, 19 is small."), REDACT_OPTION(struct recorder, redact),
  EVP_BOOL(struct recorder, create_directories, "false", "Make the folders of the path."), EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SINK, .name = "recorder", .summary = "Records eventlogs, for GHC's own tools to read.",
  .accepts = EVP_BYTES | EVP_EVENTS, .options = options, .instance_size = sizeof(struct recorder),
  .stream_size = sizeof(struct recording), .create = recorder_create, .start = recorder_start, .stop = recorder_stop,
  .destroy = recorder_destroy, .tick = recorder_tick, .stream_begin = recorder_stream_begin,
  .stream_end = recorder_stream_end, .gap = recorder_gap, .write = recorder_write);
