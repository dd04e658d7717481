#include "config/units.h"
#include <errno.h>
#include <evpipe.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
  const char *name;
  uint64_t factor;
};

static const struct unit sizes[] = {{"", 1}, {"B", 1}, {"K", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20},
  {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"T", UINT64_C(1) << 40}, {"TiB", UINT64_C(1) << 40},
  {"kB", 1000}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000}, {NULL, 0}};

static const struct unit durations[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
  {"m", 60 * UINT64_C(1000000000)}, {"min", 60 * UINT64_C(1000000000)}, {"h", 3600 * UINT64_C(1000000000)},
  {"d", 86400 * UINT64_C(1000000000)}, {NULL, 0}};

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

/* Digits and a point: a size has no exponent. Whole numbers are exact up to the last byte. */
static bool with_unit(const char *text, const struct unit *units, uint64_t *value)
{
  size_t digits = strspn(text, "0123456789"), all = strspn(text, "0123456789.");
  const char *unit = text + all + strspn(text + all, " ");
  while (units->name && strcmp(unit, units->name)) units++;
  if (!all || !units->name) return false;
  errno = 0;
  if (digits == all) {
    uint64_t whole = strtoull(text, NULL, 10), product;
    if (errno || __builtin_mul_overflow(whole, units->factor, &product) || product > INT64_MAX) return false;
    *value = product;
    return true;
  }
  char *end;
  double scaled = strtod(text, &end) * (double)units->factor;
  if (errno || end != text + all || scaled >= (double)INT64_MAX) return false;
  *value = (uint64_t)(scaled + 0.5);
  return true;
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
