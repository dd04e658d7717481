/* subscriptions.h: who has subscribed to what, as XPUB tells it: a bag of prefixes.
 *
 * Bounds   SUBSCRIPTIONS_MAX different prefixes. If there are more, every topic is taken for subscribed from then on:
 *          that costs work, not messages.
 * Threads  one at a time.
 */
#ifndef EVPIPE_ZMQ_SUBSCRIPTIONS_H
#define EVPIPE_ZMQ_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUBSCRIPTIONS_MAX = 4096 };

struct subscription {
  char *prefix;
  size_t size;
  uint64_t subscribers;
};

struct subscriptions {
  struct subscription *items;
  size_t n, capacity;
  bool overflowed;
};

void subscriptions_add(struct subscriptions *, const void *prefix, size_t size);
void subscriptions_remove(struct subscriptions *, const void *prefix, size_t size);
void subscriptions_free(struct subscriptions *);

bool subscriptions_match(const struct subscriptions *, const char *topic, size_t size);
/* Is there a prefix of both: may somebody get both? */
bool subscriptions_match_both(const struct subscriptions *, const char *a, size_t a_size, const char *b, size_t b_size);

#endif
