/* key_list.h: the public keys that may connect. CURVE's keys are 32 bytes, written as 40 characters of z85 (ZeroMQ RFC 32).
 *
 * Owner    whoever loads it. Threads  one at a time; reading, any.
 */
#ifndef EVPIPE_ZMQ_KEY_LIST_H
#define EVPIPE_ZMQ_KEY_LIST_H

#include <evpipe.h>

enum { KEY_SIZE = 32, KEY_TEXT_SIZE = 40, KEYS_MAX = 100000 };

struct key_list {
  uint8_t (*keys)[KEY_SIZE];
  size_t n, capacity;
};

bool key_is_good(const char *text);
bool key_list_add(struct key_list *, const char *text); /* of a good key; false: no memory */
/* One key a line, blanks around it, # begins a comment. False: reported, with the number of the line. */
bool key_list_read(struct key_list *, const char *path, struct evp_ctx *);
bool key_list_has(const struct key_list *, const uint8_t key[KEY_SIZE]);
void key_list_free(struct key_list *);

#endif
