#include "engine/path_watch.h"
#include "engine/time.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORTEST_PAUSE (20 * (uint64_t)NS_PER_MS)
#define SAFETY_INTERVAL (10 * NS_PER_S)
#define BLIND_INTERVAL NS_PER_S

enum {
  WATCHED = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
  MADE_KEPT = 4096 /* more paths that were made between two scans: all count as made */
};

struct watched_directory {
  int wd;
  char *path; /* "" for the current one, else with a slash at its end */
  size_t level; /* of the glob's part that names in it must match; SIZE_MAX: several, any name will do */
  bool wanted; /* by the last scan */
};

struct path_watch {
  char *glob; /* cut at the slashes */
  const char *begin; /* "/" or "" */
  const char **parts;
  size_t n_parts;
  int fd;
  struct watched_directory *directories;
  size_t n_directories;
  char **made;
  size_t n_made;
  bool all_made;
  uint64_t next_scan, earliest; /* monotonic; earliest: because of an event */
  char problem[512];
};

/* --------------------------------------------------------------------------------------------------------- life */

static bool split(struct path_watch *watch, const char *glob)
{
  watch->glob = strdup(glob);
  watch->parts = calloc(strlen(glob) + 1, sizeof *watch->parts);
  watch->begin = *glob == '/' ? "/" : "";
  if (!watch->glob || !watch->parts) return false;
  char *rest = NULL;
  for (char *part = strtok_r(watch->glob, "/", &rest); part; part = strtok_r(NULL, "/", &rest))
    watch->parts[watch->n_parts++] = part;
  return watch->n_parts > 0;
}

struct path_watch *path_watch_new(const char *glob)
{
  struct path_watch *watch = calloc(1, sizeof *watch);
  if (!watch) return NULL;
  watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (split(watch, glob)) return watch;
  path_watch_free(watch);
  return NULL;
}

static void forget_made(struct path_watch *watch)
{
  for (size_t i = 0; i < watch->n_made; i++) free(watch->made[i]);
  free(watch->made);
  watch->made = NULL;
  watch->n_made = 0;
  watch->all_made = false;
}

void path_watch_free(struct path_watch *watch)
{
  if (!watch) return;
  forget_made(watch);
  for (size_t i = 0; i < watch->n_directories; i++) free(watch->directories[i].path);
  free(watch->directories);
  if (watch->fd >= 0) close(watch->fd);
  free(watch->parts);
  free(watch->glob);
  free(watch);
}

int path_watch_fd(const struct path_watch *watch)
{
  return watch->fd;
}

uint64_t path_watch_deadline(const struct path_watch *watch)
{
  return watch->next_scan;
}

/* ------------------------------------------------------------------------------------------------------- events */

static char *join(const char *directory, const char *name, const char *end)
{
  char *path;
  return asprintf(&path, "%s%s%s", directory, name, end) < 0 ? NULL : path;
}

static struct watched_directory *directory_of(struct path_watch *watch, int wd)
{
  for (size_t i = 0; i < watch->n_directories; i++)
    if (watch->directories[i].wd == wd) return &watch->directories[i];
  return NULL;
}

static void note_made(struct path_watch *watch, const struct watched_directory *directory, const char *name)
{
  char **made = watch->n_made < MADE_KEPT ? realloc(watch->made, (watch->n_made + 1) * sizeof *made) : NULL;
  char *path = made ? join(directory->path, name, "") : NULL;
  if (made) watch->made = made;
  if (path)
    watch->made[watch->n_made++] = path;
  else
    watch->all_made = true;
}

