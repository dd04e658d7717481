#include "exposition.h"
#include "http_server.h"
#include <math.h>

enum exposition_format exposition_choose(const char *accept)
{
  int open = http_weight(accept, "application/openmetrics-text"), text = http_weight(accept, "text/plain");
  return open > 0 && open >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

const char *exposition_type(enum exposition_format format)
{
  return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                          : "text/plain; version=0.0.4; charset=utf-8";
}

/* --------------------------------------------------------------------------------------------------------------- heads */

/* The sample's name, and in the text format the family's, too. */
static const char *suffix_of(const struct family *family)
{
  return family->kind == EVP_COUNTER ? "_total" : "";
}

static const char *word_of(const struct family *family)
{
  return family->kind == EVP_COUNTER ? "counter" : family->kind == EVP_HISTOGRAM ? "histogram" : "gauge";
}

static bool put_help(struct evp_buf *to, const char *help, enum exposition_format format)
{
  for (; *help; help++) {
    const char *escape = *help == '\\'                                      ? "\\\\"
                         : *help == '\n'                                    ? "\\n"
                         : *help == '"' && format == EXPOSITION_OPENMETRICS ? "\\\""
                                                                            : NULL;
    if (!(escape ? text_put_string(to, escape) : text_put_char(to, *help))) return false;
  }
  return true;
}

static bool ends_with_unit(const struct family *family)
{
  size_t name = strlen(family->name), unit = strlen(family->unit);
  return unit && name > unit && family->name[name - unit - 1] == '_' &&
         !strcmp(family->name + name - unit, family->unit);
}

static bool put_head(struct evp_buf *to, const struct family *family, enum exposition_format format)
{
  bool open = format == EXPOSITION_OPENMETRICS;
  const char *suffix = open ? "" : suffix_of(family);
  bool ok = true;
  if (*family->help)
    ok = text_put_string(to, "# HELP ") && text_put_string(to, family->name) && text_put_string(to, suffix) &&
         text_put_char(to, ' ') && put_help(to, family->help, format) && text_put_char(to, '\n');
  ok = ok && text_put_string(to, "# TYPE ") && text_put_string(to, family->name) && text_put_string(to, suffix) &&
       text_put_char(to, ' ') && text_put_string(to, word_of(family)) && text_put_char(to, '\n');
  if (ok && open && ends_with_unit(family))
    ok = text_put_string(to, "# UNIT ") && text_put_string(to, family->name) && text_put_char(to, ' ') &&
         text_put_string(to, family->unit) && text_put_char(to, '\n');
  return ok;
}

/* -------------------------------------------------------------------------------------------------------------- samples */

/* NAME SUFFIX {LABELS,le="LE"} and a blank. */
static bool put_name(struct evp_buf *to, const struct shown *shown, const char *suffix, const char *le, size_t le_size)
{
  bool labels = shown->labels_size > 0, ok = text_put_string(to, shown->family->name) && text_put_string(to, suffix);
  if (ok && (labels || le)) ok = text_put_char(to, '{') && text_put(to, shown->labels, shown->labels_size);
  if (ok && le)
    ok = (!labels || text_put_char(to, ',')) && text_put_string(to, "le=\"") && text_put(to, le, le_size) &&
         text_put_char(to, '"');
  if (ok && (labels || le)) ok = text_put_char(to, '}');
  return ok && text_put_char(to, ' ');
}

/* A bound always has a fraction: Prometheus before 3 takes "1" and "1.0" for two series, and OpenMetrics wants "1.0". */
static size_t format_bound(char *to, double bound)
{
  size_t size = text_format_double(to, bound);
  if (!isfinite(bound) || memchr(to, '.', size) || memchr(to, 'e', size)) return size;
  memcpy(to + size, ".0", 2);
  return size + 2;
}

/* `count` is the last bucket, whatever the item says: Prometheus relies on it. */
static bool put_histogram(struct evp_buf *to, const struct shown *shown)
{
  char le[TEXT_DOUBLE_MAX + 2];
  const struct family *family = shown->family;
  uint64_t below = 0;
  for (uint32_t i = 0; i < family->n_bounds; i++) {
    below += shown->counts[i];
    if (!put_name(to, shown, "_bucket", le, format_bound(le, family->bounds[i])) || !text_put_unsigned(to, below) ||
        !text_put_char(to, '\n'))
      return false;
  }
  below += shown->counts[family->n_bounds];
  return put_name(to, shown, "_bucket", "+Inf", 4) && text_put_unsigned(to, below) && text_put_char(to, '\n') &&
         put_name(to, shown, "_sum", NULL, 0) && text_put_double(to, shown->buckets.sum) && text_put_char(to, '\n') &&
         put_name(to, shown, "_count", NULL, 0) && text_put_unsigned(to, below) && text_put_char(to, '\n');
}

static bool put_shown(struct evp_buf *to, const struct shown *shown)
{
  const struct family *family = shown->family;
  if (family->kind == EVP_HISTOGRAM) return put_histogram(to, shown);
  return put_name(to, shown, suffix_of(family), NULL, 0) &&
         (family->type == EVP_DOUBLE ? text_put_double(to, shown->value.d) : text_put_integer(to, shown->value.i)) &&
         text_put_char(to, '\n');
}

bool exposition_put(struct evp_buf *to, const struct table *table, enum exposition_format format)
{
  for (const struct family *family = table->families; family; family = family->next) {
    if (!put_head(to, family, format)) return false;
    for (size_t i = 0; i < family->n; i++)
      if (!put_shown(to, family->shown[i])) return false;
  }
  return format != EXPOSITION_OPENMETRICS || text_put_string(to, "# EOF\n");
}
