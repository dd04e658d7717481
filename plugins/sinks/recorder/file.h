/* file.h: one file that grows, and that is sound at any time, whatever fails.
 *
 * What is put becomes part of it with a commit. When a write fails, the file is cut back to where it was sound: after the
 * last commit or, with zstd, after the last frame, so that what was committed since is lost, too: `lost` says how many items.
 *
 * Owner    the recording. Threads  one at a time.
 * Errors   false, and errno; the file is cut back then, and what follows may be tried again. If even that fails, it is
 *          closed (fd is -1).
 */
#ifndef EVPIPE_RECORDER_FILE_H
#define EVPIPE_RECORDER_FILE_H

#include "frames.h"

struct file {
  int fd; /* -1: none */
  char *path;
  uint64_t size; /* bytes written; what is sound is committed and can be read */
  uint64_t sound;
  uint64_t items; /* committed, but not in the sound part */
  uint64_t lost; /* items that were committed, and are lost */
  bool dirty; /* written since the last file_sync() */
  struct frames *frames; /* NULL: plain */
  struct evp_buf compressed; /* not written yet */
};

/* A new file of mode 0600, whatever the umask is, locked as being written. False: errno, EEXIST if there is one. */
bool file_create(struct file *, const char *path);
bool file_put(struct file *, const void *data, size_t size);
bool file_commit(struct file *, uint64_t items);
bool file_is_sound(const struct file *); /* all that was committed is in the sound part */
bool file_settle(struct file *); /* all that was committed becomes sound: the frame is ended */
void file_cut_back(struct file *); /* to where it was sound; errno is kept */
bool file_patch(struct file *, uint64_t offset, const void *data, size_t size); /* plain files; errors change nothing */
bool file_sync(struct file *); /* to the disk */
bool file_close(struct file *); /* the path stays; false: errno, of a file system that reports late */

#endif
