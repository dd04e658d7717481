/* diagnostics.h: what is wrong with a configuration: collected, then printed together in the order of the lines.
 *
 *   pipeline.yaml:12:5: error: sink 'influx': unknown option 'ulr'; did you mean 'url'?
 *      12 |     ulr: http://localhost:8086
 *         |     ^~~
 *
 * What stands behind a key such as `password` or `token` is shown as ***, whatever the error is about.
 */
#ifndef EVPIPE_DIAGNOSTICS_H
#define EVPIPE_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct diagnostics;

/* A place in the YAML: line and column begin at 1; the column counts characters. Line 0: no place. */
struct place {
  unsigned line, column, length;
  unsigned last_line, last_column; /* if it goes on in further lines: where it ends; else 0 */
};

struct diagnostics *diagnostics_new(const char *path); /* as it is to be printed; borrowed */
void diagnostics_free(struct diagnostics *);
void diagnostics_set_text(struct diagnostics *, const char *text, size_t size); /* of the file; borrowed */
void diagnostics_hide(struct diagnostics *, struct place); /* a secret: never shown */
/* Every secret that its key gives away is hidden. Before, all is that stands in a line behind such a key, and below. */
void diagnostics_set_understood(struct diagnostics *);

/* At most 100 are kept; of further ones only the number is. */
void diagnostics_error(struct diagnostics *, struct place, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
void diagnostics_warning(struct diagnostics *, struct place, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
size_t diagnostics_errors(const struct diagnostics *);
const char *diagnostics_first_error(const struct diagnostics *); /* its text alone; NULL: there is none */
void diagnostics_print(struct diagnostics *, FILE *);

/* The word of `words` (NULL-terminated) that was most likely meant by `word`; NULL: none is near. */
const char *nearest_word(const char *word, const char *const *words);

#endif
