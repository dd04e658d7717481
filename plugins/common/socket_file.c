#include "socket_file.h"
#include "socket_address.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

const char *socket_file_taken(const char *path)
{
  struct stat stat;
  struct sockaddr_un address;
  socklen_t size;
  const char *wrong = unix_address_parse(&address, &size, path);
  if (wrong) return wrong;
  if (!lstat(path, &stat) && !S_ISSOCK(stat.st_mode)) return "is there already, and is no socket";
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return strerror(errno);
  int error = connect(fd, (const struct sockaddr *)&address, size) ? errno : 0;
  close(fd);
  if (error == ECONNREFUSED || error == ENOENT) return NULL;
  return "somebody else listens on it; give each sink a path of its own";
}

bool socket_file_bound(struct socket_file *file, const char *path)
{
  struct stat stat;
  if (lstat(path, &stat)) return false;
  *file = (struct socket_file){path, stat.st_dev, stat.st_ino};
  return true;
}

void socket_file_remove(struct socket_file *file)
{
  struct stat stat;
  bool ours = file->path && !lstat(file->path, &stat) && stat.st_dev == file->device && stat.st_ino == file->inode;
  if (ours) unlink(file->path);
  file->path = NULL;
}
