#include "names.h"

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* A colon is for names of metrics only. */
static bool put_name(struct evp_buf *to, const char *name, size_t size, bool colon)
{
  if (!size || is_digit(*name))
    if (!text_put_char(to, '_')) return false;
  for (size_t i = 0; i < size; i++) {
    bool good = is_letter(name[i]) || is_digit(name[i]) || (colon && name[i] == ':');
    if (!text_put_char(to, good ? name[i] : '_')) return false;
  }
  return true;
}

bool name_family(struct evp_buf *to, const struct evp_series *series)
{
  static const char TOTAL[] = "_total";
  size_t size = strlen(series->name), suffix = sizeof TOTAL - 1;
  bool total = size > suffix && !strcmp(series->name + size - suffix, TOTAL);
  return put_name(to, series->name, series->kind == EVP_COUNTER && total ? size - suffix : size, true);
}

static bool put_value(struct evp_buf *to, const char *value)
{
  for (; *value; value++) {
    const char *escape = *value == '\\' ? "\\\\" : *value == '"' ? "\\\"" : *value == '\n' ? "\\n" : NULL;
    if (!(escape ? text_put_string(to, escape) : text_put_char(to, *value))) return false;
  }
  return true;
}

/* Is there a label of that name among those that were put since `begin`? Values have no `,NAME="` in them: their quotes
   are escaped. */
static bool is_taken(const struct evp_buf *to, size_t begin, const char *name, size_t size)
{
  const uint8_t *text = to->data;
  for (size_t at = begin; at + size + 2 <= to->size; at++) {
    bool starts = at == begin || (text[at - 1] == ',' && at >= begin + 2 && text[at - 2] == '"');
    if (starts && !memcmp(text + at, name, size) && text[at + size] == '=' && text[at + size + 1] == '"') return true;
  }
  return false;
}

static bool put_label(struct evp_buf *to, size_t begin, const struct evp_label *label, bool histogram)
{
  struct evp_buf name = {0};
  bool ok = put_name(&name, label->key, strlen(label->key), false);
  if (ok && name.size >= 2 && name.data[0] == '_' && name.data[1] == '_') { /* two in front are Prometheus's own */
    name.size--;
    memmove(name.data, name.data + 1, name.size);
  }
  while (ok && ((histogram && name.size == 2 && !memcmp(name.data, "le", 2)) ||
                 is_taken(to, begin, (const char *)name.data, name.size)))
    ok = text_put_char(&name, '_');
  ok = ok && (to->size == begin || text_put_char(to, ',')) && text_put(to, name.data, name.size) &&
       text_put_string(to, "=\"") && put_value(to, label->value) && text_put_char(to, '"');
  text_free(&name);
  return ok;
}

bool name_labels(struct evp_buf *to, const struct evp_series *series)
{
  size_t begin = to->size;
  for (uint32_t i = 0; i < series->n_labels; i++)
    if (!put_label(to, begin, &series->labels[i], series->kind == EVP_HISTOGRAM)) return false;
  return true;
}
