/* deliver.h: brings messages to the server: in one piece, in smaller ones if they are too large for it, and says what is
 * wrong.
 *
 * Owner    the instance. Threads  made and freed on the main thread, used on deliver()'s.
 */
#ifndef EVPIPE_INFLUXDB_DELIVER_H
#define EVPIPE_INFLUXDB_DELIVER_H

#include "complaint.h"
#include "request.h"

struct courier {
  struct evp_ctx *ctx;
  const struct target_options *options;
  struct target target;
  struct request *request;
  size_t piece_max; /* larger pieces were refused; 0: none was */
  uint64_t begun; /* id of the message of which a part is done; 0: none */
  uint64_t searched, searches; /* id of a message with bad lines in it, and the requests spent on finding them */
  struct complaint trouble, rejections;
  struct answer answer;
};

bool courier_start(struct courier *); /* false: reported */
void courier_stop(struct courier *);
enum evp_status courier_deliver(struct courier *, const struct evp_message *, struct evp_delivery *);

#endif
