#include "event_format.h"
#include "event_text.h"
#include "json_writer.h"

#include <evpipe/events.h>

static void put_strings(struct json *json, const char *key, const struct event_value *value)
{
  struct evp_text list = {(const char *)value->data, value->size}, string;
  json_array(json, key);
  while (evp_next_string(&list, &string)) json_bytes(json, NULL, string.data, string.size);
  json_end(json, ']');
}

static void put_ids(struct json *json, const char *key, const struct event_value *value)
{
  json_array(json, key);
  for (size_t i = 0; i < value->size; i++) json_unsigned(json, NULL, evp_u32(value->data + 4 * i));
  json_end(json, ']');
}

static void put_value(struct json *json, const char *key, const struct event_value *value)
{
  switch (value->type) {
  case EVENT_STRING:
  case EVENT_TEXT:
    json_bytes(json, key, (const char *)value->data, value->size);
    break;
  case EVENT_LATIN1:
  case EVENT_BYTES:
    json_octets(json, key, value->data, value->size);
    break;
  case EVENT_STRINGS:
    put_strings(json, key, value);
    break;
  case EVENT_IDS:
    put_ids(json, key, value);
    break;
  default:
    json_unsigned(json, key, value->number);
    break;
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

static void put_field(
  struct json *json, const struct evp_stream *stream, const struct event_field *field, const struct event_value *value)
{
  put_value(json, field->name, value);
  const char *word = word_of(stream, field, value);
  if (word) json_word(json, field->word_name, word);
}

static void put_fields(struct json *json, const struct evp_stream *stream, const struct event_payload *payload)
{
  json_object(json, "fields");
  for (size_t i = 0; i < payload->format->n_fields; i++)
    if (payload->values[i].there) put_field(json, stream, &payload->format->fields[i], &payload->values[i]);
  json_end(json, '}');
}

static void put_unread(struct json *json, const struct evp_stream *stream, const struct evp_event *event)
{
  const struct evp_event_type *type = evp_stream_event_type(stream, event->type);
  if (type) json_string(json, "description", type->description);
  json_octets(json, "payload", event->data, event->size);
}

static void put_head(struct json *json, const struct evp_event *event)
{
  const struct event_format *format = event_format_find(event->type);
  json_unsigned(json, "time", event->time);
  if (event->cap == EVP_NO_CAP)
    json_null(json, "cap");
  else
    json_unsigned(json, "cap", event->cap);
  json_unsigned(json, "type", event->type);
  if (format)
    json_word(json, "name", format->name);
  else
    json_null(json, "name");
}

bool event_json_append(struct evp_buf *out, const struct evp_stream *stream, const struct evp_event *event)
{
  struct json json = {.text = out};
  struct event_payload payload;
  json_object(&json, NULL);
  put_head(&json, event);
  if (event_payload_read(&payload, event))
    put_fields(&json, stream, &payload);
  else
    put_unread(&json, stream, event);
  json_end(&json, '}');
  return !json.failed && text_put_char(out, '\n');
}
