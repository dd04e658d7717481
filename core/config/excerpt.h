/* excerpt.h: one line of a configuration with a caret under the place that is meant, and with *** for secrets,
 * the user and password within an address among them.
 *
 * A line that is too long is cut around the place. Tabs stay, so that the caret stands right; other control characters,
 * which could steer a terminal, become question marks.
 */
#ifndef EVPIPE_CONFIG_EXCERPT_H
#define EVPIPE_CONFIG_EXCERPT_H

#include "config/diagnostics.h"

struct excerpt {
  const char *text; /* the whole configuration; NULL: there is none to show */
  size_t size;
  struct place *hidden; /* secrets */
  size_t n_hidden;
  bool understood; /* `hidden` has all of them; else they are looked for without YAML's rules */
};

void excerpt_print(const struct excerpt *, struct place, FILE *);
/* The size of the line that begins at `at`; returns where the next one begins, NULL: there is none. */
const char *excerpt_next_line(const char *at, const char *end, size_t *size);
bool is_secret_key(const char *word, size_t size); /* does the name of a key say that its value is a secret? */

#endif
