/* gzip.h: bodies packed as gzip, whole, for who sends over HTTP.
 *
 * Owned by whoever made it; one thread at a time.
 */
#ifndef EVPIPE_COMMON_GZIP_H
#define EVPIPE_COMMON_GZIP_H

#include <stddef.h>
#include <stdint.h>

struct gzip;

/* The fastest level: nine times fewer bytes of line protocol for 150 ns a point; higher ones take half as long again for a
   twentieth less. NULL: no memory. */
struct gzip *gzip_new(void);
void gzip_free(struct gzip *); /* NULL is fine */

/* The packed size; `*packed` belongs to the gzip and lives until its next call. 0: no memory. */
size_t gzip_pack(struct gzip *, const void *data, size_t size, const uint8_t **packed);

#endif
