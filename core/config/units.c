#include "config/units.h"
#include <errno.h>
#include <evpipe.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
  const char *name;
  double factor;
};

static const struct unit sizes[] = {{"", 1}, {"B", 1}, {"K", 1024.0}, {"KiB", 1024.0}, {"M", 1048576.0},
  {"MiB", 1048576.0}, {"G", 1073741824.0}, {"GiB", 1073741824.0}, {"T", 1099511627776.0}, {"TiB", 1099511627776.0},
  {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {NULL, 0}};

static const struct unit durations[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"min", 60e9},
  {"h", 3600e9}, {"d", 86400e9}, {NULL, 0}};

bool parse_bool(const char *text, bool *value)
{
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcasecmp(text, words[i])) {
      *value = i % 2;
      return true;
    }
  return false;
}

bool parse_int(const char *text, int64_t *value)
{
  char *end;
  errno = 0;
  long long parsed = strtoll(text, &end, 10);
  if (errno || end == text || *end || strchr(" \t\n+", text[0])) return false;
  *value = parsed;
  return true;
}

/* Digits, a point, an exponent: nothing of what else strtod would take. */
static bool number(const char *text, double *value, const char **rest)
{
  char *end;
  if (!*text || !strchr("0123456789.-", text[0]) || !strncasecmp(text, "0x", 2)) return false;
  errno = 0;
  double parsed = strtod(text, &end);
  if (errno || end == text || !isfinite(parsed)) return false;
  *value = parsed;
  *rest = end;
  return true;
}

bool parse_double(const char *text, double *value)
{
  const char *rest;
  double parsed;
  if (!number(text, &parsed, &rest) || *rest) return false;
  *value = parsed;
  return true;
}

static bool with_unit(const char *text, const struct unit *units, uint64_t *value)
{
  const char *rest;
  double parsed;
  if (!number(text, &parsed, &rest) || parsed < 0) return false;
  while (*rest == ' ') rest++;
  for (; units->name; units++) {
    if (strcmp(rest, units->name)) continue;
    double scaled = parsed * units->factor;
    if (scaled >= 9.2e18) return false;
    *value = (uint64_t)(scaled + 0.5);
    return true;
  }
  return false;
}

bool parse_size(const char *text, uint64_t *bytes)
{
  return with_unit(text, sizes, bytes);
}

bool parse_duration(const char *text, uint64_t *ns)
{
  if (!strcmp(text, "never") || !strcmp(text, "none")) return *ns = EVP_NEVER, true;
  if (!strcmp(text, "0")) return *ns = 0, true;
  return with_unit(text, durations, ns);
}

const char *size_unit(size_t i)
{
  return sizes[i].name;
}

const char *duration_unit(size_t i)
{
  return durations[i].name;
}
