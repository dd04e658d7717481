#include "plugin/loader.h"
#include "config/diagnostics.h"
#include "plugin/build_paths.h"
#include "plugin/check.h"
#include "plugin/elf.h"
#include <dirent.h>
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, MAX_NAMES = 256 };

struct loaded {
  struct loaded *next;
  char *path;
  struct evp_plugin plugin; /* the plugin's own, with zeros behind what an older one has */
};

struct plugin_finder {
  char **dirs; /* in the order in which they are searched */
  size_t n_dirs, n_given; /* n_given: those of --plugin-dir, in front */
  struct loaded *loaded;
  char error[PATH_ROOM + 512];
};

/* ------------------------------------------------------------------------------------------------------- folders */

static void insert_dir(struct plugin_finder *finder, size_t at, const char *dir)
{
  char **dirs = realloc(finder->dirs, (finder->n_dirs + 1) * sizeof *dirs);
  char *copy = realpath(dir, NULL);
  if (!copy) copy = strdup(dir); /* it is not there: a message may name it all the same */
  if (!dirs || !copy) {
    free(copy);
    if (dirs) finder->dirs = dirs;
    return;
  }
  finder->dirs = dirs;
  memmove(dirs + at + 1, dirs + at, (finder->n_dirs - at) * sizeof *dirs);
  dirs[at] = copy;
  finder->n_dirs++;
}

void plugin_finder_add_dir(struct plugin_finder *finder, const char *dir)
{
  insert_dir(finder, finder->n_given++, dir);
}

static void add_path_variable(struct plugin_finder *finder)
{
  const char *variable = getenv("EVPIPE_PLUGIN_PATH");
  char *list = variable ? strdup(variable) : NULL, *rest = list;
  for (char *dir; rest && (dir = strsep(&rest, ":"));)
    if (*dir) insert_dir(finder, finder->n_dirs, dir);
  free(list);
}

/* The folder beside the program, so that a moved prefix and a build that was not installed work, then the configured. */
static void add_own_dirs(struct plugin_finder *finder)
{
  char program[PATH_ROOM], dir[PATH_ROOM + 64];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  if (n > 0) {
    program[n] = '\0';
    const char *bin = dirname(program);
    snprintf(dir, sizeof dir, "%s/../plugins", bin); /* core/evpipe of a build folder */
    if (strlen(bin) > 5 && !strcmp(bin + strlen(bin) - 5, "/core")) insert_dir(finder, finder->n_dirs, dir);
    snprintf(dir, sizeof dir, "%s/%s", bin, PLUGIN_DIR_FROM_BIN);
    insert_dir(finder, finder->n_dirs, dir);
  }
  insert_dir(finder, finder->n_dirs, PLUGIN_DIR);
}

struct plugin_finder *plugin_finder_new(void)
{
  struct plugin_finder *finder = calloc(1, sizeof *finder);
  if (!finder) return NULL;
  add_path_variable(finder);
  add_own_dirs(finder);
  return finder;
}

void plugin_finder_free(struct plugin_finder *finder)
{
  if (!finder) return;
  for (struct loaded *loaded = finder->loaded, *next; loaded; loaded = next) {
    next = loaded->next;
    free(loaded->path);
    free(loaded);
  }
  for (size_t i = 0; i < finder->n_dirs; i++) free(finder->dirs[i]);
  free(finder->dirs);
  free(finder);
}

/* ------------------------------------------------------------------------------------------------------- loading */

static const struct evp_plugin *fail(
  struct plugin_finder *finder, const char **error, const char *path, const char *text)
{
  snprintf(finder->error, sizeof finder->error, "%s: %s", path, text);
  *error = finder->error;
  return NULL;
}

/* A plugin that is larger than this evpipe knows may use nothing of what it has more. */
static bool rest_is_zero(const struct evp_plugin *plugin)
{
  const unsigned char *bytes = (const unsigned char *)plugin;
  for (size_t i = sizeof *plugin; i < plugin->size; i++)
    if (bytes[i]) return false;
  return true;
}

static const struct evp_plugin *take_entry(
  struct plugin_finder *finder, const char *path, const struct evp_plugin *entry, const char **error)
{
  char text[512];
  if (entry->abi != EVP_ABI) {
    snprintf(text, sizeof text, "is built for ABI %u, this evpipe has %u: %s", entry->abi, EVP_ABI,
      entry->abi > EVP_ABI ? "it needs a newer evpipe" : "build it again with this evpipe's header");
    return fail(finder, error, path, text);
  }
  if (entry->size < offsetof(struct evp_plugin, create) || entry->size > 65536)
    return fail(finder, error, path, "its struct evp_plugin has no sensible size: use EVP_PLUGIN()");
  if (!rest_is_zero(entry))
    return fail(
      finder, error, path, "uses parts of the contract that this evpipe does not know: it needs a newer evpipe");
  struct loaded *loaded = calloc(1, sizeof *loaded);
  if (!loaded || !(loaded->path = strdup(path))) {
    free(loaded);
    return fail(finder, error, path, "no memory");
  }
  memcpy(&loaded->plugin, entry, entry->size < sizeof loaded->plugin ? entry->size : sizeof loaded->plugin);
  if (plugin_check(&loaded->plugin, text, sizeof text)) {
    free(loaded->path);
    free(loaded);
    return fail(finder, error, path, text);
  }
  loaded->next = finder->loaded;
  finder->loaded = loaded;
  return &loaded->plugin;
}

