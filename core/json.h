/* json.h: writes JSON, indented or in one line, to a file. Objects and arrays are opened and closed in order; commas and line feeds are
 * put by it.
 *
 * Threads  one at a time for each writer.
 * Errors   none here: look at ferror() of the file at the end.
 */
#ifndef EVPIPE_JSON_H
#define EVPIPE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_MAX_DEPTH = 32 };

struct json {
  FILE *file;
  bool compact; /* all in one line */
  unsigned depth;
  bool begun[JSON_MAX_DEPTH]; /* by depth: something stands there already */
  char closing[JSON_MAX_DEPTH]; /* the bracket that ends it */
};

/* `key` is the member's name in an object, NULL in an array and at the top. */
void json_object(struct json *, const char *key);
void json_array(struct json *, const char *key);
void json_end(struct json *); /* of the innermost; the line feed after the outermost, too */
void json_string(struct json *, const char *key, const char *value); /* NULL: null; what is not UTF-8 is replaced */
void json_bool(struct json *, const char *key, bool value);
void json_int(struct json *, const char *key, int64_t value);
void json_number(struct json *, const char *key, const char *value); /* digits, as they are to stand there */
void json_strings(struct json *, const char *key, const char *const *values); /* an array; NULL-terminated */

#endif
