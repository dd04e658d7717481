#include "output.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe is opened anew, so that it can be non-blocking: our standard output's own flags are shared with other processes.
   Where that is not possible, a reader that stands still holds up evpipe's end. */
static void open_standard(struct output *output)
{
  struct stat stat;
  output->fd = STDOUT_FILENO;
  if (fstat(STDOUT_FILENO, &stat) || !S_ISFIFO(stat.st_mode)) return;
  int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  output->fd = fd;
  output->ours = true;
}

bool output_open(struct output *output)
{
  if (!strcmp(output->path, "-")) {
    open_standard(output);
    return true;
  }
  /* O_NONBLOCK: a FIFO that nobody reads is an error now, and not a wait for ever. */
  output->fd = open(output->path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
  output->ours = output->fd >= 0;
  if (output->ours) return true;
  if (errno == ENXIO)
    evp_error(output->ctx, "%s: nobody reads this FIFO", output->path);
  else
    evp_error(output->ctx, "%s: can not be written: %s", output->path, strerror(errno));
  return false;
}

static bool wait_for_room(const struct output *output)
{
  struct pollfd fds[] = {{.fd = output->fd, .events = POLLOUT}, {.fd = evp_stop_fd(output->ctx), .events = POLLIN}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) continue;
  return fds[0].revents != 0;
}

static enum evp_status fail(struct output *output, int error)
{
  output->over = true;
  output->text.size = 0;
  if (error == EPIPE) return EVP_END;
  evp_error(output->ctx, "%s: %s", strcmp(output->path, "-") ? output->path : "standard output", strerror(error));
  return EVP_ERROR;
}

enum evp_status output_drain(struct output *output)
{
  if (output->over) return EVP_END;
  struct evp_buf *text = &output->text;
  size_t done = 0;
  while (done < text->size) {
    ssize_t put = write(output->fd, text->data + done, text->size - done);
    if (put >= 0)
      done += (size_t)put;
    else if (errno == EAGAIN && !wait_for_room(output))
      break;
    else if (errno != EAGAIN && errno != EINTR)
      return fail(output, errno);
  }
  text->size -= done;
  if (text->size) memmove(text->data, text->data + done, text->size);
  return text->size ? EVP_AGAIN : EVP_OK;
}

void output_close(struct output *output)
{
  if (output->fd >= 0 && !output->over && output_drain(output) == EVP_AGAIN)
    evp_warn(output->ctx, "%zu bytes were not written: the reader does not read", output->text.size);
  /* Network file systems report a full disk here. */
  if (output->ours && close(output->fd) && !output->over)
    evp_error(output->ctx, "%s: %s", output->path, strerror(errno));
  output->fd = -1;
  output->ours = false;
  text_free(&output->text);
}
