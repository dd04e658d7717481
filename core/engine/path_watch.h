/* path_watch.h: the paths that a glob matches, and when to look again: inotify on every directory in which a match, or a
 * directory on the way to one, may appear.
 *
 * What inotify says is only that something happened; what is there is then read from the directories, so that a lost event
 * (IN_Q_OVERFLOW) costs nothing. Between two such scans there is a pause of ten times what the last one took, so that
 * whatever goes on in the directories costs at most a tenth of a core; without events there is one every ten seconds (for
 * file systems that inotify is blind on, and directories that were moved), or each second if a watch was refused.
 *
 * Owner    whoever made it; one thread. Linux: what is not POSIX is in path_watch.c.
 */
#ifndef EVPIPE_PATH_WATCH_H
#define EVPIPE_PATH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_watch;

struct found_path {
  char *path;
  bool made; /* since the scan before, as far as inotify knows: it may be another file than then */
};

struct found_paths {
  struct found_path *items; /* sorted by path, each once */
  size_t n, room;
  bool incomplete; /* there may be more: what is not here is not gone */
};

/* More paths than this are not looked at. */
enum { MOST_PATHS = 100000 };

/* Wildcards as in glob(7), in directories too; what begins with a dot must be asked for with one. NULL: no memory. */
struct path_watch *path_watch_new(const char *glob);
void path_watch_free(struct path_watch *);

int path_watch_fd(const struct path_watch *); /* readable: path_watch_read(); -1: there is no inotify */
void path_watch_read(struct path_watch *); /* takes the events: path_watch_deadline() may be earlier now */
uint64_t path_watch_deadline(const struct path_watch *); /* monotonic: when to scan next */
/* What is there now. `problem` gets why something could not be read or watched, else NULL; it lives until the next scan.
   False: no memory, look again later. */
bool path_watch_scan(struct path_watch *, struct found_paths *, const char **problem);
void found_paths_free(struct found_paths *);

#endif
