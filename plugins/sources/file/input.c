#include "input.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A FIFO is opened for reading only: with a write end of our own its end would never be seen. O_NONBLOCK, so that open()
   does not wait for a writer. For a regular file it means nothing. */
static int open_path(const char *path)
{
  return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool say_why_not_open(const struct input *input)
{
  switch (errno) {
  case ENXIO:
    evp_error(input->ctx, "%s is a socket: read it with the plugin socket and unix: PATH", input->path);
    break;
  case ENOENT:
    evp_error(input->ctx, "%s: there is no such file", input->path);
    break;
  case EACCES:
    evp_error(input->ctx, "%s: permission denied: it must be readable for the user evpipe runs as", input->path);
    break;
  default:
    evp_error(input->ctx, "%s: can not be opened: %s", input->path, strerror(errno));
  }
  return false;
}

static bool identify(struct input *input)
{
  struct stat stat;
  if (fstat(input->fd, &stat)) {
    evp_error(input->ctx, "%s: %s", input->path, strerror(errno));
    return false;
  }
  if (S_ISDIR(stat.st_mode)) {
    evp_error(input->ctx, "%s is a directory; each: '%s/*.eventlog' reads the files in it", input->path, input->path);
    return false;
  }
  if (input->standard && isatty(input->fd)) {
    evp_error(input->ctx, "standard input is a terminal; send an eventlog into it: evpipe ... < FILE");
    return false;
  }
  input->kind = S_ISREG(stat.st_mode)                                                   ? INPUT_REGULAR
                : S_ISFIFO(stat.st_mode) || S_ISSOCK(stat.st_mode) || isatty(input->fd) ? INPUT_PIPE
                                                                                        : INPUT_DEVICE;
  input->device = stat.st_dev;
  input->inode = stat.st_ino;
  input->modified = (int64_t)stat.st_mtim.tv_sec * 1000000000 + stat.st_mtim.tv_nsec;
  return true;
}

bool input_open(struct input *input)
{
  input->standard = !strcmp(input->path, "-");
  input->fd = input->standard ? STDIN_FILENO : open_path(input->path);
  if (input->fd < 0) return say_why_not_open(input);
  if (!identify(input)) {
    input_close(input);
    return false;
  }
  off_t begin = input->kind == INPUT_REGULAR ? lseek(input->fd, 0, SEEK_CUR) : 0;
  input->begin = begin > 0 ? begin : 0;
  return true;
}

void input_close(struct input *input)
{
  if (input->fd >= 0 && !input->standard) close(input->fd);
  input->fd = -1;
}

/* The new end first: a program that opened the FIFO meanwhile would get EPIPE if no reader were left for a moment. */
bool input_reopen_fifo(struct input *input)
{
  int fd = open_path(input->path);
  if (fd < 0) return say_why_not_open(input);
  input_close(input);
  input->fd = fd;
  return identify(input);
}

static bool readable(int fd, short *events)
{
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  *events = poll(&poll_fd, 1, 0) > 0 ? poll_fd.revents : 0;
  return *events & (POLLIN | POLLHUP | POLLERR);
}

bool input_has_writer(const struct input *input)
{
  short events;
  return readable(input->fd, &events);
}

/* read() says 0 for a FIFO that no program has opened yet as for one whose program is gone; poll() tells them apart: Linux
   reports POLLHUP only when there was a writer since we opened (fs/pipe.c, w_counter). */
static enum evp_status at_end(const struct input *input)
{
  short events;
  if (input->kind != INPUT_PIPE || input->standard) return EVP_END;
  return readable(input->fd, &events) && !(events & POLLIN) ? EVP_END : EVP_AGAIN;
}

enum evp_status input_read(struct input *input, uint8_t *buffer, size_t *size)
{
  short events;
  /* Standard input is shared with other processes: it can not be made non-blocking, so it is asked first. */
  if (input->standard && input->kind == INPUT_PIPE && !readable(input->fd, &events)) return EVP_AGAIN;
  ssize_t got;
  do got = read(input->fd, buffer, *size);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    *size = (size_t)got;
    return EVP_OK;
  }
  if (!got) return at_end(input);
  if (errno == EAGAIN) return EVP_AGAIN;
  evp_error(input->ctx, "%s: can not be read: %s", input->path, strerror(errno));
  return EVP_ERROR;
}

enum input_change input_change(const struct input *input)
{
  struct stat stat_;
  if (!fstat(input->fd, &stat_) && stat_.st_size < lseek(input->fd, 0, SEEK_CUR)) return INPUT_TRUNCATED;
  if (input->standard || stat(input->path, &stat_)) return INPUT_SAME; /* a file that was unlinked may still grow */
  return stat_.st_dev == input->device && stat_.st_ino == input->inode ? INPUT_SAME : INPUT_REPLACED;
}