const struct evp_plugin *plugin_load(struct plugin_finder *finder, const char *path, const char **error)
{
  for (const struct loaded *loaded = finder->loaded; loaded; loaded = loaded->next)
    if (!strcmp(loaded->path, path)) return &loaded->plugin;
  const char *wrong = elf_check(path);
  if (wrong) return fail(finder, error, path, wrong);
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    size_t length = strlen(path);
    if (why && !strncmp(why, path, length) && !strncmp(why + length, ": ", 2)) why += length + 2;
    char text[1024];
    snprintf(text, sizeof text, "can not be loaded: %s", why ? why : "no reason is known");
    return fail(finder, error, path, text);
  }
  const struct evp_plugin *entry = dlsym(handle, "evp_plugin_entry");
  if (entry) return take_entry(finder, path, entry, error);
  dlclose(handle);
  return fail(
    finder, error, path, "is no plugin of evpipe: it has no symbol evp_plugin_entry (see EVP_PLUGIN in evpipe.h)");
}

static const struct evp_plugin *of_kind(
  struct plugin_finder *finder, enum evp_kind kind, const char *path, const char **error)
{
  const struct evp_plugin *plugin = plugin_load(finder, path, error);
  if (!plugin || plugin->kind == kind) return plugin;
  char text[128];
  snprintf(text, sizeof text, "is a %s, and stands among the %ss", evp_kind_name(plugin->kind), evp_kind_name(kind));
  return fail(finder, error, path, text);
}

/* What else could be meant: a name of the same kind that is like it. */
struct similar {
  enum evp_kind kind;
  char *names[MAX_NAMES + 1];
  size_t n;
};

static void take_name(void *context, const char *path, const char *file)
{
  struct similar *similar = context;
  const char *kind = evp_kind_name(similar->kind);
  size_t prefix = strlen(kind) + 1, length = strlen(file);
  (void)path;
  if (similar->n == MAX_NAMES || length <= prefix + 3 || strncmp(file, kind, prefix - 1)) return;
  char *name = strndup(file + prefix, length - prefix - 3);
  if (name) similar->names[similar->n++] = name;
}

static bool has_file(const struct plugin_finder *finder, enum evp_kind kind, const char *name)
{
  char path[PATH_ROOM];
  for (size_t i = 0; i < finder->n_dirs; i++) {
    snprintf(path, sizeof path, "%s/%s-%s.so", finder->dirs[i], evp_kind_name(kind), name);
    if (!access(path, F_OK)) return true;
  }
  return false;
}

static const struct evp_plugin *not_found(
  struct plugin_finder *finder, enum evp_kind kind, const char *name, const char **error)
{
  const char *word = evp_kind_name(kind);
  struct similar similar = {.kind = kind};
  char hint[256] = "", *text = finder->error;
  size_t size = sizeof finder->error, used;
  for (int other = EVP_SOURCE; other <= EVP_SINK; other++)
    if (has_file(finder, (enum evp_kind)other, name))
      snprintf(hint, sizeof hint, "; '%.64s' is a %s", name, evp_kind_name((uint32_t)other));
  plugin_visit_all(finder, take_name, &similar);
  const char *near = nearest_word(name, (const char *const *)similar.names);
  if (near) snprintf(hint, sizeof hint, "; did you mean '%.64s'?", near);
  used =
    (size_t)snprintf(text, size, "there is no %s plugin '%.64s'%s (no %s-%.64s.so in", word, name, hint, word, name);
  for (size_t i = 0; i < finder->n_dirs && used < size; i++)
    used += (size_t)snprintf(text + used, size - used, "%s %s", i ? "," : "", finder->dirs[i]);
  if (used < size) snprintf(text + used, size - used, ")");
  for (size_t i = 0; i < similar.n; i++) free(similar.names[i]);
  *error = text;
  return NULL;
}

static const struct evp_plugin *find_by_name(
  struct plugin_finder *finder, enum evp_kind kind, const char *name, const char **error)
{
  char path[PATH_ROOM];
  for (size_t i = 0; i < finder->n_dirs; i++) {
    snprintf(path, sizeof path, "%s/%s-%s.so", finder->dirs[i], evp_kind_name(kind), name);
    if (!access(path, F_OK)) return of_kind(finder, kind, path, error);
  }
  return not_found(finder, kind, name, error);
}

