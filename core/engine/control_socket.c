#include "engine/control_socket.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static socklen_t address_of(struct sockaddr_un *address, const char *path)
{
  size_t size = strlen(path);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(address->sun_path, path, size);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
}

static int new_socket(void)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) fchmod(fd, S_IRUSR | S_IWUSR); /* what bind() makes has this mode from its first moment on */
  return fd;
}

/* Two that start at once must not both take over one socket. Who can not lock the folder goes on without. */
static int lock_folder(const char *path)
{
  char copy[sizeof((struct sockaddr_un *)0)->sun_path];
  snprintf(copy, sizeof copy, "%s", path);
  int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int attempt = 0; fd >= 0 && attempt < 100 && flock(fd, LOCK_EX | LOCK_NB); attempt++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  return fd;
}

/* Something is there already. NULL: it was left behind, and is gone now. */
static const char *take_over(const char *path, const struct sockaddr_un *address, socklen_t size)
{
  struct stat found;
  if (lstat(path, &found)) return strerror(errno);
  if (!S_ISSOCK(found.st_mode)) return "is there already, and is no socket: remove it, or choose another path";
  int fd = new_socket();
  if (fd < 0) return strerror(errno);
  int error = connect(fd, (const struct sockaddr *)address, size) ? errno : 0;
  close(fd);
  if (!error || error == EAGAIN) return "another process listens there: is evpipe running already?";
  if (error != ECONNREFUSED) return strerror(error);
  return unlink(path) ? strerror(errno) : NULL;
}

static const char *bind_socket(struct control_socket *own)
{
  struct sockaddr_un address;
  socklen_t size = address_of(&address, own->path);
  if (bind(own->fd, (const struct sockaddr *)&address, size)) {
    const char *wrong = errno == EADDRINUSE ? take_over(own->path, &address, size) : strerror(errno);
    if (wrong) return wrong;
    if (bind(own->fd, (const struct sockaddr *)&address, size)) return strerror(errno);
  }
  struct stat made;
  if (lstat(own->path, &made)) return strerror(errno);
  own->device = made.st_dev;
  own->inode = made.st_ino;
  return listen(own->fd, BACKLOG) ? strerror(errno) : NULL;
}

const char *control_socket_open(struct control_socket *own, const char *path)
{
  *own = (struct control_socket){.path = path, .fd = new_socket()};
  if (own->fd < 0) return strerror(errno);
  int folder = lock_folder(path);
  const char *wrong = bind_socket(own);
  if (folder >= 0) close(folder);
  if (wrong) control_socket_close(own);
  return wrong;
}

void control_socket_close(struct control_socket *own)
{
  struct stat found;
  if (own->inode && !lstat(own->path, &found) && found.st_dev == own->device && found.st_ino == own->inode)
    unlink(own->path);
  if (own->fd >= 0) close(own->fd);
  *own = (struct control_socket){.fd = -1};
}
