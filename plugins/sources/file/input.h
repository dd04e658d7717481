/* input.h: opens what `path` names and tells what it is.
 *
 * Owner    the instance. Threads  those of the source's callbacks. Errors  reported through the ctx.
 */
#ifndef EVPIPE_FILE_INPUT_H
#define EVPIPE_FILE_INPUT_H

#include <evpipe.h>
#include <sys/types.h>

enum input_kind {
  INPUT_REGULAR, /* a recording: always ready, has an end */
  INPUT_PIPE, /* a FIFO, pipe, socket or terminal: comes as it is written */
  INPUT_DEVICE /* /dev/null and the like: always ready, can not be polled */
};

struct input {
  struct evp_ctx *ctx;
  const char *path;
  int fd; /* -1: not open */
  enum input_kind kind;
  bool standard; /* standard input: not ours to change or to close */
  dev_t device;
  ino_t inode;
  off_t begin; /* regular: where the log begins; standard input may have been read from */
  int64_t modified; /* Unix ns */
};

/* Opens it without waiting for anybody. False: reported. */
bool input_open(struct input *);
void input_close(struct input *);
/* A FIFO whose writer has gone is opened again, in such a way that a writer never is without a reader. */
bool input_reopen_fifo(struct input *);
/* A program has written into the FIFO, or opened and left it. */
bool input_has_writer(const struct input *);

/* EVP_OK, EVP_END, EVP_AGAIN (nothing there now) or EVP_ERROR (reported). */
enum evp_status input_read(struct input *, uint8_t *buffer, size_t *size);

enum input_change { INPUT_SAME, INPUT_TRUNCATED, INPUT_REPLACED };
/* At the end of a regular file: does the path name what was read so far? */
enum input_change input_change(const struct input *);

#endif
