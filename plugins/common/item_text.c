#include "item_text.h"
#include "json_writer.h"
#include "log_words.h"
#include <inttypes.h>
#include <math.h>

static const char *kind_word(uint16_t kind)
{
  switch (kind) {
  case EVP_GAUGE:
    return "gauge";
  case EVP_COUNTER:
    return "counter";
  case EVP_HISTOGRAM:
    return "histogram";
  default:
    return "unknown";
  }
}

/* ----------------------------------------------------------------------------------------------------------------- show */

static bool show_labels(struct evp_buf *out, const struct evp_label *labels, uint32_t n)
{
  bool good = true;
  for (uint32_t i = 0; good && i < n; i++)
    good = text_put_char(out, i ? ',' : '{') && text_put_string(out, labels[i].key) && text_put(out, "=\"", 2) &&
           text_put_visible(out, labels[i].value, strlen(labels[i].value)) && text_put_char(out, '"');
  return good && (!n || text_put_char(out, '}'));
}

static bool show_buckets(struct evp_buf *out, const struct evp_series *series, const struct evp_buckets *buckets)
{
  bool good = text_printf(out, "count %" PRIu64 " sum ", buckets->count) && text_put_double(out, buckets->sum);
  uint64_t below = 0;
  for (uint32_t i = 0; good && i < series->n_bounds; i++) {
    below += buckets->counts[i];
    good = text_put(out, " <=", 3) && text_put_double(out, series->bounds[i]) && text_put_char(out, ':') &&
           text_put_unsigned(out, below);
  }
  return good;
}

static bool show_value(struct evp_buf *out, const struct evp_metric *metric)
{
  switch (metric->series->type) {
  case EVP_INT64:
    return text_put_integer(out, metric->value.i);
  case EVP_DOUBLE:
    return text_put_double(out, metric->value.d);
  default:
    return show_buckets(out, metric->series, metric->value.buckets);
  }
}

static bool show_unit(struct evp_buf *out, const char *unit)
{
  return !unit || !*unit || (text_put_char(out, ' ') && text_put_string(out, unit));
}

bool metric_show_append(struct evp_buf *out, const struct evp_metric *metric)
{
  const struct evp_series *series = metric->series;
  return text_put_time(out, metric->time) && text_put_char(out, ' ') && text_put_string(out, series->name) &&
         show_labels(out, series->labels, series->n_labels) && text_put_char(out, ' ') && show_value(out, metric) &&
         show_unit(out, series->unit) && text_put_char(out, '\n');
}

bool log_show_append(struct evp_buf *out, const struct evp_stream *stream, const struct evp_log *log)
{
  const char *service = evp_stream_label(stream, "service");
  const struct evp_label label = {"service", service};
  bool good = text_put_time(out, log->time) && text_printf(out, " %s ", log_severity_word(log->severity)) &&
              text_put_string(out, log->name) && show_labels(out, &label, service != NULL);
  if (good && log->cap != EVP_NO_CAP) good = text_printf(out, " cap %u", log->cap);
  if (good && log->thread) good = text_printf(out, " thread %" PRIu64, log->thread);
  return good && text_put(out, ": ", 2) && text_put_visible(out, log->body, log->body_size) && text_put_char(out, '\n');
}

/* ----------------------------------------------------------------------------------------------------------------- json */

static void put_labels(struct json *json, const char *key, const struct evp_label *labels, uint32_t n)
{
  json_object(json, key);
  for (uint32_t i = 0; i < n; i++) {
    json_name(json, labels[i].key);
    json_string(json, NULL, labels[i].value);
  }
  json_end(json, '}');
}

/* JSON has no word for what is not a number: they are strings here. */
static void put_double(struct json *json, const char *key, double value)
{
  if (isfinite(value))
    json_double(json, key, value);
  else
    json_word(json, key, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
}

static void put_buckets(
  struct json *json, const char *key, const struct evp_series *series, const struct evp_buckets *buckets)
{
  json_object(json, key);
  json_unsigned(json, "count", buckets->count);
  put_double(json, "sum", buckets->sum);
  json_array(json, "buckets");
  uint64_t below = 0;
  for (uint32_t i = 0; i <= series->n_bounds; i++) {
    below += buckets->counts[i];
    json_object(json, NULL);
    put_double(json, "le", i < series->n_bounds ? series->bounds[i] : INFINITY);
    json_unsigned(json, "count", below);
    json_end(json, '}');
  }
  json_end(json, ']');
  json_end(json, '}');
}

static void put_value(struct json *json, const char *key, const struct evp_metric *metric)
{
  switch (metric->series->type) {
  case EVP_INT64:
    json_integer(json, key, metric->value.i);
    break;
  case EVP_DOUBLE:
    put_double(json, key, metric->value.d);
    break;
  default:
    put_buckets(json, key, metric->series, metric->value.buckets);
    break;
  }
}

bool metric_json_append(struct evp_buf *out, const struct evp_metric *metric)
{
  const struct evp_series *series = metric->series;
  struct json json = {.text = out};
  json_object(&json, NULL);
  json_integer(&json, "time", metric->time);
  json_string(&json, "name", series->name);
  json_word(&json, "kind", kind_word(series->kind));
  json_string(&json, "unit", series->unit ? series->unit : "");
  put_labels(&json, "labels", series->labels, series->n_labels);
  put_value(&json, "value", metric);
  if (metric->flags & EVP_METRIC_LAST) json_bool(&json, "last", true);
  if (metric->flags & EVP_METRIC_ESTIMATED) json_bool(&json, "estimated", true);
  json_end(&json, '}');
  return !json.failed && text_put_char(out, '\n');
}

bool log_json_append(struct evp_buf *out, const struct evp_stream *stream, const struct evp_log *log)
{
  const char *service = evp_stream_label(stream, "service");
  struct json json = {.text = out};
  json_object(&json, NULL);
  json_integer(&json, "time", log->time);
  json_string(&json, "name", log->name);
  json_word(&json, "severity", log_severity_word(log->severity));
  json_string(&json, "service", service ? service : "");
  if (log->cap != EVP_NO_CAP) json_unsigned(&json, "capability", log->cap);
  if (log->thread) json_unsigned(&json, "thread", log->thread);
  if (log->n_attributes) put_labels(&json, "attributes", log->attributes, log->n_attributes);
  json_bytes(&json, "message", log->body, log->body_size);
  json_end(&json, '}');
  return !json.failed && text_put_char(out, '\n');
}