/* True: it is a reason to scan. */
static bool take_event(struct path_watch *watch, const struct inotify_event *event)
{
  if (event->mask & IN_Q_OVERFLOW) return watch->all_made = true;
  struct watched_directory *directory = directory_of(watch, event->wd);
  if (!directory) return false;
  if (event->mask & IN_IGNORED) { /* the directory is gone, and the watch with it */
    free(directory->path);
    *directory = watch->directories[--watch->n_directories];
    return true;
  }
  if (!event->len || directory->level == SIZE_MAX) return true;
  if (fnmatch(watch->parts[directory->level], event->name, FNM_PERIOD)) return false;
  if (directory->level + 1 == watch->n_parts && event->mask & (IN_CREATE | IN_MOVED_TO))
    note_made(watch, directory, event->name);
  return true;
}

void path_watch_read(struct path_watch *watch)
{
  _Alignas(struct inotify_event) char events[16384];
  ssize_t size;
  while ((size = read(watch->fd, events, sizeof events)) > 0)
    for (const char *at = events; at < events + size;) {
      const struct inotify_event *event = (const void *)at;
      if (take_event(watch, event) && watch->earliest < watch->next_scan) watch->next_scan = watch->earliest;
      at += sizeof *event + event->len;
    }
}

/* --------------------------------------------------------------------------------------------------------- scan */

struct scan {
  struct path_watch *watch;
  struct found_paths *found;
  bool blind; /* a watch was refused */
  bool no_memory;
};

static void complain(struct scan *scan, const char *what, const char *path)
{
  if (scan->watch->problem[0]) return;
  snprintf(scan->watch->problem, sizeof scan->watch->problem, "%s %s: %s", *path ? path : "the working directory", what,
    strerror(errno));
}

static void add_path(struct scan *scan, char *path)
{
  struct found_paths *found = scan->found;
  if (found->n == found->room && found->n < MOST_PATHS) {
    size_t room = found->room ? found->room * 2 : 64;
    struct found_path *items = realloc(found->items, room * sizeof *items);
    if (items) {
      found->items = items;
      found->room = room;
    }
  }
  if (path && found->n < found->room && found->n < MOST_PATHS) {
    found->items[found->n++] = (struct found_path){.path = path};
    return;
  }
  found->incomplete = true;
  scan->no_memory = scan->no_memory || found->n < MOST_PATHS;
  free(path);
}

static void remember_directory(struct scan *scan, int wd, const char *path, size_t level)
{
  struct path_watch *watch = scan->watch;
  struct watched_directory *known = directory_of(watch, wd);
  if (known) { /* the same directory may be met on two ways */
    known->level = known->wanted && known->level != level ? SIZE_MAX : level;
    known->wanted = true;
    return;
  }
  struct watched_directory *larger = realloc(watch->directories, (watch->n_directories + 1) * sizeof *larger);
  if (larger) {
    watch->directories = larger;
    larger[watch->n_directories] = (struct watched_directory){wd, strdup(path), level, true};
  }
  if (!larger || !larger[watch->n_directories].path) {
    scan->blind = true;
    return;
  }
  watch->n_directories++;
  if (watch->earliest) watch->all_made = true; /* not the first scan: it may have another's name, with other files */
}

/* Before it is read: what comes in between makes an event. */
static void watch_directory(struct scan *scan, const char *path, size_t level)
{
  int wd = scan->watch->fd < 0 ? -1 : inotify_add_watch(scan->watch->fd, *path ? path : ".", WATCHED);
  if (wd >= 0) {
    remember_directory(scan, wd, path, level);
  } else if (scan->watch->fd < 0 || (errno != ENOENT && errno != ENOTDIR)) {
    if (scan->watch->fd >= 0) complain(scan, "can not be watched, and is looked at each second", path);
    scan->blind = true;
  }
}

static bool is_wild(const char *part)
{
  return part[strcspn(part, "*?[\\")] != '\0';
}

static void walk(struct scan *scan, const char *directory, size_t level);

/* `name` matches the glob's part of this level. */
static void take_match(struct scan *scan, const char *directory, const char *name, size_t level)
{
  bool last = level + 1 == scan->watch->n_parts;
  char *path = join(directory, name, last ? "" : "/");
  if (last) {
    add_path(scan, path);
  } else {
    if (path) walk(scan, path, level + 1);
    scan->no_memory = scan->no_memory || !path;
    free(path);
  }
}

