/* spool.h: sealed messages on disk, in the order of their ids, until they are delivered: one SQLite file (PATH, and
 * beside it PATH-wal), owned by one process. It knows nothing of queues, threads and back ends.
 *
 * Owner    whoever opened it; calls are made by one thread at a time.
 * Errors   spool_error() says in one line what went wrong last, where, and what to do.
 * Rule     what spool_put() took is on the disk when it returns, and is there again after a crash, until
 *          spool_remove(). What spool_advance() and spool_remove() say survives a crash of evpipe at once, and of the
 *          machine with the next spool_put(): a message may be seen twice then, never not at all.
 */
#ifndef EVPIPE_SPOOL_H
#define EVPIPE_SPOOL_H

#include <evpipe.h>

struct spool;

enum spool_status {
  SPOOL_OK,
  SPOOL_EMPTY, /* there is no first message */
  SPOOL_FULL, /* max_size: try again when something was removed */
  SPOOL_TROUBLE, /* the disk is full or fails: try again later */
  SPOOL_DAMAGED, /* of the first message: its bytes are not what was put */
  SPOOL_BROKEN /* the file is damaged: nothing more can be done with it here */
};

struct spool_options {
  const char *path; /* the file; its folder is there */
  uint64_t max_size; /* bytes on disk; one message is always taken, however large */
  const char *plugin; /* whose messages these are, and in which form */
  uint32_t format;
};

struct spool_content {
  uint64_t messages, items, bytes;
  uint64_t first_id; /* of the first message; just after one was removed, that one's */
};

enum { SPOOL_ERROR_MAX = 512 };

/* Makes or opens it, and looks through it. NULL: `error` says why. A file that is no spool is left as it is. */
struct spool *spool_open(const struct spool_options *, char error[SPOOL_ERROR_MAX]);
void spool_close(struct spool *);
const char *spool_error(const struct spool *);
struct spool_content spool_content(const struct spool *); /* what waits in it, the first message as far as it is left */
uint64_t spool_last_id(const struct spool *); /* of all that were ever put */

/* The message's id is larger than those put before, or smaller than all that are in it. OK, FULL, TROUBLE, BROKEN. */
enum spool_status spool_put(struct spool *, const struct evp_message *);
/* The first message, or what is left of it; its data is valid until it is removed. */
enum spool_status spool_first(struct spool *, struct evp_message *);
/* Of the first message so many more leading bytes are done, and so many items are left. OK, TROUBLE, BROKEN: the next
   process may see it as it was. */
enum spool_status spool_advance(struct spool *, size_t delivered, uint64_t items);
/* The first message is from now on these bytes, which are taken over, and as many items as are left: for what can only be
   delivered in parts when its bytes are other ones than were put. Not OK (FULL, TROUBLE, BROKEN): only in memory; the next
   process sees it as it was put, whatever is delivered of it. */
enum spool_status spool_replace(struct spool *, struct evp_buf *);
/* The first message is over, whatever is returned: OK, TROUBLE or BROKEN: the next process may see it again. */
enum spool_status spool_remove(struct spool *);

#endif
