/* file: reads an eventlog from a file, a FIFO or standard input. */
#include "input.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How often `follow` looks at the end of a file. Not inotify: that is silent on network file systems, and this costs
   two system calls. */
enum { FOLLOW_INTERVAL_NS = 100 * 1000 * 1000 };

struct file_source {
  const char *path;
  bool follow, loop;
  struct evp_ctx *ctx;
  struct input input;
  int timer; /* of follow; -1: none */
  bool connected_before, over;
  bool waiting; /* for the first byte, or the end, of a program at a FIFO */
  uint64_t round; /* bytes of this stream */
};

static enum evp_status file_create(void *self, struct evp_ctx *ctx)
{
  struct file_source *file = self;
  file->ctx = ctx;
  file->timer = -1;
  file->input = (struct input){.ctx = ctx, .path = file->path, .fd = -1};
  if (!*file->path) {
    evp_option_error(ctx, "path", "is empty; name a file, a FIFO or - for standard input");
    return EVP_ERROR;
  }
  if (file->follow && file->loop) {
    evp_option_error(ctx, "loop", "does not go with follow: a file that is followed has no end");
    return EVP_ERROR;
  }
  return EVP_OK;
}

static enum evp_status follow_by_timer(struct file_source *file)
{
  /* It is ready at once, and stays ready until read() has found the end and takes the tick. */
  const struct itimerspec times = {.it_value.tv_nsec = 1, .it_interval.tv_nsec = FOLLOW_INTERVAL_NS};
  file->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (file->timer >= 0 && !timerfd_settime(file->timer, 0, &times, NULL)) return EVP_OK;
  evp_error(file->ctx, "no timer to follow %s with: %s", file->path, strerror(errno));
  return EVP_ERROR;
}

static enum evp_status file_start(void *self)
{
  struct file_source *file = self;
  if (!input_open(&file->input)) return EVP_ERROR;
  if (file->loop && file->input.kind != INPUT_REGULAR) {
    evp_error(file->ctx, "%s is not a regular file: it can not be read again and again (loop)", file->path);
    return EVP_ERROR;
  }
  if (file->input.kind == INPUT_PIPE && !file->input.standard)
    evp_info(file->ctx, "%s is a FIFO: waiting for a program that writes its eventlog there (+RTS -l -ol%s)",
      file->path, file->path);
  return file->follow && file->input.kind == INPUT_REGULAR ? follow_by_timer(file) : EVP_OK;
}

static void file_stop(void *self)
{
  struct file_source *file = self;
  input_close(&file->input);
  if (file->timer >= 0) close(file->timer);
  file->timer = -1;
}

static void file_destroy(void *self)
{
  file_stop(self);
}

/* -------------------------------------------------------------------------------------------------------------- streams */

/* The next round of a loop. A round that gave nothing is not repeated at once, or an empty file would keep a core busy. */
static enum evp_status rewind_file(struct file_source *file)
{
  if (!file->round) {
    file->round = 1;
    return EVP_AGAIN;
  }
  if (lseek(file->input.fd, file->input.begin, SEEK_SET) >= 0) return EVP_OK;
  evp_error(file->ctx, "%s: can not be read again: %s", file->path, strerror(errno));
  return EVP_END;
}

/* The file was written anew: by its truncated old self, or by another one under its name. */
static enum evp_status follow_again(struct file_source *file)
{
  if (file->input.standard) return lseek(file->input.fd, 0, SEEK_SET) < 0 ? EVP_END : EVP_OK;
  input_close(&file->input);
  return input_open(&file->input) ? EVP_OK : EVP_REJECT;
}

static enum evp_status connect_again(struct file_source *file)
{
  if (file->over) return EVP_END;
  if (file->loop) return rewind_file(file);
  if (!file->follow || file->input.kind == INPUT_DEVICE) return EVP_END;
  if (file->input.kind == INPUT_REGULAR) return follow_again(file);
  if (file->input.standard) return EVP_END;
  return input_reopen_fifo(&file->input) ? EVP_OK : EVP_REJECT;
}

static enum evp_status begin_stream(struct file_source *file)
{
  enum evp_status status = file->connected_before ? connect_again(file) : EVP_OK;
  if (status != EVP_OK) return status;
  if (file->connected_before && file->input.kind == INPUT_PIPE)
    evp_info(file->ctx, "waiting for the next program at %s", file->path);
  file->connected_before = true;
  file->round = 0;
  return EVP_OK;
}

static enum evp_status file_connect(void *self, int *fd)
{
  struct file_source *file = self;
  *fd = -1;
  enum evp_status status = file->waiting ? EVP_OK : begin_stream(file);
  if (status != EVP_OK) return status;
  file->waiting = file->input.kind == INPUT_PIPE && !file->input.standard && !input_has_writer(&file->input);
  if (file->waiting) {
    *fd = file->input.fd;
    return EVP_AGAIN;
  }
  bool recorded = file->input.kind == INPUT_REGULAR;
  evp_source_can_wait(file->ctx, file->input.kind != INPUT_PIPE || file->input.standard);
  if (recorded) {
    posix_fadvise(file->input.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    evp_source_recorded(file->ctx, file->input.modified);
  }
  *fd = recorded ? file->timer : file->input.kind == INPUT_PIPE ? file->input.fd : -1;
  return EVP_OK;
}

/* The end of a file that is followed: wait for more, unless what was read is not there any more. */
static enum evp_status wait_for_more(struct file_source *file)
{
  switch (input_change(&file->input)) {
  case INPUT_TRUNCATED:
    evp_info(file->ctx, "%s was truncated: a new stream begins", file->path);
    return EVP_END;
  case INPUT_REPLACED:
    evp_info(file->ctx, "%s was replaced: a new stream begins", file->path);
    return EVP_END;
  case INPUT_SAME:
    break;
  }
  uint64_t ticks;
  return read(file->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN ? EVP_ERROR : EVP_AGAIN;
}

static enum evp_status file_read(void *self, uint8_t *buffer, size_t *size)
{
  struct file_source *file = self;
  enum evp_status status = input_read(&file->input, buffer, size);
  switch (status) {
  case EVP_OK:
    file->round += *size;
    break;
  case EVP_END:
    if (file->timer >= 0) return wait_for_more(file);
    break;
  case EVP_ERROR:
    file->over = true;
    break;
  default:
    break;
  }
  return status;
}

/* What is open stays so: the next round begins where this one did. */
static void file_disconnect(void *self)
{
  (void)self;
}

static const struct evp_option options[] = {
  EVP_STRING_REQUIRED(struct file_source, path, "A recorded eventlog, a FIFO, or - for standard input."),
  EVP_BOOL(struct file_source, follow, "false",
    "Wait for more at the end, as tail -f; a file that is written anew, and the next program at a FIFO, is a new "
    "stream."),
  EVP_BOOL(struct file_source, loop, "false", "Begin again at the end of a regular file; each round is a new stream."),
  EVP_OPTIONS_END};

EVP_PLUGIN(.kind = EVP_SOURCE, .name = "file", .summary = "Reads a recorded eventlog, a FIFO or standard input.",
  .emits = EVP_BYTES | EVP_EVENTS, .options = options, .instance_size = sizeof(struct file_source),
  .create = file_create, .start = file_start, .stop = file_stop, .destroy = file_destroy, .connect = file_connect,
  .read = file_read, .disconnect = file_disconnect);
