/* name.h: the names of files: a path with placeholders, filled in with what is known of a stream.
 *
 * A value can not leave the folder that the path names: what could is replaced. The number that tells a file from one that
 * exists already comes before the suffix: run.eventlog, run-2.eventlog, run-2.eventlog.zst.
 *
 * Owner    the caller owns what is returned. Threads  any.
 */
#ifndef EVPIPE_RECORDER_NAME_H
#define EVPIPE_RECORDER_NAME_H

#include <evpipe.h>
#include <regex.h>

enum name_placeholder { NAME_SERVICE = 1, NAME_PROGRAM = 2, NAME_PID = 4, NAME_START = 8, NAME_SEQ = 16 };

struct name_facts {
  const char *service, *program; /* NULL: not known */
  uint32_t pid; /* 0: not known */
  int64_t start; /* Unix ns */
  uint64_t seq; /* of the file among those of its stream, from 1 */
};

bool name_check(const char *path, struct evp_ctx *); /* false: reported for the option `path` */
/* The set of placeholders (enum name_placeholder) in it; in its folders only. */
unsigned name_placeholders(const char *path);
unsigned name_folder_placeholders(const char *path);
/* NULL: no memory. `number` 1 is not written; `end` is put behind all. */
char *name_make(const char *path, const struct name_facts *, unsigned number, const char *end);
char *name_folder(const char *path); /* "." if it names none */
/* Matches the base names that name_make() makes of this path, and those with ".part" behind. False: no memory. */
bool name_pattern(const char *path, regex_t *);

#endif
