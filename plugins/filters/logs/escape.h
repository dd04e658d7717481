/* escape.h: bytes as text. Both write what fits whole into to[0..room) and return how much that is. */
#ifndef EVPIPE_LOGS_ESCAPE_H
#define EVPIPE_LOGS_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* Two lower-case digits a byte. */
size_t escape_hex(char *to, size_t room, const uint8_t *bytes, size_t size);
/* Printable UTF-8 as it is, a backslash doubled, everything else \xHH: can be read back. */
size_t escape_bytes(char *to, size_t room, const uint8_t *bytes, size_t size);

#endif
