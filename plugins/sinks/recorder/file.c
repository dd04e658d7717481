#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  FRAME_ENOUGH = 1 << 20, /* bytes in a frame: what a failure may cost */
  COMPRESSED_ENOUGH = 256 * 1024 /* worth a write */
};

bool file_create(struct file *file, const char *path)
{
  char *copy = strdup(path);
  int fd = copy ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
  if (fd < 0) {
    free(copy);
    return false;
  }
  fchmod(fd, 0600); /* a umask may have taken more */
  flock(fd, LOCK_EX | LOCK_NB); /* so that nobody deletes it as an old one; a file system may have no locks */
  free(file->path);
  *file = (struct file){.fd = fd, .path = copy, .frames = file->frames, .compressed = file->compressed};
  file->compressed.size = 0;
  if (file->frames) frames_reset(file->frames);
  return true;
}

static bool write_whole(struct file *file, const uint8_t *data, size_t size)
{
  file->dirty = file->dirty || size;
  while (size) {
    ssize_t written = write(file->fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data += written;
    size -= (size_t)written;
    file->size += (uint64_t)written;
  }
  return true;
}

void file_cut_back(struct file *file)
{
  int error = errno;
  file->lost += file->items;
  file->items = 0;
  file->compressed.size = 0;
  if (file->frames) frames_reset(file->frames);
  bool cut = !ftruncate(file->fd, (off_t)file->sound) && lseek(file->fd, (off_t)file->sound, SEEK_SET) >= 0;
  file->size = file->sound;
  if (!cut) {
    close(file->fd);
    file->fd = -1;
  }
  errno = error;
}

static bool fail(struct file *file)
{
  file_cut_back(file);
  return false;
}

static bool write_compressed(struct file *file)
{
  bool good = write_whole(file, file->compressed.data, file->compressed.size);
  file->compressed.size = 0;
  return good;
}

static bool put_compressed(struct file *file, const void *data, size_t size)
{
  errno = ENOMEM;
  if (!frames_add(file->frames, data, size, &file->compressed)) return false;
  return file->compressed.size < COMPRESSED_ENOUGH || write_compressed(file);
}

bool file_put(struct file *file, const void *data, size_t size)
{
  if (file->frames ? put_compressed(file, data, size) : write_whole(file, data, size)) return true;
  return fail(file);
}

bool file_is_sound(const struct file *file)
{
  return !file->frames || !frames_open(file->frames);
}

bool file_settle(struct file *file)
{
  errno = ENOMEM;
  if (file->frames && !frames_end(file->frames, &file->compressed)) return fail(file);
  if (!write_compressed(file)) return fail(file);
  file->sound = file->size;
  file->items = 0;
  return true;
}

bool file_commit(struct file *file, uint64_t items)
{
  file->items += items;
  return (file->frames && frames_open(file->frames) < FRAME_ENOUGH) || file_settle(file);
}

bool file_patch(struct file *file, uint64_t offset, const void *data, size_t size)
{
  file->dirty = true;
  return pwrite(file->fd, data, size, (off_t)offset) == (ssize_t)size;
}

bool file_sync(struct file *file)
{
  bool good = !file->dirty || !fdatasync(file->fd);
  file->dirty = false;
  return good;
}

bool file_close(struct file *file)
{
  int fd = file->fd;
  file->fd = -1;
  return fd < 0 || !close(fd);
}
