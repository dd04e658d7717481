/* target.h: where to write to: checks the options that say so and makes the addresses of them.
 *
 * Owner    the instance. Threads  those of create(). Errors  evp_option_error(); no secret is shown.
 */
#ifndef EVPIPE_INFLUXDB_TARGET_H
#define EVPIPE_INFLUXDB_TARGET_H

#include "tls_options.h"

enum { API_1, API_2 }; /* indices of the choices */
enum { COMPRESSION_GZIP, COMPRESSION_NONE };

struct target_options { /* what stands in the YAML */
  const char *url;
  int api;
  const char *database, *retention_policy;
  bool create_database;
  const char *org, *bucket;
  const char *username, *password, *token;
  int compression;
  struct tls_options tls;
};

struct target {
  char *write_url;
  char *create_url; /* makes the database; NULL: not wanted */
};

/* An empty text is as none: ${NAME:-}. */
void target_forget_empty(struct target_options *);
bool target_check(const struct target_options *, struct evp_ctx *);
bool target_make(struct target *, const struct target_options *); /* false: no memory */
void target_free(struct target *);

#endif
