#include "log_json.h"

#include "log_words.h"

void log_json(struct json *json, const struct log_entry *entry)
{
  json_object(json, NULL);
  json_unsigned(json, "id", entry->id);
  json_seconds(json, "time", entry->time);
  json_string(json, "kind", log_kind_word(entry->text));
  json_string(json, "severity", log_severity_word(entry->severity));
  json_bytes(json, "body", entry->text + entry->name_size, entry->body_size);
  if (entry->cap == EVP_NO_CAP)
    json_null(json, "capability");
  else
    json_unsigned(json, "capability", entry->cap);
  if (entry->thread)
    json_unsigned(json, "thread", entry->thread);
  else
    json_null(json, "thread");
  json_end(json, '}');
}
