#include "event_format.h"
#include "event_text.h"
#include "text.h"

#include <evpipe/events.h>

static bool put_literal(struct evp_buf *json, const char *literal)
{
  return text_put(json, literal, strlen(literal));
}

/* Each byte as the character of that number, so that nothing is lost. */
static bool put_bytes(struct evp_buf *json, const uint8_t *bytes, size_t size)
{
  if (!text_put(json, "\"", 1)) return false;
  for (size_t i = 0; i < size; i++) {
    bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\';
    const char *digits = "0123456789abcdef";
    const char escaped[] = {'\\', 'u', '0', '0', digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    if (!(plain ? text_put(json, bytes + i, 1) : text_put(json, escaped, sizeof escaped))) return false;
  }
  return text_put(json, "\"", 1);
}

static bool put_strings(struct evp_buf *json, const struct event_value *value)
{
  struct evp_text list = {(const char *)value->data, value->size}, string;
  bool good = text_put(json, "[", 1);
  for (bool first = true; good && evp_next_string(&list, &string); first = false)
    good = (first || text_put(json, ",", 1)) && text_put_json(json, string.data, string.size);
  return good && text_put(json, "]", 1);
}

static bool put_ids(struct evp_buf *json, const struct event_value *value)
{
  bool good = text_put(json, "[", 1);
  for (size_t i = 0; good && i < value->size; i++)
    good = (!i || text_put(json, ",", 1)) && text_put_unsigned(json, evp_u32(value->data + 4 * i));
  return good && text_put(json, "]", 1);
}

static bool put_value(struct evp_buf *json, const struct event_value *value)
{
  switch (value->type) {
  case EVENT_STRING:
  case EVENT_TEXT:
    return text_put_json(json, (const char *)value->data, value->size);
  case EVENT_LATIN1:
  case EVENT_BYTES:
    return put_bytes(json, value->data, value->size);
  case EVENT_STRINGS:
    return put_strings(json, value);
  case EVENT_IDS:
    return put_ids(json, value);
  default:
    return text_put_unsigned(json, value->number);
  }
}

static const char *word_of(
  const struct evp_stream *stream, const struct event_field *field, const struct event_value *value)
{
  if (field->words) return event_word(field->words, value->number);
  if (!field->stop) return NULL;
  enum evp_stop_reason reason = evp_stop_reason(evp_stream_dialect(stream), (uint16_t)value->number);
  return reason < event_n_stops ? event_stops[reason].name : NULL;
}

static bool put_field(struct evp_buf *json, const struct evp_stream *stream, const struct event_field *field,
  const struct event_value *value)
{
  if (!text_put(json, "\"", 1) || !put_literal(json, field->name) || !text_put(json, "\":", 2)) return false;
  if (!put_value(json, value)) return false;
  const char *word = word_of(stream, field, value);
  if (!word) return true;
  return text_put(json, ",\"", 2) && put_literal(json, field->name) && put_literal(json, "_name\":\"") &&
         put_literal(json, word) && text_put(json, "\"", 1);
}

static bool put_fields(struct evp_buf *json, const struct evp_stream *stream, const struct event_payload *payload)
{
  bool good = put_literal(json, ",\"fields\":{");
  bool first = true;
  for (size_t i = 0; good && i < payload->format->n_fields; i++) {
    if (!payload->values[i].there) continue;
    good =
      (first || text_put(json, ",", 1)) && put_field(json, stream, &payload->format->fields[i], &payload->values[i]);
    first = false;
  }
  return good && text_put(json, "}", 1);
}

static bool put_unread(struct evp_buf *json, const struct evp_stream *stream, const struct evp_event *event)
{
  const struct evp_event_type *type = evp_stream_event_type(stream, event->type);
  if (type && (!put_literal(json, ",\"description\":") || !text_put_json_string(json, type->description))) return false;
  return put_literal(json, ",\"payload\":") && put_bytes(json, event->data, event->size);
}

static bool put_head(struct evp_buf *json, const struct evp_event *event)
{
  if (!put_literal(json, "{\"time\":") || !text_put_unsigned(json, event->time)) return false;
  if (!put_literal(json, ",\"cap\":")) return false;
  if (!(event->cap == EVP_NO_CAP ? put_literal(json, "null") : text_put_unsigned(json, event->cap))) return false;
  if (!put_literal(json, ",\"type\":") || !text_put_unsigned(json, event->type)) return false;
  const struct event_format *format = event_format_find(event->type);
  if (!format) return put_literal(json, ",\"name\":null");
  return put_literal(json, ",\"name\":\"") && put_literal(json, format->name) && text_put(json, "\"", 1);
}

bool event_json_append(struct evp_buf *json, const struct evp_stream *stream, const struct evp_event *event)
{
  struct event_payload payload;
  bool read = event_payload_read(&payload, event);
  return put_head(json, event) && (read ? put_fields(json, stream, &payload) : put_unread(json, stream, event)) &&
         text_put(json, "}\n", 2);
}
