/* answer.h: what an InfluxDB answered, and what it means. No library, no state: any thread.
 *
 * Source   influxdb 1.x services/httpd/handler.go (serveWrite), the API pages of 2.x; both as tried (backends.md 6.2).
 */
#ifndef EVPIPE_INFLUXDB_ANSWER_H
#define EVPIPE_INFLUXDB_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_BODY_MAX = 32 * 1024, ANSWER_TEXT_MAX = 400 };

struct answer {
  long status; /* of HTTP; 0: there was none */
  uint64_t retry_after; /* ns; 0: the server did not say */
  bool stopped; /* given up because evpipe stops */
  char failure[ANSWER_TEXT_MAX]; /* without a status: why */
  size_t body_size, body_total; /* what was kept of it, what came */
  char body[ANSWER_BODY_MAX + 1];
};

enum verdict_kind {
  VERDICT_STORED, /* but for `rejected` points */
  VERDICT_TOO_LARGE, /* to be sent in smaller pieces */
  VERDICT_MALFORMED, /* nothing was stored because of what is in it */
  VERDICT_NO_DATABASE, /* to be created */
  VERDICT_LATER /* to be sent again, as it is */
};

struct verdict {
  enum verdict_kind kind;
  uint64_t rejected;
  bool setup; /* somebody has to change something before it works */
  char text[ANSWER_TEXT_MAX]; /* for people; empty if all is well */
};

/* `api`: 1 or 2. `rejected` is the server's word, not limited by what was sent. */
void answer_judge(const struct answer *, int api, struct verdict *);

/* The message in an answer's body, one line of printable text: of {"error": ...}, {"message": ...}, or the body itself. */
void answer_text(const struct answer *, char *text, size_t size);

#endif
