#include "keeper.h"
#include "name.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct keeper {
  struct evp_ctx *ctx;
  char *folder;
  regex_t pattern;
  uint64_t max_files, max_size;
};

struct found {
  char *name;
  struct timespec modified;
  uint64_t size;
};

struct list {
  struct found *items;
  size_t n, capacity;
  uint64_t size;
};

struct keeper *keeper_new(const char *path, uint64_t max_files, uint64_t max_size, struct evp_ctx *ctx)
{
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (!keeper) return NULL;
  *keeper = (struct keeper){.ctx = ctx, .folder = name_folder(path), .max_files = max_files, .max_size = max_size};
  if (keeper->folder && name_pattern(path, &keeper->pattern)) return keeper;
  free(keeper->folder);
  free(keeper);
  return NULL;
}

void keeper_free(struct keeper *keeper)
{
  if (!keeper) return;
  regfree(&keeper->pattern);
  free(keeper->folder);
  free(keeper);
}

static int older_first(const void *a, const void *b)
{
  const struct found *left = a, *right = b;
  if (left->modified.tv_sec != right->modified.tv_sec) return left->modified.tv_sec < right->modified.tv_sec ? -1 : 1;
  if (left->modified.tv_nsec != right->modified.tv_nsec)
    return left->modified.tv_nsec < right->modified.tv_nsec ? -1 : 1;
  return strcmp(left->name, right->name);
}

static bool add(struct list *list, const char *name, const struct stat *stat)
{
  if (list->n == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 64;
    struct found *items = reallocarray(list->items, capacity, sizeof *items);
    if (!items) return false;
    list->items = items;
    list->capacity = capacity;
  }
  struct found *found = &list->items[list->n];
  *found = (struct found){strdup(name), stat->st_mtim, (uint64_t)stat->st_size};
  if (!found->name) return false;
  list->n++;
  list->size += (uint64_t)stat->st_size;
  return true;
}

static bool list_folder(struct keeper *keeper, DIR *folder, struct list *list)
{
  struct dirent *entry;
  struct stat stat;
  while ((entry = readdir(folder))) {
    if (regexec(&keeper->pattern, entry->d_name, 0, NULL, 0)) continue;
    if (fstatat(dirfd(folder), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) || !S_ISREG(stat.st_mode)) continue;
    if (!add(list, entry->d_name, &stat)) return false;
  }
  return true;
}

static bool is_written(int folder, const char *name)
{
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno != ENOENT;
  bool locked = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
  close(fd);
  return locked;
}

static void delete_oldest(struct keeper *keeper, int folder, struct list *list)
{
  size_t files = list->n;
  qsort(list->items, list->n, sizeof *list->items, older_first);
  for (size_t i = 0; i < list->n; i++) {
    const struct found *found = &list->items[i];
    bool many = keeper->max_files && files > keeper->max_files,
         large = keeper->max_size && list->size > keeper->max_size;
    if (!many && !large) return;
    if (is_written(folder, found->name)) continue;
    if (unlinkat(folder, found->name, 0)) {
      evp_warn(keeper->ctx, "%s/%s can not be deleted: %s", keeper->folder, found->name, strerror(errno));
      continue;
    }
    evp_info(keeper->ctx, "%s/%s is deleted, as keep says", keeper->folder, found->name);
    files--;
    list->size -= found->size;
  }
}

void keeper_tidy(struct keeper *keeper)
{
  struct list list = {0};
  DIR *folder = opendir(keeper->folder);
  if (!folder) {
    evp_warn(keeper->ctx, "%s can not be looked through for old files: %s", keeper->folder, strerror(errno));
    return;
  }
  if (list_folder(keeper, folder, &list))
    delete_oldest(keeper, dirfd(folder), &list);
  else
    evp_warn(keeper->ctx, "no memory to look for old files");
  closedir(folder);
  for (size_t i = 0; i < list.n; i++) free(list.items[i].name);
  free(list.items);
}
