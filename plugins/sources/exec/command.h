/* command.h: what is to be executed, made ready before fork(): words, environment, where the program may lie.
 *
 * Owner    the instance.
 */
#ifndef EVPIPE_EXEC_COMMAND_H
#define EVPIPE_EXEC_COMMAND_H

#include <evpipe.h>

struct command {
  char **words, **environment; /* NULL-terminated */
  char **candidates; /* paths to be tried in their order */
  bool appended; /* the options for the run-time system were added: {eventlog} stood nowhere */
};

/* `{eventlog}` in the words and the added environment becomes the path; where it is in neither, +RTS -l -olPATH -RTS is
   appended. At least one word. False: no memory. */
bool command_make(
  struct command *, const struct evp_strings *words, const struct evp_map *environment, const char *eventlog);
void command_free(struct command *);

/* A word that a shell would have taken for an operator; NULL: there is none. */
const char *command_operator(const struct evp_strings *words);

#endif
