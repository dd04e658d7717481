#include "subscriptions.h"
#include <stdlib.h>
#include <string.h>

static struct subscription *find(struct subscriptions *subscriptions, const void *prefix, size_t size)
{
  for (size_t i = 0; i < subscriptions->n; i++) {
    struct subscription *item = &subscriptions->items[i];
    if (item->size == size && !memcmp(item->prefix, prefix, size)) return item;
  }
  return NULL;
}

static bool has_room(struct subscriptions *subscriptions)
{
  if (subscriptions->n < subscriptions->capacity) return true;
  size_t capacity = subscriptions->capacity ? 2 * subscriptions->capacity : 16;
  if (capacity > SUBSCRIPTIONS_MAX) return false;
  struct subscription *larger = realloc(subscriptions->items, capacity * sizeof *larger);
  if (!larger) return false;
  subscriptions->items = larger;
  subscriptions->capacity = capacity;
  return true;
}

void subscriptions_add(struct subscriptions *subscriptions, const void *prefix, size_t size)
{
  struct subscription *item = find(subscriptions, prefix, size);
  if (item) {
    item->subscribers++;
    return;
  }
  char *copy = has_room(subscriptions) ? malloc(size + 1) : NULL;
  if (!copy) {
    subscriptions->overflowed = true;
    return;
  }
  memcpy(copy, prefix, size);
  item = &subscriptions->items[subscriptions->n++];
  item->prefix = copy;
  item->size = size;
  item->subscribers = 1;
}

void subscriptions_remove(struct subscriptions *subscriptions, const void *prefix, size_t size)
{
  struct subscription *item = find(subscriptions, prefix, size);
  if (!item || --item->subscribers) return;
  free(item->prefix);
  *item = subscriptions->items[--subscriptions->n];
}

void subscriptions_free(struct subscriptions *subscriptions)
{
  for (size_t i = 0; i < subscriptions->n; i++) free(subscriptions->items[i].prefix);
  free(subscriptions->items);
  *subscriptions = (struct subscriptions){0};
}

static bool is_prefix(const struct subscription *item, const char *topic, size_t size)
{
  return item->size <= size && !memcmp(item->prefix, topic, item->size);
}

bool subscriptions_match(const struct subscriptions *subscriptions, const char *topic, size_t size)
{
  return subscriptions_match_both(subscriptions, topic, size, topic, size);
}

bool subscriptions_match_both(
  const struct subscriptions *subscriptions, const char *a, size_t a_size, const char *b, size_t b_size)
{
  if (subscriptions->overflowed) return true;
  for (size_t i = 0; i < subscriptions->n; i++)
    if (is_prefix(&subscriptions->items[i], a, a_size) && is_prefix(&subscriptions->items[i], b, b_size)) return true;
  return false;
}
