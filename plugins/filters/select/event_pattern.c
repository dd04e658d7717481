#include "event_pattern.h"

#include "event_format.h"
#include "ranges.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static void add(struct type_set *set, uint32_t type)
{
  set->bits[type >> 6] |= UINT64_C(1) << (type & 63);
}

bool event_pattern_add(struct type_set *set, const char *pattern)
{
  struct range range;
  if (strcmp(pattern, "*") == 0) {
    memset(set->bits, 0xff, sizeof set->bits);
    return true;
  }
  if (range_parse(pattern, UINT16_MAX, &range)) {
    for (uint32_t type = range.first; type <= range.last; type++) add(set, type);
    return true;
  }
  bool any = false;
  for (size_t i = 0; i < event_n_formats; i++) {
    const char *name = event_formats[i].name;
    if (!name || fnmatch(pattern, name, FNM_CASEFOLD) != 0) continue;
    add(set, (uint32_t)i);
    any = true;
  }
  return any;
}

/* Edit distance from `text` to the prefix of `name` that is nearest to it (or to all of it, if `whole`); *used is that
   prefix's length. Levenshtein's rows, one byte a step. */
static size_t distance_to(const char *text, const char *name, bool whole, size_t *used)
{
  size_t n = strlen(name), row[EVENT_PATTERN_MAX];
  for (size_t k = 0; k <= n; k++) row[k] = k;
  for (size_t i = 0; text[i]; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t k = 1; k <= n; k++) {
      size_t replaced = diagonal + (toupper((unsigned char)text[i]) != name[k - 1]);
      size_t shorter = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
      diagonal = row[k];
      row[k] = replaced < shorter ? replaced : shorter;
    }
  }
  *used = n;
  for (size_t k = n; !whole && k-- > 0;)
    if (row[k] < row[*used]) *used = k;
  return row[*used];
}

void event_pattern_suggest(const char *pattern, char suggestion[EVENT_PATTERN_MAX])
{
  char text[EVENT_PATTERN_MAX];
  size_t n = strcspn(pattern, "*?[");
  suggestion[0] = 0;
  if (n < 2 || n >= sizeof text - 1) return;
  memcpy(text, pattern, n);
  text[n] = 0;
  bool whole = !pattern[n];
  size_t nearest = 2 * (n / 3 + 2); /* further is another word */
  for (size_t i = 0; i < event_n_formats; i++) {
    const char *name = event_formats[i].name;
    if (!name || strlen(name) >= sizeof text - 1) continue;
    size_t used, distance = 2 * distance_to(text, name, whole, &used);
    distance += used != n; /* of equally near ones, one as long: letters that changed places */
    if (distance >= nearest) continue;
    nearest = distance;
    snprintf(suggestion, EVENT_PATTERN_MAX, "%.*s%s", (int)used, name, whole ? "" : "*");
  }
}
