#include "name.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_MAX = 100 }; /* bytes of a value: a file's name has 255 */

struct placeholder {
  const char *name;
  unsigned bit;
  const char *pattern; /* of what it becomes */
};

static const struct placeholder placeholders[] = {{"{service}", NAME_SERVICE, "[^/]+"},
  {"{program}", NAME_PROGRAM, "[^/]+"}, {"{pid}", NAME_PID, "([0-9]+|unknown)"},
  {"{start}", NAME_START, "[0-9]{8}T[0-9]{6}Z"}, {"{seq}", NAME_SEQ, "[0-9]+"}};

/* The placeholder that begins at `at`, NULL if none does. */
static const struct placeholder *placeholder_at(const char *at)
{
  for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++)
    if (!strncmp(at, placeholders[i].name, strlen(placeholders[i].name))) return &placeholders[i];
  return NULL;
}

/* What lies at `at`: a placeholder or one character. */
static size_t step(const char *at)
{
  const struct placeholder *placeholder = placeholder_at(at);
  return placeholder ? strlen(placeholder->name) : 1;
}

static const char *base_of(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Where the number is put: before the last dot, or before the one before that if the last suffix is .zst. */
static const char *suffix_of(const char *path)
{
  const char *base = base_of(path), *before = NULL, *last = NULL;
  for (const char *at = base; *at; at += step(at)) {
    if (*at == '{') before = last = NULL; /* a suffix is plain text */
    if (*at != '.' || at == base) continue;
    before = last;
    last = at;
  }
  if (last && before && !strcmp(last, ".zst")) return before;
  return last ? last : path + strlen(path);
}

/* ------------------------------------------------------------------------------------------------------------- checks */

static bool refuse(struct evp_ctx *ctx, const char *why)
{
  evp_option_error(ctx, "path", "%s", why);
  return false;
}

bool name_check(const char *path, struct evp_ctx *ctx)
{
  if (!*path) return refuse(ctx, "is empty; name a file");
  if (!*base_of(path)) return refuse(ctx, "ends in a slash; name a file");
  for (const char *at = path; *at; at += step(at)) {
    if (*at != '{' || placeholder_at(at)) continue;
    size_t size = strcspn(at, "}");
    evp_option_error(ctx, "path", "'%.*s' is no placeholder; there are {service}, {program}, {pid}, {start}, {seq}",
      (int)(at[size] ? size + 1 : size), at);
    return false;
  }
  return true;
}

static unsigned placeholders_until(const char *path, const char *end)
{
  unsigned found = 0;
  for (const char *at = path; at < end; at += step(at)) {
    const struct placeholder *placeholder = placeholder_at(at);
    if (placeholder) found |= placeholder->bit;
  }
  return found;
}

unsigned name_placeholders(const char *path)
{
  return placeholders_until(path, path + strlen(path));
}

unsigned name_folder_placeholders(const char *path)
{
  return placeholders_until(path, base_of(path));
}

/* ------------------------------------------------------------------------------------------------------------- making */

/* Slashes and control characters would leave the folder or forge a line; a dot in front would hide it, or be "..". */
static void put_value(FILE *out, const char *value)
{
  if (!value || !*value) value = "unknown";
  size_t size = strlen(value);
  if (size > VALUE_MAX) {
    size = VALUE_MAX;
    while (size && ((unsigned char)value[size] & 0xc0) == 0x80) size--; /* not within a character of UTF-8 */
  }
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)value[i];
    bool bad = c < ' ' || c == 0x7f || c == '/' || (c == '.' && i == 0);
    fputc(bad ? '_' : c, out);
  }
}

static void put_start(FILE *out, int64_t start)
{
  char text[32];
  struct tm when;
  time_t seconds = (time_t)(start / 1000000000);
  gmtime_r(&seconds, &when);
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &when);
  fputs(text, out);
}

static void put_fact(FILE *out, unsigned bit, const struct name_facts *facts)
{
  switch (bit) {
  case NAME_SERVICE:
    put_value(out, facts->service);
    break;
  case NAME_PROGRAM:
    put_value(out, facts->program);
    break;
  case NAME_PID:
    if (facts->pid)
      fprintf(out, "%u", facts->pid);
    else
      put_value(out, NULL);
    break;
  case NAME_START:
    put_start(out, facts->start);
    break;
  default:
    fprintf(out, "%lu", (unsigned long)facts->seq);
  }
}

/* The text of an open_memstream(), NULL if it could not be made. */
static char *text_of(FILE *out, char **text)
{
  if (out && !fclose(out)) return *text;
  if (out) free(*text);
  return NULL;
}

char *name_make(const char *path, const struct name_facts *facts, unsigned number, const char *end)
{
  char *name = NULL;
  size_t size;
  FILE *out = open_memstream(&name, &size);
  const char *suffix = suffix_of(path);
  for (const char *at = path; out; at += step(at)) {
    if (at == suffix && number > 1) fprintf(out, "-%u", number);
    if (!*at) break;
    const struct placeholder *placeholder = placeholder_at(at);
    if (placeholder)
      put_fact(out, placeholder->bit, facts);
    else
      fputc(*at, out);
  }
  if (out) fputs(end, out);
  return text_of(out, &name);
}

char *name_folder(const char *path)
{
  const char *base = base_of(path);
  if (base == path) return strdup(".");
  return base == path + 1 ? strdup("/") : strndup(path, (size_t)(base - path) - 1);
}

bool name_pattern(const char *path, regex_t *pattern)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  const char *suffix = suffix_of(path);
  if (out) fputc('^', out);
  for (const char *at = base_of(path); out; at += step(at)) {
    if (at == suffix) fputs("(-[0-9]+)?", out);
    if (!*at) break;
    const struct placeholder *placeholder = placeholder_at(at);
    if (placeholder)
      fputs(placeholder->pattern, out);
    else
      fprintf(out, strchr(".[]{}()\\*+?^$|", *at) ? "\\%c" : "%c", *at);
  }
  if (out) fputs("(\\.part)?$", out);
  text = text_of(out, &text);
  bool good = text && !regcomp(pattern, text, REG_EXTENDED | REG_NOSUB);
  free(text);
  return good;
}
