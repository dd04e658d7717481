/* text.h: UTF-8 as RFC 3629 has it, for text that comes from outside. */
#ifndef EVPIPE_TEXT_H
#define EVPIPE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

size_t text_valid_prefix(const char *text, size_t size); /* bytes at the begin that are UTF-8 */
bool text_is_utf8(const char *text, size_t size);
/* A copy in which every byte that is not part of valid UTF-8 became U+FFFD; NUL-terminated; the caller frees it.
   `made`, if not NULL, gets its size. NULL: no memory. */
char *text_make_utf8(const char *text, size_t size, size_t *made);

#endif
