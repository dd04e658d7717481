#include "engine/each.h"
#include "config/diagnostics.h"
#include "engine/engine_state.h"
#include "engine/lane.h"
#include "engine/path_watch.h"
#include "engine/source.h"
#include "engine/time.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Which file it was that lay under a path: a name may be used again, and so may an inode. */
struct identity {
  uint64_t device, inode;
  int64_t made_s; /* 0: the file system does not know */
  uint32_t made_ns;
};

/* A path that is there, or was when its source was last asked. */
struct entry {
  char *path;
  struct source *source; /* NULL: it came to its end (a file that was read), or could not be made */
  bool there;
  struct identity identity; /* when the source was made */
};

struct entries {
  struct entry *items; /* sorted by path */
  size_t n;
};

struct each {
  struct node *node;
  struct path_watch *watch;
  struct entries entries;
  size_t n_sources;
  char *problem; /* that was told last */
  bool full_told;
};

/* Each connection is a file, and the usual limit is 1024. */
static void raise_file_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct each *each_new(struct node *node)
{
  struct each *each = calloc(1, sizeof *each);
  if (!each) return NULL;
  raise_file_limit();
  each->node = node;
  each->watch = path_watch_new(node->config->source.each);
  if (each->watch) return each;
  free(each);
  return NULL;
}

static void free_entry(struct entry *entry)
{
  source_free(entry->source);
  free(entry->path);
}

void each_free(struct each *each)
{
  if (!each) return;
  for (size_t i = 0; i < each->entries.n; i++) free_entry(&each->entries.items[i]);
  free(each->entries.items);
  free(each->problem);
  path_watch_free(each->watch);
  free(each);
}

int each_fd(const struct each *each)
{
  return path_watch_fd(each->watch);
}

uint64_t each_deadline(const struct each *each)
{
  return path_watch_deadline(each->watch);
}

bool each_has_sources(const struct each *each)
{
  return each->n_sources > 0;
}

/* ------------------------------------------------------------------------------------------------------- a source */

static struct identity identify(const char *path)
{
  struct statx status;
  if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &status)) return (struct identity){0};
  bool known = status.stx_mask & STATX_BTIME;
  return (struct identity){.device = makedev(status.stx_dev_major, status.stx_dev_minor),
    .inode = status.stx_ino,
    .made_s = known ? status.stx_btime.tv_sec : 0,
    .made_ns = known ? status.stx_btime.tv_nsec : 0};
}

static bool is_same(const struct identity *a, const struct identity *b)
{
  return a->device == b->device && a->inode == b->inode && a->made_s == b->made_s && a->made_ns == b->made_ns;
}

/* Under the path lies what is not what its source was made for. */
static bool is_another(const struct entry *entry)
{
  struct identity now = identify(entry->path);
  return now.inode && !is_same(&now, &entry->identity);
}

static struct lane *emptiest_lane(const struct engine *engine)
{
  struct lane *emptiest = &engine->lanes[0];
  for (unsigned i = 1; i < engine->n_lanes; i++)
    if (engine->lanes[i].n_sources < emptiest->n_sources) emptiest = &engine->lanes[i];
  return emptiest;
}

/* NULL: told. */
static struct pipeline_instance *bind(struct node *node, const char *path)
{
  struct diagnostics *diagnostics = diagnostics_new(path);
  struct pipeline_instance *instance = diagnostics ? pipeline_instance_new(node->config, path, diagnostics) : NULL;
  const char *error = diagnostics ? diagnostics_first_error(diagnostics) : NULL;
  if (!instance) node_log(node, LOG_LEVEL_ERROR, "%s: %s", path, error ? error : "no memory");
  diagnostics_free(diagnostics);
  return instance;
}

static struct source *make_source(struct node *node, struct pipeline_instance *instance)
{
  struct evp_ctx *ctx = calloc(1, sizeof *ctx);
  if (!ctx || !instance_create(ctx, node, NULL, instance, false, NULL)) {
    free(ctx);
    return NULL;
  }
  struct source *source = source_new(node, ctx);
  if (source) return source;
  instance_destroy(ctx);
  free(ctx);
  return NULL;
}

/* What can not be made is left out; the others go on. It is no loss if the path is gone meanwhile. */
static void begin(struct each *each, struct entry *entry)
{
  struct node *node = each->node;
  entry->identity = identify(entry->path);
  struct pipeline_instance *instance = bind(node, entry->path);
  struct source *source = instance ? make_source(node, instance) : NULL;
  bool started = source && source_start(source);
  pipeline_instance_unref(instance);
  if (started) {
    entry->source = source;
    each->n_sources++;
    lane_add(emptiest_lane(node->engine), source);
    node_log(node, LOG_LEVEL_DEBUG, "%s: a source of its own", entry->path);
    return;
  }
  source_free(source);
  struct identity now = identify(entry->path);
  if (!now.inode) return;
  node_log(node, LOG_LEVEL_WARNING, "%s: left out until it is made anew", entry->path);
  statistics_add(&node->statistics.errors, 1);
  engine_status(node->engine, STATUS_NODE_FAILED);
}

