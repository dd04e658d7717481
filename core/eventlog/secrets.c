#include "eventlog/reader.h"

#include <stdlib.h>

/* Where the program's arguments and environment lie. Bytes are handed on before their record is decided: so what waits at
 * the end of the data is looked at, too, by nothing but the declared sizes, and in doubt taken for a secret. */

enum { CAPSET = 4 };

uint8_t secret_kind(uint16_t type)
{
  if (type == EVP_PROGRAM_ENV) return EVP_ENVIRONMENT;
  return type == EVP_PROGRAM_ARGS || type == EVP_PROGRAM_INVOCATION ? EVP_ARGUMENTS : 0;
}

struct evp_secret secret_in(uint16_t type, uint64_t payload, uint64_t size)
{
  struct evp_secret secret = {.offset = payload, .kind = secret_kind(type)};
  uint64_t before = type == EVP_PROGRAM_INVOCATION ? 0 : CAPSET;
  if (!secret.kind || size <= before) return secret;
  secret.offset += before;
  secret.size = (uint32_t)(size - before);
  return secret;
}

void secret_found(struct eventlog *log, uint16_t type, uint64_t payload, uint64_t size)
{
  struct evp_secret secret = secret_in(type, payload, size);
  if (!secret.size) return;
  if (log->n_secrets == log->secrets_room) {
    size_t room = log->secrets_room ? log->secrets_room * 2 : 8;
    struct evp_secret *secrets = reallocarray(log->secrets, room, sizeof *secrets);
    if (!secrets) {
      log->secrets_lost = true;
      return;
    }
    log->secrets = secrets;
    log->secrets_room = room;
  }
  log->secrets[log->n_secrets++] = secret;
}

/* Nothing more can be a secret behind an end marker or at the begin of a header. */
static bool is_over(const struct cursor *c, size_t at)
{
  return evp_u16(c->data + at) == END_MARKER || magic_begins(c->data + at, c->size - at);
}

/* If info tables' lengths lie, or if they do not. False: there is no record where one should be. *depends: it was asked. */
static bool foresee(struct eventlog *log, const struct cursor *c, bool lying, bool *depends)
{
  for (size_t at = c->at; c->size - at >= sizeof(uint16_t) && !is_over(c, at);) {
    const uint8_t *record = c->data + at;
    size_t available = c->size - at;
    uint16_t type = evp_u16(record);
    struct record_kind kind = kind_of(log, type);
    if (!kind.declared) return false;
    size_t head = RECORD_HEAD + (kind.variable ? LENGTH_FIELD : 0);
    if (available <= head) return true;
    size_t length = kind.length + (kind.variable ? evp_u16(record + RECORD_HEAD) : 0u);
    if (type == EVP_IPE && kind.variable) {
      *depends = true;
      length -= lying;
    }
    if (kind.secret) secret_found(log, type, at + head, (length < available ? length : available) - head);
    if (length > available) return true;
    at += length;
  }
  return true;
}

void secrets_foresee(struct eventlog *log, const struct cursor *c)
{
  bool lost = (log->mode == MODE_SKIP && log->skip_damaged) || log->mode == MODE_SCAN;
  bool depends = false;
  if (log->mode == MODE_RECORDS) {
    lost = !foresee(log, c, false, &depends);
    if (depends) lost = !foresee(log, c, true, &depends) && lost;
  }
  if (lost && c->at < c->size) c->step->framed = false;
}
