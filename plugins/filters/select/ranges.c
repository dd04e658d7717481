#include "ranges.h"

static bool parse_number(const char **text, uint32_t largest, uint32_t *number)
{
  uint64_t value = 0;
  const char *at = *text;
  for (; *at >= '0' && *at <= '9'; at++) {
    value = value * 10 + (uint64_t)(*at - '0');
    if (value > largest) return false;
  }
  if (at == *text) return false;
  *number = (uint32_t)value;
  *text = at;
  return true;
}

bool range_parse(const char *text, uint32_t largest, struct range *range)
{
  if (!parse_number(&text, largest, &range->first)) return false;
  range->last = range->first;
  if (*text == '-') {
    text++;
    if (!parse_number(&text, largest, &range->last)) return false;
  }
  return !*text && range->first <= range->last;
}

bool ranges_have(const struct ranges *ranges, uint32_t number)
{
  for (size_t i = 0; i < ranges->n; i++)
    if (number >= ranges->items[i].first && number <= ranges->items[i].last) return true;
  return false;
}
