#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char placeholder[] = "{eventlog}";
static const char default_path[] = "/usr/local/bin:/usr/bin:/bin"; /* as a shell has it without PATH */

/* -------------------------------------------------------------------------------------------------- lists of strings */

static char **list_new(size_t room)
{
  return calloc(room + 1, sizeof(char *));
}

static void list_free(char **list)
{
  for (char **item = list; item && *item; item++) free(*item);
  free(list);
}

/* Takes the item over, behind the last; false: there is none for want of memory. */
static bool list_add(char **list, char *item)
{
  while (*list) list++;
  *list = item;
  return item != NULL;
}

/* ---------------------------------------------------------------------------------------------------------- the parts */

static char *with_eventlog(const char *text, const char *eventlog)
{
  char *made = NULL;
  size_t size;
  FILE *file = open_memstream(&made, &size);
  if (!file) return NULL;
  for (const char *found; (found = strstr(text, placeholder)); text = found + sizeof placeholder - 1)
    fprintf(file, "%.*s%s", (int)(found - text), text, eventlog);
  fputs(text, file);
  return fclose(file) ? NULL : made;
}

static bool names_eventlog(const struct evp_strings *words, const struct evp_map *environment)
{
  for (size_t i = 0; i < words->n; i++)
    if (strstr(words->items[i], placeholder)) return true;
  for (size_t i = 0; i < environment->n; i++)
    if (strstr(environment->items[i].value, placeholder)) return true;
  return false;
}

static bool make_words(struct command *command, const struct evp_strings *words, const char *eventlog)
{
  char option[512];
  snprintf(option, sizeof option, "-ol%s", eventlog);
  const char *const appended[] = {"+RTS", "-l", option, "-RTS"};
  size_t n_appended = command->appended ? sizeof appended / sizeof *appended : 0;
  command->words = list_new(words->n + n_appended);
  bool ok = command->words;
  for (size_t i = 0; ok && i < words->n; i++) ok = list_add(command->words, with_eventlog(words->items[i], eventlog));
  for (size_t i = 0; ok && i < n_appended; i++) ok = list_add(command->words, strdup(appended[i]));
  return ok;
}

static bool is_replaced(const char *variable, const struct evp_map *added)
{
  for (size_t i = 0; i < added->n; i++) {
    size_t size = strlen(added->items[i].key);
    if (!strncmp(variable, added->items[i].key, size) && variable[size] == '=') return true;
  }
  return false;
}

static char *assignment(const struct evp_label *added, const char *eventlog)
{
  char *value = with_eventlog(added->value, eventlog), *made = NULL;
  if (value && asprintf(&made, "%s=%s", added->key, value) < 0) made = NULL;
  free(value);
  return made;
}

static bool make_environment(struct command *command, const struct evp_map *added, const char *eventlog)
{
  size_t n = 0;
  while (environ && environ[n]) n++;
  command->environment = list_new(n + added->n);
  bool ok = command->environment;
  for (size_t i = 0; ok && i < n; i++)
    if (!is_replaced(environ[i], added)) ok = list_add(command->environment, strdup(environ[i]));
  for (size_t i = 0; ok && i < added->n; i++)
    ok = list_add(command->environment, assignment(&added->items[i], eventlog));
  return ok;
}

/* The PATH that the program will have, which need not be ours. */
static const char *search_path(const struct command *command)
{
  for (char **variable = command->environment; *variable; variable++)
    if (!strncmp(*variable, "PATH=", 5)) return *variable + 5;
  return default_path;
}

static bool make_candidates(struct command *command)
{
  const char *program = command->words[0], *path = search_path(command);
  size_t n = 1;
  for (const char *colon = path; (colon = strchr(colon, ':')); colon++) n++;
  command->candidates = list_new(n);
  if (!command->candidates) return false;
  if (strchr(program, '/')) return list_add(command->candidates, strdup(program));
  for (size_t i = 0; i < n; i++) {
    size_t size = strcspn(path, ":");
    char *candidate;
    if (asprintf(&candidate, "%.*s%s%s", (int)size, path, size ? "/" : "./", program) < 0) return false;
    list_add(command->candidates, candidate);
    path += size + 1;
  }
  return true;
}

bool command_make(
  struct command *command, const struct evp_strings *words, const struct evp_map *environment, const char *eventlog)
{
  command->appended = !names_eventlog(words, environment);
  return make_words(command, words, eventlog) && make_environment(command, environment, eventlog) &&
         make_candidates(command);
}

void command_free(struct command *command)
{
  list_free(command->words);
  list_free(command->environment);
  list_free(command->candidates);
  *command = (struct command){.words = NULL};
}

const char *command_operator(const struct evp_strings *words)
{
  static const char *const operators[] = {"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"};
  for (size_t i = 1; i < words->n; i++)
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++)
      if (!strcmp(words->items[i], operators[k])) return words->items[i];
  return NULL;
}
