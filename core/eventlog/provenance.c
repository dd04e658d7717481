#include "eventlog/reader.h"

#include <string.h>

/* GHC 9.6 and 9.10 write a length for 169 that is one larger than the payload, 8 bytes and six strings, which follows;
 * 9.2 writes it right. Who trusts the one or the other loses the record behind it. */

enum {
  ADDRESS = 8,
  STRINGS = 6,
  LOOKAHEAD = 1024 /* bytes that may have to decide; with the longest record they fit EVENTLOG_LONGEST */
};

/* Bytes of an address and six strings, 0 if there are not that many in data[0..size). */
static size_t strings_end(const uint8_t *data, size_t size)
{
  size_t end = ADDRESS;
  for (int i = 0; i < STRINGS; i++) {
    if (end >= size) return 0;
    const uint8_t *nul = memchr(data + end, 0, size - end);
    if (!nul) return 0;
    end = (size_t)(nul - data) + 1;
  }
  return end;
}

/* How many records in a row look right from `at` on, if all 169s lie, or none does; INT_MAX: up to the block's end. */
static int count_good(const struct eventlog *log, const struct cursor *c, size_t at, size_t limit, bool lying)
{
  struct record record;
  for (int n = 0;; n++) {
    if (at_block_end(log, at)) return INT32_MAX;
    if (at >= limit || at > c->size) return n; /* the last record may be cut by the end of the stream */
    if (head_judge(log, c, at, &record) != HEAD_FINE || record.type == EVP_BLOCK_MARKER) return n;
    if (record.type == EVP_IPE && lying) record.length--;
    at += record.length;
  }
}

static bool choose_reading(struct eventlog *log, const struct cursor *c, size_t shorter, size_t limit)
{
  int lying = count_good(log, c, shorter, limit, true);
  int honest = count_good(log, c, shorter + 1, limit, false);
  if (lying == honest) return log->provenance != READING_HONEST;
  log->provenance = lying > honest ? READING_LYING : READING_HONEST;
  return lying > honest;
}

enum answer provenance_length(
  struct eventlog *log, const struct cursor *c, size_t at, const struct record *record, uint32_t *length)
{
  *length = record->length;
  size_t payload = record->length - record->head;
  size_t shorter = at + record->length - 1;
  if (payload < ADDRESS + STRINGS + 1) return ANSWER_YES;
  if (shorter > c->size) return ANSWER_WAIT;
  if (strings_end(c->data + at + record->head, payload - 1) != payload - 1) return ANSWER_YES;
  bool lying;
  size_t limit = shorter + 1 + LOOKAHEAD;
  if (log->block.inside && log->block.end - place(log, shorter) <= 1) {
    lying = at_block_end(log, shorter);
  } else {
    uint64_t rest = log->block.inside ? log->block.end - place(log, shorter) : UINT64_MAX;
    size_t needed = rest < LOOKAHEAD ? shorter + (size_t)rest : limit + HEAD_BYTES;
    if (c->size < needed && !c->final) return ANSWER_WAIT;
    lying = c->size == shorter || choose_reading(log, c, shorter, limit);
  }
  *length -= lying;
  return ANSWER_YES;
}
