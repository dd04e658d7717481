/* haskell_text.h: strings of events as Haskell programs print them.
 *
 * Owner    the caller's buffer. Errors: false: no memory.
 */
#ifndef EVPIPE_COMMON_HASKELL_TEXT_H
#define EVPIPE_COMMON_HASKELL_TEXT_H

#include <evpipe.h>

/* As it is; each byte that is not UTF-8 becomes U+FFFD. */
bool haskell_put_text(struct evp_buf *, const uint8_t *string, size_t size);

/* ISO 8859-1, made UTF-8. */
bool haskell_put_latin1(struct evp_buf *, const uint8_t *string, size_t size);

/* Strings that each end with a NUL as `show` prints a list of them: ["a","b\n"]. NULs at the end count for nothing. */
bool haskell_put_list(struct evp_buf *, const uint8_t *strings, size_t size);

/* Bytes that may be text: what is not UTF-8, or what Haskell's isPrint does not take, becomes a dot. */
bool haskell_put_printable(struct evp_buf *, const uint8_t *bytes, size_t size);

#endif
