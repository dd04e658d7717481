/* utf8.h: text that comes from a stream is not always UTF-8 (RFC 3629); what leaves evpipe is.
 *
 * Threads  any; nothing is kept. Errors: none.
 */
#ifndef EVPIPE_COMMON_UTF8_H
#define EVPIPE_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum utf8_controls { UTF8_KEEP_CONTROLS, UTF8_REPLACE_CONTROLS }; /* of C0, and DEL */

/* Length of the character at text[0]: 1 to 4; 0 if no valid one begins there (size > 0). */
size_t utf8_length(const uint8_t *text, size_t size);
/* text[0..size) needs no repair. */
bool utf8_is_clean(const uint8_t *text, size_t size, enum utf8_controls);
/* Copies text to to[0..room) with U+FFFD for each byte that is not UTF-8 (and for control characters); stops before
   the character that does not fit. The bytes written; *rest (may be NULL) is what was left of the text. */
size_t utf8_repair(char *to, size_t room, const uint8_t *text, size_t size, enum utf8_controls, size_t *rest);
/* The longest piece of at most `limit` bytes that ends between two characters of text, which is UTF-8. */
size_t utf8_cut(const char *text, size_t size, size_t limit);

#endif
