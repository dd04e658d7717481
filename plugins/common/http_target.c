#include "http_private.h"
#include "utf8.h"

static int hex_digit(char digit)
{
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* In place. False: a broken escape, a control character (NUL above all), or no UTF-8. */
bool http_target_decode(char *text, bool form)
{
  char *to = text;
  for (const char *at = text; *at; at++) {
    if (*at == '%') {
      int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);
      if (low < 0) return false;
      *to++ = (char)(high << 4 | low);
      at += 2;
      if (!to[-1]) return false;
    } else {
      *to++ = form && *at == '+' ? ' ' : *at;
    }
  }
  *to = 0;
  return utf8_is_clean((const uint8_t *)text, (size_t)(to - text), UTF8_REPLACE_CONTROLS);
}

/* `.` and `..` name no page of ours, and what they mean depends on who asks. */
static bool has_dot_segment(const char *path)
{
  for (const char *at = path; *at == '/';) {
    size_t size = strcspn(++at, "/");
    if ((size == 1 && at[0] == '.') || (size == 2 && at[0] == '.' && at[1] == '.')) return true;
    at += size;
  }
  return false;
}

static bool parse_parameters(struct http_request *request, char *query)
{
  for (char *next; query; query = next) {
    next = strchr(query, '&');
    if (next) *next++ = 0;
    if (!*query) continue;
    if (request->n_parameters == HTTP_PARAMETERS) return false;
    char *value = strchr(query, '=');
    if (value) *value++ = 0;
    if (!http_target_decode(query, true) || (value && !http_target_decode(value, true))) return false;
    request->parameters[request->n_parameters++] = (struct http_parameter){query, value ? value : ""};
  }
  return true;
}

bool http_target_parse(struct http_request *request)
{
  char *query = strchr(request->target, '?');
  if (query) *query++ = 0;
  request->path = request->target;
  return *request->path == '/' && http_target_decode(request->path, false) && !has_dot_segment(request->path) &&
         parse_parameters(request, query);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
  for (size_t i = 0; i < request->n_parameters; i++)
    if (!strcmp(request->parameters[i].name, name)) return request->parameters[i].value;
  return NULL;
}
