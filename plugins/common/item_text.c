#include "item_text.h"
#include "log_words.h"
#include "text.h"
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

static bool json_labels(struct evp_buf *out, const char *key, const struct evp_label *labels, uint32_t n)
{
  bool good = text_printf(out, ",\"%s\":{", key);
  for (uint32_t i = 0; good && i < n; i++)
    good = (!i || text_put_char(out, ',')) && text_put_json_string(out, labels[i].key) && text_put_char(out, ':') &&
           text_put_json_string(out, labels[i].value);
  return good && text_put_char(out, '}');
}

/* JSON has no word for what is not a number: they are strings there. */
static bool json_double(struct evp_buf *out, double value)
{
  if (isfinite(value)) return text_put_double(out, value);
  return text_put_char(out, '"') && text_put_double(out, value) && text_put_char(out, '"');
}

static bool json_bucket(struct evp_buf *out, bool first, double bound, uint64_t below)
{
  return (first || text_put_char(out, ',')) && text_put_string(out, "{\"le\":") && json_double(out, bound) &&
         text_printf(out, ",\"count\":%" PRIu64 "}", below);
}

static bool json_buckets(struct evp_buf *out, const struct evp_series *series, const struct evp_buckets *buckets)
{
  bool good = text_printf(out, "{\"count\":%" PRIu64 ",\"sum\":", buckets->count) && json_double(out, buckets->sum) &&
              text_put_string(out, ",\"buckets\":[");
  uint64_t below = 0;
  for (uint32_t i = 0; good && i <= series->n_bounds; i++) {
    below += buckets->counts[i];
    good = json_bucket(out, !i, i < series->n_bounds ? series->bounds[i] : INFINITY, below);
  }
  return good && text_put(out, "]}", 2);
}

static bool json_value(struct evp_buf *out, const struct evp_metric *metric)
{
  switch (metric->series->type) {
  case EVP_INT64:
    return text_put_integer(out, metric->value.i);
  case EVP_DOUBLE:
    return json_double(out, metric->value.d);
  default:
    return json_buckets(out, metric->series, metric->value.buckets);
  }
}

bool metric_json_append(struct evp_buf *out, const struct evp_metric *metric)
{
  const struct evp_series *series = metric->series;
  bool good = text_put(out, "{\"time\":", 8) && text_put_integer(out, metric->time) &&
              text_put_string(out, ",\"name\":") && text_put_json_string(out, series->name) &&
              text_printf(out, ",\"kind\":\"%s\",\"unit\":", kind_word(series->kind)) &&
              text_put_json_string(out, series->unit ? series->unit : "") &&
              json_labels(out, "labels", series->labels, series->n_labels) && text_put_string(out, ",\"value\":") &&
              json_value(out, metric);
  if (good && metric->flags & EVP_METRIC_LAST) good = text_put_string(out, ",\"last\":true");
  if (good && metric->flags & EVP_METRIC_ESTIMATED) good = text_put_string(out, ",\"estimated\":true");
  return good && text_put(out, "}\n", 2);
}

bool log_json_append(struct evp_buf *out, const struct evp_stream *stream, const struct evp_log *log)
{
  const char *service = evp_stream_label(stream, "service");
  bool good = text_put(out, "{\"time\":", 8) && text_put_integer(out, log->time) &&
              text_put_string(out, ",\"name\":") && text_put_json_string(out, log->name) &&
              text_printf(out, ",\"severity\":\"%s\"", log_severity_word(log->severity)) &&
              text_put_string(out, ",\"service\":") && text_put_json_string(out, service ? service : "");
  if (good && log->cap != EVP_NO_CAP) good = text_printf(out, ",\"capability\":%u", log->cap);
  if (good && log->thread) good = text_printf(out, ",\"thread\":%" PRIu64, log->thread);
  if (good && log->n_attributes) good = json_labels(out, "attributes", log->attributes, log->n_attributes);
  return good && text_put_string(out, ",\"message\":") && text_put_json(out, log->body, log->body_size) &&
         text_put(out, "}\n", 2);
}