const struct evp_plugin *plugin_find(
  struct plugin_finder *finder, enum evp_kind kind, const char *spec, const char *base, const char **error)
{
  if (!strchr(spec, '/')) return find_by_name(finder, kind, spec, error);
  char path[PATH_ROOM];
  bool relative = spec[0] != '/' && base && strcmp(base, ".");
  int n = snprintf(path, sizeof path, "%s%s%s", relative ? base : "", relative ? "/" : "", spec);
  if (n < 0 || (size_t)n >= sizeof path) return fail(finder, error, spec, "this path is too long");
  if (access(path, F_OK)) return fail(finder, error, path, "there is no such file");
  return of_kind(finder, kind, path, error);
}

/* The kind that "sink/zmq" begins with, 0 if it is none; *name is what follows. */
static enum evp_kind kind_in_front(const char *spec, const char **name)
{
  const char *slash = strchr(spec, '/');
  for (int kind = EVP_SOURCE; slash && kind <= EVP_SINK; kind++) {
    const char *word = evp_kind_name((uint32_t)kind);
    *name = slash + 1;
    if (strlen(word) == (size_t)(slash - spec) && !strncmp(spec, word, strlen(word)) && !strpbrk(*name, "/."))
      return (enum evp_kind)kind;
  }
  return (enum evp_kind)0;
}

static const struct evp_plugin *find_of_any_kind(struct plugin_finder *finder, const char *name, const char **error)
{
  enum evp_kind found = (enum evp_kind)0;
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) {
    if (!has_file(finder, (enum evp_kind)kind, name)) continue;
    if (found) {
      snprintf(finder->error, sizeof finder->error, "'%s' is the name of several plugins: write %s/%s or %s/%s", name,
        evp_kind_name(found), name, evp_kind_name((uint32_t)kind), name);
      *error = finder->error;
      return NULL;
    }
    found = (enum evp_kind)kind;
  }
  if (found) return find_by_name(finder, found, name, error);
  snprintf(
    finder->error, sizeof finder->error, "there is no plugin '%s'; evpipe --plugins lists those that there are", name);
  *error = finder->error;
  return NULL;
}

const struct evp_plugin *plugin_find_any(struct plugin_finder *finder, const char *spec, const char **error)
{
  const char *name;
  enum evp_kind kind = kind_in_front(spec, &name);
  if (kind) return find_by_name(finder, kind, name, error);
  if (!strchr(spec, '/')) return find_of_any_kind(finder, spec, error);
  if (!access(spec, F_OK)) return plugin_load(finder, spec, error);
  return fail(finder, error, spec, "there is no such file");
}

const char *plugin_path(const struct plugin_finder *finder, const struct evp_plugin *plugin)
{
  for (const struct loaded *loaded = finder->loaded; loaded; loaded = loaded->next)
    if (&loaded->plugin == plugin) return loaded->path;
  return "";
}

/* ------------------------------------------------------------------------------------------------------- listing */

static int is_plugin_file(const struct dirent *entry)
{
  const char *dash = strchr(entry->d_name, '-'), *suffix = strrchr(entry->d_name, '.');
  if (!dash || !suffix || strcmp(suffix, ".so")) return 0;
  size_t length = (size_t)(dash - entry->d_name);
  for (int kind = EVP_SOURCE; kind <= EVP_SINK; kind++) {
    const char *name = evp_kind_name((uint32_t)kind);
    if (strlen(name) == length && !strncmp(entry->d_name, name, length)) return 1;
  }
  return 0;
}

static bool is_hidden(const struct plugin_finder *finder, size_t dir, const char *file)
{
  char path[PATH_ROOM];
  for (size_t i = 0; i < dir; i++) {
    snprintf(path, sizeof path, "%s/%s", finder->dirs[i], file);
    if (!access(path, F_OK)) return true;
  }
  return false;
}

void plugin_visit_all(
  struct plugin_finder *finder, void (*visit)(void *context, const char *path, const char *file), void *context)
{
  for (size_t i = 0; i < finder->n_dirs; i++) {
    struct dirent **entries;
    int n = scandir(finder->dirs[i], &entries, is_plugin_file, alphasort);
    for (int k = 0; k < n; k++) {
      char path[PATH_ROOM];
      snprintf(path, sizeof path, "%s/%s", finder->dirs[i], entries[k]->d_name);
      if (!is_hidden(finder, i, entries[k]->d_name)) visit(context, path, entries[k]->d_name);
      free(entries[k]);
    }
    if (n >= 0) free(entries);
  }
}
