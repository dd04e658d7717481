#include "line_protocol.h"
#include "hash.h"
#include "line_escape.h"
#include "log_words.h"
#include "text.h"
#include <math.h>

/* Direct-mapped: the ids of series are counted upwards, so that as many neighbours never displace each other. */
enum { PREFIXES = 8192, LOG_SERIES = 64 };

/* InfluxDB refuses a series key of more than 65,535 bytes. */
enum { KEY_MAX = 60000 };

struct prefix { /* "measurement,tags value=" of a series; of a histogram "measurement,tags " */
  uint64_t id; /* with text only */
  char *text;
  uint32_t size, capacity;
};

/* Logs of one series must differ in time, or InfluxDB keeps the last only: from `first` to `last` all is taken. */
struct log_series {
  uint64_t hash;
  int64_t first, last;
};

struct line_protocol {
  struct evp_ctx *ctx;
  struct prefix prefixes[PREFIXES];
  struct evp_buf key; /* while one is being made */
  struct log_series logs[LOG_SERIES];
  size_t next_log;
  int64_t time; /* and how it is written: a census has many points of one time */
  char time_text[TEXT_INTEGER_MAX + 2];
  size_t time_size;
};

struct line_protocol *line_protocol_new(struct evp_ctx *ctx)
{
  struct line_protocol *protocol = calloc(1, sizeof *protocol);
  if (protocol) protocol->ctx = ctx;
  return protocol;
}

void line_protocol_free(struct line_protocol *protocol)
{
  if (!protocol) return;
  for (size_t i = 0; i < PREFIXES; i++) free(protocol->prefixes[i].text);
  text_free(&protocol->key);
  free(protocol);
}

static enum evp_status no_memory(struct line_protocol *protocol)
{
  evp_error(protocol->ctx, "no memory for a line of %s", "line protocol");
  return EVP_ERROR;
}

/* ------------------------------------------------------------------------------------------- what a line begins with */

/* InfluxDB refuses these as keys of tags. */
static bool is_reserved(const char *key)
{
  return !strcmp(key, "time") || !strcmp(key, "_field") || !strcmp(key, "_measurement");
}

static bool put_tag(struct evp_buf *key, const struct evp_label *label)
{
  if (!*label->key || !*label->value) return true; /* "missing tag value" */
  return text_put_char(key, ',') && line_escape_tag(key, label->key) &&
         (!is_reserved(label->key) || text_put_char(key, '_')) && text_put_char(key, '=') &&
         line_escape_tag(key, label->value);
}

static bool make_key(struct evp_buf *key, const struct evp_series *series)
{
  key->size = 0;
  if (!line_escape_measurement(key, series->name)) return false;
  for (uint32_t i = 0; i < series->n_labels; i++)
    if (!put_tag(key, &series->labels[i])) return false;
  return text_put_string(key, series->type == EVP_BUCKETS ? " " : " value=");
}

static bool set_prefix(struct prefix *prefix, uint64_t id, const struct evp_buf *key)
{
  if (prefix->capacity < key->size) {
    char *text = realloc(prefix->text, key->size);
    if (!text) return false;
    prefix->text = text;
    prefix->capacity = (uint32_t)key->size;
  }
  memcpy(prefix->text, key->data, key->size);
  prefix->size = (uint32_t)key->size;
  prefix->id = id;
  return true;
}

/* NULL: no memory. A series that can not be written has an empty prefix. */
static const struct prefix *find_prefix(struct line_protocol *protocol, const struct evp_series *series)
{
  struct prefix *prefix = &protocol->prefixes[series->id % PREFIXES];
  if (prefix->text && prefix->id == series->id) return prefix;
  if (!make_key(&protocol->key, series) || !set_prefix(prefix, series->id, &protocol->key)) return NULL;
  if (!*series->name || protocol->key.size > KEY_MAX) prefix->size = 0;
  return prefix;
}

/* ------------------------------------------------------------------------------------------------------------ metrics */

