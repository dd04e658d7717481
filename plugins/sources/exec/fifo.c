#include "fifo.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More room means fewer turns between the program and its reader; the most that Linux grants without privilege. */
enum { PIPE_ROOM = 1 << 20 };

/* Never for writing: with a write end of our own the end would not be seen. O_NONBLOCK, so that open() does not wait for a
   writer; GHC 8.8, which opens it for writing alone, then does not wait for us. */
static int open_to_read(const char *path)
{
  return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static bool make_directory(struct fifo *fifo, const char *parent)
{
  int size = snprintf(fifo->directory, sizeof fifo->directory, "%s/evpipe-XXXXXX", parent);
  if (size < (int)sizeof fifo->directory && mkdtemp(fifo->directory)) return true; /* mode 0700 */
  fifo->directory[0] = '\0';
  return false;
}

bool fifo_make(struct fifo *fifo)
{
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  bool made = runtime && *runtime == '/' && make_directory(fifo, runtime);
  if (!made && !make_directory(fifo, "/tmp")) return false;
  snprintf(fifo->path, sizeof fifo->path, "%s/eventlog", fifo->directory);
  if (mkfifo(fifo->path, 0600)) return false;
  fifo->fd = open_to_read(fifo->path);
  if (fifo->fd < 0) return false;
  fcntl(fifo->fd, F_SETPIPE_SZ, PIPE_ROOM);
  return true;
}

bool fifo_reopen(struct fifo *fifo)
{
  int fd = open_to_read(fifo->path);
  if (fd < 0) return false;
  fifo_close(fifo);
  fifo->fd = fd;
  return true;
}

void fifo_remove(struct fifo *fifo)
{
  if (fifo->path[0]) unlink(fifo->path);
  if (fifo->directory[0]) rmdir(fifo->directory);
  fifo->path[0] = fifo->directory[0] = '\0';
}

void fifo_close(struct fifo *fifo)
{
  if (fifo->fd >= 0) close(fifo->fd);
  fifo->fd = -1;
}
