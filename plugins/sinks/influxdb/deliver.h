/* deliver.h: brings messages to the server: in one piece, in smaller ones if they are too large for it, and says what is
 * wrong. A message is line protocol, plain or packed as gzip, whatever `compression` says: it may be of an earlier process.
 * It is asked for plain where it is to be cut, or the server is not to get gzip.
 *
 * Owner    the instance. Threads  made and freed on the main thread, used on deliver()'s.
 */
#ifndef EVPIPE_INFLUXDB_DELIVER_H
#define EVPIPE_INFLUXDB_DELIVER_H

#include "complaint.h"
#include "gzip.h"
#include "request.h"

struct courier {
  struct evp_ctx *ctx;
  const struct target_options *options;
  struct target target;
  struct request *request;
  struct gzip *gzip; /* for what is not packed yet; NULL: bodies go as they are */
  size_t piece_max; /* larger pieces were refused, plain bytes; 0: none was */
  uint64_t refused_packed; /* id of a message that was refused, and is asked for plain since; 0: none */
  struct verdict refusal; /* of that */
  uint64_t begun; /* id of the message of which a part is done; 0: none */
  uint64_t searched, searches; /* id of a message with bad lines in it, and the requests spent on finding them */
  struct complaint trouble, rejections;
  struct answer answer;
};

bool courier_start(struct courier *); /* false: reported */
void courier_stop(struct courier *);
enum evp_status courier_deliver(struct courier *, const struct evp_message *, struct evp_delivery *);

#endif