static void put_time(struct line_protocol *protocol, struct evp_buf *out, int64_t time)
{
  if (time != protocol->time || !protocol->time_size) {
    char *text = protocol->time_text;
    text[0] = ' ';
    protocol->time_size = 1 + text_format_integer(text + 1, time);
    text[protocol->time_size++] = '\n';
    protocol->time = time;
  }
  memcpy(out->data + out->size, protocol->time_text, protocol->time_size);
  out->size += protocol->time_size;
}

/* Counts are unsigned, fields are not; a field that became a float would be refused. */
static size_t format_count(char *to, uint64_t count)
{
  size_t size = text_format_unsigned(to, count > INT64_MAX ? INT64_MAX : count);
  to[size++] = 'i';
  return size;
}

static bool put_buckets(struct evp_buf *out, const struct evp_series *series, const struct evp_buckets *buckets)
{
  char number[TEXT_DOUBLE_MAX + 1];
  bool good = text_put(out, "count=", 6) && text_put(out, number, format_count(number, buckets->count)) &&
              text_put(out, ",sum=", 5) && text_put_double(out, buckets->sum);
  uint64_t below = 0;
  for (uint32_t i = 0; good && i < series->n_bounds; i++) {
    below += buckets->counts[i];
    good = text_put_char(out, ',') && text_put_double(out, series->bounds[i]) && text_put_char(out, '=') &&
           text_put(out, number, format_count(number, below));
  }
  return good;
}

static bool is_finite(const struct evp_metric *metric)
{
  switch (metric->series->type) {
  case EVP_DOUBLE:
    return isfinite(metric->value.d);
  case EVP_BUCKETS:
    return isfinite(metric->value.buckets->sum);
  default:
    return true;
  }
}

static bool put_value(struct evp_buf *out, const struct evp_metric *metric)
{
  char *to = (char *)out->data + out->size; /* there is room for a number */
  switch (metric->series->type) {
  case EVP_INT64:
    out->size += text_format_integer(to, metric->value.i);
    out->data[out->size++] = 'i';
    return true;
  case EVP_DOUBLE:
    out->size += text_format_double(to, metric->value.d);
    return true;
  default:
    return put_buckets(out, metric->series, metric->value.buckets);
  }
}

static enum evp_status encode_metric(
  struct line_protocol *protocol, const struct evp_metric *metric, struct evp_buf *out)
{
  enum { NUMBER_AND_TIME = TEXT_DOUBLE_MAX + TEXT_INTEGER_MAX + 4 };
  const struct prefix *prefix = find_prefix(protocol, metric->series);
  if (!prefix) return no_memory(protocol);
  if (!prefix->size || !is_finite(metric)) {
    evp_drop(protocol->ctx, 1, prefix->size ? "not_finite" : "bad_name");
    return EVP_OK;
  }
  size_t most = prefix->size + NUMBER_AND_TIME;
  if (out->capacity - out->size < most && !evp_buf_grow(out, most)) return no_memory(protocol);
  memcpy(out->data + out->size, prefix->text, prefix->size);
  out->size += prefix->size;
  if (!put_value(out, metric)) return no_memory(protocol);
  if (out->capacity - out->size < NUMBER_AND_TIME && !evp_buf_grow(out, NUMBER_AND_TIME)) return no_memory(protocol);
  put_time(protocol, out, metric->time);
  return EVP_OK;
}

/* --------------------------------------------------------------------------------------------------------------- logs */

/* 1 ns later than the last log of its series, if it has the same time. */
static int64_t distinct_time(struct line_protocol *protocol, const uint8_t *key, size_t size, int64_t time)
{
  uint64_t hash = hash_name(key, size);
  struct log_series *series = NULL;
  for (size_t i = 0; i < LOG_SERIES && !series; i++)
    if (protocol->logs[i].hash == hash) series = &protocol->logs[i];
  if (series && time >= series->first && time <= series->last) return ++series->last;
  if (!series) series = &protocol->logs[protocol->next_log++ % LOG_SERIES];
  *series = (struct log_series){.hash = hash, .first = time, .last = time};
  return time;
}

