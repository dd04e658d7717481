/* spool_state.h: what the two files of the spool share: spool_open.c makes and checks it, spool.c uses it. */
#ifndef EVPIPE_SPOOL_STATE_H
#define EVPIPE_SPOOL_STATE_H

#include "engine/spool.h"
#include <sqlite3.h>
#include <sys/types.h>

enum { SPOOL_PAGE_SIZE = 4096 };

enum spool_statement { PUT, FIRST, REMOVE, ADVANCE, PAGES, FREE_PAGES, STATEMENTS };

struct spool {
  struct spool_options options;
  sqlite3 *database;
  sqlite3_stmt *statements[STATEMENTS];
  uint64_t log_size; /* what PATH-wal may hold before it is used from its begin again, bytes */
  dev_t device; /* of the file: it must not be moved away */
  ino_t inode;

  struct spool_content content;
  uint64_t last_id;
  uint64_t removed; /* messages up to this id are over, though they may still be in the file */
  bool undeleted; /* some are */

  struct evp_message first; /* loaded when data is not NULL; points into `loaded` */
  uint8_t *loaded;
  bool damaged;
  bool unlike_file; /* `loaded` was replaced, which the file could not take: no progress in it can be kept there */
  char error[SPOOL_ERROR_MAX];
};

void spool_say(char error[SPOOL_ERROR_MAX], const char *path, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
/* Says what an SQLite code means for the user, and classifies it. */
enum spool_status spool_fail(struct spool *, int code);
int spool_execute(struct spool *, const char *sql);
void spool_dispose(struct spool *);

static inline int64_t spool_whole(uint64_t number) /* as SQLite keeps it: two's complement, nothing is lost */
{
  return (int64_t)number;
}

#endif
