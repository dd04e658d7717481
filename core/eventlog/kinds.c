#include "eventlog/catalogue.h"
#include "eventlog/reader.h"

#include <string.h>

static uint64_t tail_of(struct event_tail tail)
{
  uint64_t bits;
  memcpy(&bits, &tail, sizeof bits);
  return bits;
}

/* GHC gives the marker 14 bytes; one that grew at its end is still read. */
static bool is_marker(const struct evp_event_type *type)
{
  return type->number == EVP_BLOCK_MARKER && type->size != VARIABLE_SIZE && type->size >= MARKER_PAYLOAD;
}

static bool is_special(const struct eventlog *log, const struct record_kind *kind, uint16_t type)
{
  return type == EVP_BLOCK_MARKER || type == END_MARKER ||
         (is_introduction(type) && (type != EVP_IPE || kind->variable)) || kind->secret ||
         (kind->defines && log->settings.prologue);
}

static struct record_kind make_kind(const struct eventlog *log, uint16_t number)
{
  const struct evp_event_type *type = header_type(&log->header, number);
  if (!type) return (struct record_kind){.declared = false};
  const struct catalogue_entry *known = catalogue_find(number);
  bool variable = type->size == VARIABLE_SIZE;
  uint16_t size = variable ? 0 : catalogue_true_size(log->state.dialect, number, type->size);
  uint16_t smallest = known ? catalogue_smallest(known, variable) : 0;
  uint16_t flags = variable ? EVP_EVENT_VARIABLE : size < smallest ? EVP_EVENT_MALFORMED : 0;
  struct record_kind kind = {
    .tail = tail_of((struct event_tail){.size = size, .type = number, .flags = flags}),
    .length = variable ? RECORD_HEAD + LENGTH_FIELD : RECORD_HEAD + (uint32_t)size,
    .smallest = smallest,
    .declared = true,
    .variable = variable,
    .wanted = log->settings.wanted && event_set_has(log->settings.wanted, number),
    .defines = known && catalogue_defines(known, variable),
    .secret = log->settings.secrets ? secret_kind(number) : 0,
  };
  kind.special = is_special(log, &kind, number);
  return kind;
}

struct record_kind kind_of(const struct eventlog *log, uint16_t number)
{
  return number < 256 ? log->kinds[number] : make_kind(log, number);
}

static void prepare_loop(struct eventlog *log, unsigned number)
{
  const struct record_kind *kind = &log->kinds[number];
  bool plain = kind->declared && !kind->special;
  log->tails[number] = kind->tail;
  log->lengths[number] = plain && !kind->variable ? kind->length : 0;
  log->shortest[number] = plain && kind->variable ? kind->smallest : UINT32_MAX;
  log->strides[number] = kind->wanted ? sizeof(struct evp_event) : 0;
}

void kinds_make(struct eventlog *log)
{
  log->state.dialect = catalogue_dialect(log->header.types, log->header.n);
  for (unsigned number = 0; number < 256; number++) {
    log->kinds[number] = make_kind(log, (uint16_t)number);
    prepare_loop(log, number);
  }
  const struct evp_event_type *marker = header_type(&log->header, EVP_BLOCK_MARKER);
  log->marker_length = marker && is_marker(marker) ? RECORD_HEAD + (uint32_t)marker->size : 0;
}
