/* events.c: events, made an eventlog again. A batch becomes blocks of its own, so that the file is sound after each. */
#include "eventlog_builder.h"
#include "recording.h"
#include "text.h"
#include <errno.h>

/* A file begins with the header; one that is not the first with all definitions, whether the events passed a filter or not. */
static bool begin(struct recording *recording, uint64_t prologue)
{
  if (!recording_is_open(recording) && !recording_begin(recording)) return false;
  if (recording->now.begun) return true;
  recording->now.begun = true;
  if (recording->seq > 1 && prologue) {
    bool good = recording_put_prologue(recording, 0, prologue);
    recording->content = recording->file.size + recording->file.compressed.size;
    return good;
  }
  errno = ENOMEM;
  return eventlog_builder_header(&recording->held, recording->stream);
}

static bool build_part(
  struct recording *recording, const struct evp_batch *batch, uint32_t from, uint32_t to, uint64_t *unwritable)
{
  struct evp_batch part = *batch;
  part.sel = batch->sel + from;
  part.n = to - from;
  return eventlog_builder_events(&recording->held, &part, unwritable);
}

/* An event that is to be redacted is built alone, from its copy: there are one or two of them in a stream. */
static bool build(struct recording *recording, const struct evp_batch *batch, uint64_t *unwritable)
{
  struct redaction *redaction = &recording->recorder->redaction;
  uint32_t from = 0;
  for (uint32_t i = 0; redaction->kinds && i < batch->n; i++) {
    struct evp_event event = batch->events[batch->sel[i]];
    const uint8_t *payload = redact_payload(redaction, &event);
    if (payload == event.data) continue;
    event.data = payload;
    static const uint16_t first = 0;
    struct evp_batch one = *batch;
    one.events = &event;
    one.sel = &first;
    one.n = 1;
    bool good = payload && build_part(recording, batch, from, i, unwritable) &&
                eventlog_builder_events(&recording->held, &one, unwritable);
    if (!good) return false;
    from = i + 1;
  }
  return build_part(recording, batch, from, batch->n, unwritable);
}

static bool put_events(struct recording *recording, const struct evp_batch *batch, uint64_t *unwritable)
{
  recording->held.size = 0;
  if (!begin(recording, batch->prologue)) return false;
  errno = ENOMEM;
  if (!build(recording, batch, unwritable)) return false;
  return recording_put(recording, recording->held.data, recording->held.size);
}

void events_write(struct recording *recording, const struct evp_batch *batch)
{
  uint64_t unwritable = 0;
  if (recording_is_due(recording, 0)) recording_finish(recording);
  if (!put_events(recording, batch, &unwritable)) {
    recording_failed(recording, batch->n);
    return;
  }
  if (unwritable) evp_drop(recording->recorder->ctx, unwritable, "not_declared");
  if (!recording_commit(recording, batch->n - unwritable)) recording_failed(recording, 0);
}

/* A filter may let nothing pass: that is a log without events. */
void events_end(struct recording *recording)
{
  size_t types;
  evp_stream_event_types(recording->stream, &types);
  recording->held.size = 0;
  bool empty = types && !recording->seq;
  if (empty && !(begin(recording, 0) && recording_put(recording, recording->held.data, recording->held.size) &&
                 recording_commit(recording, 0)))
    recording_failed(recording, 0);
  recording_finish(recording);
}
