/* request.h: one HTTP connection, kept open, on which requests are posted one after the other.
 *
 * Owner    the instance. Threads  made and freed on the main thread, used on deliver()'s, one at a time.
 * Errors   an answer without status says why there is none. Nothing is logged here, and no secret is in an answer's
 *          `failure`: libcurl's messages name hosts and files only.
 */
#ifndef EVPIPE_INFLUXDB_REQUEST_H
#define EVPIPE_INFLUXDB_REQUEST_H

#include "answer.h"
#include "target.h"

struct request;

struct request_options {
  const struct target_options *target;
  uint64_t timeout; /* ns, of a whole request; EVP_NEVER: none */
  int stop_fd; /* readable: give up */
};

struct request *request_new(const struct request_options *); /* NULL: no memory */
void request_free(struct request *); /* NULL is fine */

/* Posts `size` bytes, as they are; of what is packed as gzip it is said. */
void request_post(struct request *, const char *url, const uint8_t *data, size_t size, struct answer *);

#endif
