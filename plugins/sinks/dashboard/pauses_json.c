#include "pauses_json.h"

void pauses_json(struct json *json, unsigned generation, const struct pause *pauses, size_t n)
{
  json_object(json, NULL);
  json_unsigned(json, "generation", generation);
  json_array(json, "time");
  for (size_t i = 0; i < n; i++)
    if (pauses[i].collections) json_seconds(json, NULL, pauses[i].time);
  json_end(json, ']');
  json_array(json, "longest");
  for (size_t i = 0; i < n; i++)
    if (pauses[i].collections) json_double(json, NULL, pauses[i].longest);
  json_end(json, ']');
  json_array(json, "collections");
  for (size_t i = 0; i < n; i++)
    if (pauses[i].collections) json_unsigned(json, NULL, pauses[i].collections);
  json_end(json, ']');
  json_array(json, "seconds");
  for (size_t i = 0; i < n; i++)
    if (pauses[i].collections) json_double(json, NULL, pauses[i].seconds);
  json_end(json, ']');
  json_end(json, '}');
}
