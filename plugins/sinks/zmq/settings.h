/* settings.h: the options of the sink zmq, and whether they make sense together. Nothing outside is touched. */
#ifndef EVPIPE_ZMQ_SETTINGS_H
#define EVPIPE_ZMQ_SETTINGS_H

#include <evpipe.h>

enum pattern { PATTERN_PUB, PATTERN_PUSH };

struct curve_settings {
  const char *secret_key, *server_key; /* z85 */
  struct evp_strings allowed_keys;
  const char *allowed_keys_file;
  bool allow_any;
};

struct settings {
  const char *bind, *connect;
  int pattern;
  uint64_t high_water_mark, linger;
  bool allow_remote;
  struct evp_strings redact;
  struct curve_settings curve;
};

extern const struct evp_option settings_table[];

bool settings_check(struct settings *, struct evp_ctx *); /* false: reported */
/* How large messages are packed, and how many of them libzmq may keep for a subscriber, so that it is high_water_mark. */
size_t settings_message_size(const struct settings *);
int settings_messages(const struct settings *);

#endif
