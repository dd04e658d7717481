#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  FEW_BYTES = 2048, /* a batch of fewer is copied */
  BATCH_OVERHEAD = 3072, /* what a batch takes besides its bytes */
  PROLOGUE_PART = 64 * 1024,
  TURN = 4 << 20, /* bytes sent to one reader before others have their turn */
  INPUT_TURNS = 16
};

/* -------------------------------------------------------------------------------------------------------------- pieces */

static struct piece *copy_batch(const struct redaction *redaction, const struct evp_batch *batch)
{
  struct piece *piece = malloc(sizeof *piece + batch->n);
  if (!piece) return NULL;
  *piece = (struct piece){.references = 1, .data = piece->copy, .size = batch->n, .charge = sizeof *piece + batch->n};
  memcpy(piece->copy, batch->bytes, batch->n);
  redact_copy(redaction, batch, piece->copy);
  return piece;
}

struct piece *piece_new(const struct redaction *redaction, const struct evp_batch *batch)
{
  if (batch->n < FEW_BYTES || redact_needed(redaction, batch)) return copy_batch(redaction, batch);
  struct piece *piece = malloc(sizeof *piece);
  const struct evp_batch *kept = piece ? evp_batch_ref(batch) : NULL;
  if (!kept) {
    free(piece);
    return NULL;
  }
  *piece = (struct piece){
    .references = 1, .batch = kept, .data = kept->bytes, .size = kept->n, .charge = kept->n + BATCH_OVERHEAD};
  return piece;
}

void piece_unref(struct piece *piece)
{
  if (--piece->references) return;
  if (piece->batch) evp_batch_unref(piece->batch);
  free(piece);
}

/* ---------------------------------------------------------------------------------------------------------------- life */

struct reader *reader_new(int fd)
{
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    close(fd);
    return NULL;
  }
  reader->fd = fd;
  return reader;
}

static struct slice *first_slice(const struct reader *reader)
{
  return &reader->slices[reader->head];
}

static void forget_slice(struct reader *reader)
{
  struct piece *piece = first_slice(reader)->piece;
  reader->head = (reader->head + 1) & (reader->room - 1);
  reader->n--;
  reader->backlog -= piece->charge;
  piece_unref(piece);
}

void reader_free(struct reader *reader)
{
  while (reader->n) forget_slice(reader);
  if (reader->stream) evp_stream_unref(reader->stream);
  reader_take_input(
    reader); /* a TCP connection that is closed with input unread is reset, and loses what is under way */
  close(reader->fd);
  free(reader->slices);
  free(reader);
}

void reader_join(struct reader *reader, const struct evp_stream *stream, uint64_t prologue)
{
  reader->stream = evp_stream_ref(stream);
  reader->state = READER_JOINING;
  reader->prologue_end = prologue;
}

static bool grow(struct reader *reader)
{
  size_t room = reader->room ? reader->room * 2 : 16;
  struct slice *slices = reallocarray(NULL, room, sizeof *slices);
  if (!slices) return false;
  for (size_t i = 0; i < reader->n; i++) slices[i] = reader->slices[(reader->head + i) & (reader->room - 1)];
  free(reader->slices);
  reader->slices = slices;
  reader->room = room;
  reader->head = 0;
  return true;
}

bool reader_append(struct reader *reader, struct piece *piece, size_t begin)
{
  if (reader->n == reader->room && !grow(reader)) return false;
  reader->slices[(reader->head + reader->n++) & (reader->room - 1)] = (struct slice){piece, begin};
  reader->backlog += piece->charge;
  piece->references++;
  return true;
}

bool reader_is_done(const struct reader *reader)
{
  return reader->broken || (!reader->n && reader->prologue_at >= reader->prologue_end);
}

uint64_t reader_unsent(const struct reader *reader)
{
  uint64_t bytes = 0;
  for (size_t i = 0; i < reader->n; i++) {
    const struct slice *slice = &reader->slices[(reader->head + i) & (reader->room - 1)];
    bytes += slice->piece->size - slice->sent;
  }
  return bytes;
}

/* ------------------------------------------------------------------------------------------------------------- sending */

/* How many bytes were taken; 0: none for now, or never again (`broken`). */
static size_t send_some(struct reader *reader, struct iovec *parts, size_t n)
{
  const struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
  ssize_t sent;
  do sent = sendmsg(reader->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) reader->broken = true;
  return sent > 0 ? (size_t)sent : 0;
}

static size_t send_prologue(struct reader *reader, const struct redaction *redaction)
{
  uint8_t part[PROLOGUE_PART];
  size_t size =
    redact_prologue(redaction, reader->stream, reader->prologue_at, reader->prologue_end, part, sizeof part);
  if (!size) { /* that was all of it: of an ended stream it is asked for without end */
    reader->prologue_end = reader->prologue_at;
    return 0;
  }
  size_t sent = send_some(reader, &(struct iovec){part, size}, 1);
  reader->prologue_at += sent;
  return sent;
}

static size_t send_slices(struct reader *reader)
{
  enum { AT_ONCE = 32 };
  struct iovec parts[AT_ONCE];
  size_t n = 0, offered = 0;
  for (; n < AT_ONCE && n < reader->n; n++) {
    const struct slice *slice = &reader->slices[(reader->head + n) & (reader->room - 1)];
    parts[n] = (struct iovec){(void *)(uintptr_t)(slice->piece->data + slice->sent), slice->piece->size - slice->sent};
    offered += parts[n].iov_len;
  }
  size_t sent = offered ? send_some(reader, parts, n) : 0;
  size_t left = sent;
  while (reader->n) {
    struct slice *slice = first_slice(reader);
    size_t rest = slice->piece->size - slice->sent, taken = left < rest ? left : rest;
    slice->sent += taken;
    left -= taken;
    if (taken < rest) break;
    forget_slice(reader);
  }
  return sent;
}

void reader_send(struct reader *reader, const struct redaction *redaction)
{
  size_t turn = 0, sent = 1;
  while (sent && turn < TURN && !reader_is_done(reader)) {
    bool prologue = reader->prologue_at < reader->prologue_end;
    sent = prologue ? send_prologue(reader, redaction) : send_slices(reader);
    turn += sent;
    if (prologue && reader->prologue_at >= reader->prologue_end) sent = 1; /* and on with the slices */
  }
}

void reader_take_input(struct reader *reader)
{
  uint8_t input[4096];
  for (int i = 0; i < INPUT_TURNS && !reader->half_closed; i++) {
    ssize_t got = recv(reader->fd, input, sizeof input, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      reader->broken = reader->broken || errno != EAGAIN;
      return;
    }
    reader->ignored += (uint64_t)got;
    reader->half_closed = !got;
  }
}
