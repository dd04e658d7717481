#include "event_text.h"

#include "event_format.h"
#include "haskell_text.h"
#include "text.h"
#include "utf8.h"

#include <evpipe/events.h>

enum { DECLARED_VARIABLE = 0xffff };

static bool put_literal(struct evp_buf *text, const char *literal)
{
  return text_put(text, literal, strlen(literal));
}

static bool put_ids(struct evp_buf *text, const struct event_value *value)
{
  for (size_t i = 0; i < value->size; i++) {
    if (i && !text_put(text, ", ", 2)) return false;
    if (!text_put_unsigned(text, evp_u32(value->data + 4 * i))) return false;
  }
  return true;
}

static bool put_plain(struct evp_buf *text, const struct event_value *value)
{
  switch (value->type) {
  case EVENT_STRING:
  case EVENT_TEXT:
  case EVENT_BYTES:
  case EVENT_STRINGS:
    return haskell_put_text(text, value->data, value->size);
  case EVENT_LATIN1:
    return haskell_put_latin1(text, value->data, value->size);
  case EVENT_IDS:
    return put_ids(text, value);
  default:
    return text_put_unsigned(text, value->number);
  }
}

static bool put_hex(struct evp_buf *text, uint64_t number)
{
  char digits[16];
  size_t first = sizeof digits;
  do {
    digits[--first] = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number);
  return text_put(text, digits + first, sizeof digits - first);
}

static bool put_word(struct evp_buf *text, const struct event_words *words, uint64_t number)
{
  const char *word = event_word(words, number);
  if (!word) word = words->other;
  return word ? put_literal(text, word) : text_put_unsigned(text, number);
}

/* `filters` begins with the field at hand and has the rest of the payload's fields. */
static bool put_filters(struct evp_buf *text, const struct event_value *filters, size_t n)
{
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    if (!filters[i].size) continue;
    if (!any && !put_literal(text, " filtered by ")) return false;
    any = true;
    if (!haskell_put_text(text, filters[i].data, filters[i].size) || !text_put(text, ", ", 2)) return false;
  }
  return true;
}

/* The reason, and behind some of them the info, which is the field after the status. */
static bool put_stop(struct evp_buf *text, const struct evp_stream *stream, const struct event_value *status)
{
  enum evp_stop_reason reason = evp_stop_reason(evp_stream_dialect(stream), (uint16_t)status->number);
  const struct event_stop *stop = reason < event_n_stops ? &event_stops[reason] : NULL;
  if (!stop || !stop->text) return put_literal(text, "status ") && text_put_unsigned(text, status->number);
  return put_literal(text, stop->text) && (!stop->with_info || text_put_unsigned(text, status[1].number));
}

static bool put_field(struct evp_buf *text, const struct evp_stream *stream, const struct event_payload *payload,
  const struct event_piece *piece)
{
  const struct event_value *value = &payload->values[piece->field];
  switch ((enum event_form)piece->form) {
  case EVENT_AS_PLAIN:
    return put_plain(text, value);
  case EVENT_AS_HEX:
    return put_hex(text, value->number);
  case EVENT_AS_LIST:
    return haskell_put_list(text, value->data, value->size);
  case EVENT_AS_PRINTABLE:
    return haskell_put_printable(text, value->data, value->size);
  case EVENT_AS_LOW16:
    return text_put_unsigned(text, value->number & 0xffff);
  case EVENT_AS_SUCCESSOR:
    return text_put_unsigned(text, value->number + 1);
  case EVENT_AS_CAF:
    return !(value->number & 1) || put_literal(text, " CAF");
  case EVENT_AS_FILTERS:
    return put_filters(text, value, payload->format->n_fields - piece->field);
  case EVENT_AS_STOP:
    return put_stop(text, stream, value);
  case EVENT_AS_WORDS:
    return put_word(text, payload->format->fields[piece->field].words, value->number);
  }
  return true;
}

static bool put_pieces(struct evp_buf *text, const struct evp_stream *stream, const struct event_payload *payload)
{
  const struct event_format *format = payload->format;
  for (size_t i = 0; i < format->n_pieces; i++) {
    const struct event_piece *piece = &format->pieces[i];
    bool good = true;
    if (piece->kind == EVENT_LITERAL)
      good = text_put(text, piece->text, piece->size);
    else if (piece->kind == EVENT_FIELD)
      good = put_field(text, stream, payload, piece);
    else if (!payload->values[piece->field].there)
      i += piece->skip;
    if (!good) return false;
  }
  return true;
}

static bool put_description(struct evp_buf *text, const struct evp_stream *stream, uint16_t number)
{
  const struct evp_event_type *type = evp_stream_event_type(stream, number);
  if (!type) return put_literal(text, "event of undeclared type ") && text_put_unsigned(text, number);
  return haskell_put_text(text, (const uint8_t *)type->description, strlen(type->description));
}

bool event_text_append(struct evp_buf *text, const struct evp_stream *stream, const struct evp_event *event)
{
  if (!text_put_unsigned(text, event->time) || !text_put(text, ": ", 2)) return false;
  if (event->cap != EVP_NO_CAP)
    if (!text_put(text, "cap ", 4) || !text_put_unsigned(text, event->cap) || !text_put(text, ": ", 2)) return false;
  struct event_payload payload;
  bool shown = event_payload_read(&payload, event) && payload.layout->shown;
  bool good = shown ? put_pieces(text, stream, &payload) : put_description(text, stream, event->type);
  return good && text_put(text, "\n", 1);
}

static bool put_type(struct evp_buf *text, const struct evp_event_type *type)
{
  if (!text_put_unsigned(text, type->number) || !text_put(text, ": ", 2)) return false;
  if (!haskell_put_text(text, (const uint8_t *)type->description, strlen(type->description))) return false;
  if (!put_literal(text, " (size ")) return false;
  bool variable = type->size == DECLARED_VARIABLE;
  if (!(variable ? put_literal(text, "variable") : text_put_unsigned(text, type->size))) return false;
  return text_put(text, ")\n", 2);
}

bool event_types_append(struct evp_buf *text, const struct evp_stream *stream)
{
  if (!put_literal(text, "Event Types:\n")) return false;
  size_t n;
  const struct evp_event_type *types = evp_stream_event_types(stream, &n);
  for (size_t i = 0; i < n; i++)
    if (!put_type(text, &types[i])) return false;
  return put_literal(text, "\nEvents:\n");
}
