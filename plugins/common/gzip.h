/* gzip.h: bodies packed as gzip, whole, for who sends over HTTP.
 *
 * A struct gzip is owned by whoever made it; one thread at a time.
 */
#ifndef EVPIPE_COMMON_GZIP_H
#define EVPIPE_COMMON_GZIP_H

#include <evpipe.h>

struct gzip;

/* The fastest level: nine times fewer bytes of line protocol for 150 ns a point; higher ones take half as long again for a
   twentieth less. NULL: no memory. */
struct gzip *gzip_new(void);
void gzip_free(struct gzip *); /* NULL is fine */

/* The packed size; `*packed` belongs to the gzip and lives until its next call. 0: no memory. */
size_t gzip_pack(struct gzip *, const void *data, size_t size, const uint8_t **packed);

/* By its first bytes, with which no text begins. */
bool gzip_is_packed(const void *data, size_t size);
/* How much it will be, as its end says: not to be relied on. 0: it is too short for gzip. */
size_t gzip_unpacked_size(const void *packed, size_t size);

/* For once: the text becomes what it is packed. False: no memory; it stays. */
bool gzip_replace(struct evp_buf *text);
/* Appends what was packed, if that is at most `limit` bytes. False: it is more, or damaged, or there is no memory. */
bool gzip_unpack(const void *packed, size_t size, size_t limit, struct evp_buf *text);

#endif
