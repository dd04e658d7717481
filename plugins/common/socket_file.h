/* socket_file.h: the file of a Unix socket that we listen on: nobody else's is taken, ours is removed at the end.
 *
 * Owner    whoever listens. Threads  one at a time.
 */
#ifndef EVPIPE_COMMON_SOCKET_FILE_H
#define EVPIPE_COMMON_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct socket_file {
  const char *path; /* NULL: there is none of ours */
  dev_t device;
  ino_t inode;
};

/* What is at the path and may not be replaced: a file, a socket that somebody listens on. NULL: nothing is there, or a socket
   that was left behind. */
const char *socket_file_taken(const char *path);
/* The socket that was just bound there is ours. `path` has to live as long. False: errno. */
bool socket_file_bound(struct socket_file *, const char *path);
/* Removes it, if it is still ours. */
void socket_file_remove(struct socket_file *);

#endif
