/* label.h: the text of a band, as it goes into a series: UTF-8, no control characters, 1,024 bytes at most.
 *
 * Put together from pieces of any size. What is too long is cut at a character and ends with `#` and a hash of the
 * whole, so that two long labels with the same beginning stay two bands; the hash never changes, so that a restarted
 * program continues its bands.
 */
#ifndef EVPIPE_HEAP_LABEL_H
#define EVPIPE_HEAP_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LABEL_MAX = 1024 };

struct label {
  size_t size;
  bool cut;
  uint64_t hash; /* of all pieces */
  char text[LABEL_MAX + 1];
};

void label_begin(struct label *);
void label_add(struct label *, const void *piece, size_t size);
void label_end(struct label *); /* then text is NUL-terminated, maybe empty */

/* All three for one piece. */
void label_make(struct label *, const void *text, size_t size);

#endif