static bool exists(const char *directory, const char *name, bool last)
{
  struct stat status;
  char *path = join(directory, name, "");
  bool there = path && (last ? !lstat(path, &status) : !stat(path, &status) && S_ISDIR(status.st_mode));
  free(path);
  return there;
}

/* A directory that is there is looked after by the watch on itself: those above it need none. */
static void walk_name(struct scan *scan, const char *directory, const char *name, size_t level)
{
  bool last = level + 1 == scan->watch->n_parts;
  bool there = !last && exists(directory, name, last);
  if (!there) {
    watch_directory(scan, directory, level);
    there = exists(directory, name, last);
  }
  if (there) take_match(scan, directory, name, level);
}

static void walk_matches(struct scan *scan, const char *directory, const char *part, size_t level)
{
  watch_directory(scan, directory, level);
  DIR *open = opendir(*directory ? directory : ".");
  if (!open) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    complain(scan, "can not be read", directory);
    scan->found->incomplete = true;
    return;
  }
  bool last = level + 1 == scan->watch->n_parts;
  for (struct dirent *entry; (entry = readdir(open)) && scan->found->n < MOST_PATHS;) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (fnmatch(part, entry->d_name, FNM_PERIOD)) continue;
    if (last || entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)
      take_match(scan, directory, entry->d_name, level);
  }
  closedir(open);
}

static void walk(struct scan *scan, const char *directory, size_t level)
{
  const char *part = scan->watch->parts[level];
  if (is_wild(part))
    walk_matches(scan, directory, part, level);
  else
    walk_name(scan, directory, part, level);
}

static void unwatch_unwanted(struct path_watch *watch)
{
  for (size_t i = watch->n_directories; i-- > 0;) {
    if (watch->directories[i].wanted) continue;
    inotify_rm_watch(watch->fd, watch->directories[i].wd);
    free(watch->directories[i].path);
    watch->directories[i] = watch->directories[--watch->n_directories];
  }
}

static int by_path(const void *a, const void *b)
{
  return strcmp(((const struct found_path *)a)->path, ((const struct found_path *)b)->path);
}

static void mark_made(struct path_watch *watch, struct found_paths *found)
{
  for (size_t i = 0; watch->all_made && i < found->n; i++) found->items[i].made = true;
  for (size_t i = 0; i < watch->n_made; i++) {
    struct found_path key = {.path = watch->made[i]}, *made = NULL;
    if (found->n) made = bsearch(&key, found->items, found->n, sizeof key, by_path);
    if (made) made->made = true;
  }
  forget_made(watch);
}

bool path_watch_scan(struct path_watch *watch, struct found_paths *found, const char **problem)
{
  struct scan scan = {.watch = watch, .found = found};
  uint64_t begin = time_monotonic();
  *found = (struct found_paths){0};
  watch->problem[0] = '\0';
  for (size_t i = 0; i < watch->n_directories; i++) watch->directories[i].wanted = false;
  walk(&scan, watch->begin, 0);
  unwatch_unwanted(watch);
  if (found->n) qsort(found->items, found->n, sizeof *found->items, by_path);
  if (!scan.no_memory) mark_made(watch, found);
  uint64_t end = time_monotonic(), pause = 10 * (end - begin);
  watch->earliest = end + (pause < SHORTEST_PAUSE ? SHORTEST_PAUSE : pause);
  uint64_t interval = scan.blind ? BLIND_INTERVAL : SAFETY_INTERVAL;
  watch->next_scan = end + interval > watch->earliest ? end + interval : watch->earliest;
  *problem = watch->problem[0] ? watch->problem : NULL;
  if (scan.no_memory) found_paths_free(found);
  return !scan.no_memory;
}

void found_paths_free(struct found_paths *found)
{
  for (size_t i = 0; i < found->n; i++) free(found->items[i].path);
  free(found->items);
  *found = (struct found_paths){0};
}