static const char *service_of(const struct evp_batch *batch)
{
  const char *service = evp_stream_label(batch->stream, "service");
  return service ? service : "";
}

static bool put_log_key(struct evp_buf *out, const struct evp_batch *batch, const struct evp_log *log)
{
  return text_put_string(out, "ghc_log") && put_tag(out, &(struct evp_label){"kind", log_kind_word(log->name)}) &&
         put_tag(out, &(struct evp_label){"service", service_of(batch)}) &&
         put_tag(out, &(struct evp_label){"severity", log_severity_word(log->severity)});
}

/* What else is known of a log; not as tags, which would make series of it. */
static bool put_attribute(struct evp_buf *out, const struct evp_label *label)
{
  static const char *const taken[] = {"message", "capability", "thread"};
  if (!*label->key || is_reserved(label->key)) return true;
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (!strcmp(label->key, taken[i])) return true;
  return text_put_char(out, ',') && line_escape_tag(out, label->key) && text_put_char(out, '=') &&
         line_escape_string(out, label->value, strlen(label->value));
}

static bool put_log_fields(struct evp_buf *out, const struct evp_log *log)
{
  char number[TEXT_INTEGER_MAX + 1];
  bool good = text_put(out, " message=", 9) && line_escape_string(out, log->body, log->body_size);
  if (good && log->cap != EVP_NO_CAP)
    good = text_put_string(out, ",capability=") && text_put(out, number, format_count(number, log->cap));
  if (good && log->thread)
    good = text_put_string(out, ",thread=") && text_put(out, number, format_count(number, log->thread));
  for (uint32_t i = 0; good && i < log->n_attributes; i++) good = put_attribute(out, &log->attributes[i]);
  return good;
}

static enum evp_status encode_log(
  struct line_protocol *protocol, const struct evp_batch *batch, const struct evp_log *log, struct evp_buf *out)
{
  size_t begin = out->size;
  if (!put_log_key(out, batch, log)) return no_memory(protocol);
  int64_t time = distinct_time(protocol, out->data + begin, out->size - begin, log->time);
  if (!put_log_fields(out, log)) return no_memory(protocol);
  if (!text_put_char(out, ' ') || !text_put_integer(out, time) || !text_put_char(out, '\n')) return no_memory(protocol);
  return EVP_OK;
}

enum evp_status line_protocol_encode(struct line_protocol *protocol, const struct evp_batch *batch, struct evp_buf *out)
{
  enum evp_status status = EVP_OK;
  for (uint32_t i = 0; i < batch->n && status == EVP_OK; i++) {
    if (batch->signal == EVP_METRICS)
      status = encode_metric(protocol, &batch->metrics[batch->sel[i]], out);
    else if (batch->signal == EVP_LOGS)
      status = encode_log(protocol, batch, &batch->logs[batch->sel[i]], out);
  }
  return status;
}

/* --------------------------------------------------------------------------------------------------------- its lines */

/* As InfluxDB's scanLine: a quote counts behind the first blank that is not escaped, where only strings have quotes. */
size_t line_protocol_line_end(const uint8_t *data, size_t size, size_t from)
{
  bool fields = false, quoted = false;
  for (size_t i = from; i < size; i++) {
    if (data[i] == '\\')
      i++;
    else if (data[i] == '\n' && !quoted)
      return i + 1;
    else if (data[i] == ' ')
      fields = true;
    else if (data[i] == '"' && fields)
      quoted = !quoted;
  }
  return size;
}

uint64_t line_protocol_lines(const uint8_t *data, size_t size)
{
  uint64_t lines = 0;
  for (size_t at = 0; at < size; at = line_protocol_line_end(data, size, at)) lines++;
  return lines;
}
