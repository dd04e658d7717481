/* topic.h: what subscribers choose by: SIGNAL/SERVICE/NODE/, each with a sequence of its own.
 *
 * The closing slash keeps `bytes/app/heap/` from matching `bytes/app/heap2/`: ZeroMQ compares prefixes. A slash, a per cent
 * sign, a blank or a control character in the name of a service is written as % and two hexadecimal digits.
 *
 * Owner    the publisher, as long as it lives: a sequence goes on when a program is restarted.
 * Threads  one at a time.
 */
#ifndef EVPIPE_ZMQ_TOPIC_H
#define EVPIPE_ZMQ_TOPIC_H

#include "snapshot.h"
#include <evpipe.h>

struct topic {
  struct topic *next;
  uint32_t signal;
  char *name; /* not NUL-terminated */
  size_t size;
  uint64_t sequence; /* of the next message */
  bool missed; /* somebody did not get all of it */
  struct snapshot values; /* metrics: the last values, for who comes late */
};

/* False: no memory. */
bool topic_name_append(struct evp_buf *, uint32_t signal, const char *service, const char *node);
/* The topic of what `origin` makes of this stream; NULL: no memory. */
struct topic *topic_get(struct topic **all, uint32_t signal, const struct evp_stream *, const char *origin);
void topics_free(struct topic *all);

#endif
