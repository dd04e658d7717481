/* control_socket.h: the Unix socket that the control server listens on: made for its user alone, taken over from a process
 * that is gone, removed at the end.
 */
#ifndef EVPIPE_CONTROL_SOCKET_H
#define EVPIPE_CONTROL_SOCKET_H

#include <sys/types.h>

struct control_socket {
  const char *path; /* borrowed */
  int fd;
  dev_t device; /* of the file, so that none but our own is removed */
  ino_t inode;
};

/* NULL, or what is wrong, as a text that goes on after the path. */
const char *control_socket_open(struct control_socket *, const char *path);
void control_socket_close(struct control_socket *);

#endif