/* ---------------------------------------------------------------------------------------------- what was, what is */

static void still_there(struct each *each, struct entry *entry, bool made)
{
  if (entry->source) {
    if (!entry->there) source_path_is(entry->source, true);
    if (made || !entry->there) source_try_now(entry->source);
  } else if (made && is_another(entry)) {
    begin(each, entry);
  }
  entry->there = true;
}

/* True: nothing keeps the entry. */
static bool is_gone(struct entry *entry)
{
  if (entry->there && entry->source) source_path_is(entry->source, false);
  entry->there = false;
  return !entry->source;
}

/* Once, and so whatever else was said in this moment. */
static void tell_full(struct each *each)
{
  const struct pipeline_node *config = each->node->config;
  if (!each->full_told)
    log_line(LOG_LEVEL_WARNING, config->name, config->place,
      "more than %d paths match: the others are left out until some of these have gone", MOST_INSTANCES);
  each->full_told = true;
}

/* Takes over a path that was found for the first time. */
static void new_entry(struct each *each, struct entries *merged, char *path)
{
  struct entry *entry = &merged->items[merged->n++];
  *entry = (struct entry){.path = path, .there = true};
  begin(each, entry);
}

/* Two sorted lists become one. What is known is kept, however many are new. */
static void merge(struct each *each, struct found_paths *found, struct entries *merged)
{
  struct entries *known = &each->entries;
  size_t k = 0, f = 0;
  while (k < known->n || f < found->n) {
    struct entry *entry = k < known->n ? &known->items[k] : NULL;
    int order = !entry ? 1 : f == found->n ? -1 : strcmp(entry->path, found->items[f].path);
    if (order == 0) still_there(each, entry, found->items[f++].made);
    if (order <= 0) {
      k++;
      if (order == 0 || found->incomplete || !is_gone(entry))
        merged->items[merged->n++] = *entry;
      else
        free_entry(entry);
      continue;
    }
    if (each->n_sources < MOST_INSTANCES) {
      new_entry(each, merged, found->items[f].path);
      found->items[f].path = NULL;
    } else {
      tell_full(each);
    }
    f++;
  }
}

/* ------------------------------------------------------------------------------------------------------------- looks */

static void tell_problem(struct each *each, const char *problem)
{
  bool same = problem && each->problem && !strcmp(problem, each->problem);
  if (same) return;
  free(each->problem);
  each->problem = problem ? strdup(problem) : NULL;
  if (problem) node_log(each->node, LOG_LEVEL_WARNING, "%s", problem);
}

static void look_again(struct each *each)
{
  struct found_paths found;
  const char *problem;
  if (!path_watch_scan(each->watch, &found, &problem)) {
    node_log(each->node, LOG_LEVEL_ERROR, "no memory for the paths that match %s", each->node->config->source.each);
    return;
  }
  tell_problem(each, problem);
  struct entries merged = {.items = calloc(each->entries.n + found.n + 1, sizeof *merged.items)};
  if (merged.items) {
    merge(each, &found, &merged);
    if (!each->entries.items && !found.n)
      node_log(
        each->node, LOG_LEVEL_INFO, "nothing matches %s so far: waiting for it", each->node->config->source.each);
    free(each->entries.items);
    each->entries = merged;
  }
  found_paths_free(&found);
}

void each_look(struct each *each)
{
  if (path_watch_fd(each->watch) >= 0) path_watch_read(each->watch);
  if (time_monotonic() >= path_watch_deadline(each->watch)) look_again(each);
}

static int by_path(const void *a, const void *b)
{
  return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void each_take_back(struct each *each, struct source *source)
{
  struct entry key = {.path = (char *)(uintptr_t)source_path(source)};
  node_log(each->node, LOG_LEVEL_DEBUG, "%s: %s", source_path(source), source_was_let_go(source) ? "let go" : "over");
  struct entry *entry = bsearch(&key, each->entries.items, each->entries.n, sizeof key, by_path);
  bool let_go = source_was_let_go(source);
  source_free(source);
  entry->source = NULL;
  each->n_sources--;
  if (entry->there && (let_go || is_another(entry))) begin(each, entry); /* it came back, or was replaced, meanwhile */
  if (entry->there) return;
  free(entry->path);
  size_t index = (size_t)(entry - each->entries.items);
  memmove(entry, entry + 1, (--each->entries.n - index) * sizeof *entry);
}
