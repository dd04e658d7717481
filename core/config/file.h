/* file.h: a configuration's text, as far as one can say before it is read as YAML that it is one: a file, not too large,
 * UTF-8, without NUL.
 */
#ifndef EVPIPE_CONFIG_FILE_H
#define EVPIPE_CONFIG_FILE_H

#include "config/diagnostics.h"
#include "config/memory.h"

/* The whole text, NUL-terminated, without a byte order mark. NULL: it is none, which is told. */
char *config_read_file(struct config_memory *, const char *path, size_t *size, struct diagnostics *);
/* The place of a byte, by line feeds: for errors that libyaml has no mark for. */
struct place config_place(const char *text, size_t offset);

#endif
