#include "redact.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

enum { CAPSET = 4 }; /* in front of the strings */

bool redact_create(struct redaction *redaction, struct evp_ctx *ctx, const struct evp_strings *words)
{
  for (size_t i = 0; i < words->n; i++) {
    if (!strcmp(words->items[i], "arguments"))
      redaction->kinds |= EVP_ARGUMENTS;
    else if (!strcmp(words->items[i], "environment"))
      redaction->kinds |= EVP_ENVIRONMENT;
    else {
      evp_option_error(ctx, "redact", "'%s' is neither 'arguments' nor 'environment'", words->items[i]);
      return false;
    }
  }
  if (redaction->kinds) evp_want_secrets(ctx);
  return true;
}

void redact_free(struct redaction *redaction)
{
  free(redaction->copy);
  *redaction = (struct redaction){0};
}

static void overwrite(uint8_t *bytes, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (bytes[i]) bytes[i] = 'x';
}

uint32_t redact_begin(const struct redaction *redaction, struct redact_stream *stream, const struct evp_batch *batch)
{
  if (!redaction->kinds) return 0;
  if (batch->flags & EVP_BATCH_LEADING) return batch->n;
  if (!(batch->flags & EVP_BATCH_FRAMED)) {
    stream->lost = true;
    return batch->n;
  }
  if (!stream->lost) return 0;
  stream->lost = batch->sync >= batch->n;
  return batch->sync;
}

bool redact_needed(const struct redaction *redaction, const struct evp_batch *batch)
{
  if (!redaction->kinds) return false;
  for (uint32_t i = 0; i < batch->n_secrets; i++)
    if (batch->secrets[i].kind & redaction->kinds) return true;
  return false;
}

void redact_copy(const struct redaction *redaction, const struct evp_batch *batch, uint8_t *bytes)
{
  for (uint32_t i = 0; i < batch->n_secrets; i++) {
    const struct evp_secret *secret = &batch->secrets[i];
    if (secret->kind & redaction->kinds) overwrite(bytes + secret->offset, secret->size);
  }
}

/* A copy of data[0..size). NULL: no memory. */
static uint8_t *make_copy(struct redaction *redaction, const uint8_t *data, size_t size)
{
  if (redaction->room < size) {
    uint8_t *copy = realloc(redaction->copy, size);
    if (!copy) return NULL;
    redaction->copy = copy;
    redaction->room = size;
  }
  memcpy(redaction->copy, data, size);
  return redaction->copy;
}

const uint8_t *redact_bytes(struct redaction *redaction, const struct evp_batch *batch)
{
  if (!redact_needed(redaction, batch)) return batch->bytes;
  uint8_t *copy = make_copy(redaction, batch->bytes, batch->n);
  if (copy) redact_copy(redaction, batch, copy);
  return copy;
}

/* What of the secret lies in the prologue's bytes [offset, offset + size), which are in the buffer. */
static void overwrite_within(const struct evp_secret *secret, uint64_t offset, uint8_t *buffer, size_t size)
{
  uint64_t begin = secret->offset > offset ? secret->offset : offset, end = secret->offset + secret->size;
  if (end > offset + size) end = offset + size;
  if (begin < end) overwrite(buffer + (begin - offset), (size_t)(end - begin));
}

size_t redact_prologue(const struct redaction *redaction, const struct evp_stream *stream, uint64_t offset,
  uint64_t end, uint8_t *buffer, size_t size)
{
  enum { AT_ONCE = 16 };
  size_t got = evp_prologue_read(stream, offset, end, buffer, size);
  struct evp_secret secrets[AT_ONCE];
  uint32_t n = redaction->kinds ? AT_ONCE : 0;
  for (uint64_t from = offset; n == AT_ONCE; from = secrets[n - 1].offset + secrets[n - 1].size) {
    n = evp_prologue_secrets(stream, from, offset + got, secrets, AT_ONCE);
    for (uint32_t i = 0; i < n; i++)
      if (secrets[i].kind & redaction->kinds) overwrite_within(&secrets[i], offset, buffer, got);
    if (!n) break;
  }
  return got;
}

const uint8_t *redact_payload(struct redaction *redaction, const struct evp_event *event)
{
  uint32_t kind = event->type == EVP_PROGRAM_ENV                                             ? EVP_ENVIRONMENT
                  : event->type == EVP_PROGRAM_ARGS || event->type == EVP_PROGRAM_INVOCATION ? EVP_ARGUMENTS
                                                                                             : 0;
  size_t before = event->type == EVP_PROGRAM_INVOCATION ? 0 : CAPSET;
  if (!(kind & redaction->kinds) || event->size <= before) return event->data;
  uint8_t *copy = make_copy(redaction, event->data, event->size);
  if (copy) overwrite(copy + before, event->size - before);
  return copy;
}
