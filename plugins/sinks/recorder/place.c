#include "place.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_MAX = 100000 };

/* The folders in which `path` lies. */
static bool make_folders(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    bool good = !mkdir(path, 0700) || errno == EEXIST;
    *slash = '/';
    if (!good) return false;
  }
  return true;
}

static void sync_folder(const char *path)
{
  char *folder = name_folder(path);
  int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  free(folder);
}

static bool move_to(struct file *file, const char *path)
{
  if (!renameat2(AT_FDCWD, file->path, AT_FDCWD, path, RENAME_NOREPLACE)) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  return !link(file->path, path) && !unlink(file->path); /* a file system without that flag */
}

/* If it is renamed, its path and the new one are exchanged. */
static bool take_name(struct file *file, bool rename, char **path)
{
  if (!rename) return file_create(file, *path);
  if (!move_to(file, *path)) return false;
  char *before = file->path;
  file->path = *path;
  *path = before;
  return true;
}

/* The first name that is free. */
static bool find_name(const struct place *place, const struct name_facts *facts, const char *end, bool rename,
  struct file *file, unsigned *number)
{
  bool good = false, created = !place->create_directories;
  for (*number = 1; *number < NUMBER_MAX; ++*number) {
    char *path = name_make(place->path, facts, *number, end);
    if (!path) return errno = ENOMEM, false;
    good = take_name(file, rename, &path);
    if (!good && errno == ENOENT && !created) {
      created = true;
      good = make_folders(path) && take_name(file, rename, &path);
    }
    int error = errno;
    free(path);
    errno = error;
    if (good) break;
    if (errno != EEXIST) return false;
  }
  if (good && place->sync) sync_folder(file->path);
  return good;
}

bool place_create(
  const struct place *place, const struct name_facts *facts, bool part, struct file *file, unsigned *number)
{
  return find_name(place, facts, part ? ".part" : "", false, file, number);
}

bool place_rename(const struct place *place, const struct name_facts *facts, struct file *file, unsigned *number)
{
  return find_name(place, facts, "", true, file, number);
}
