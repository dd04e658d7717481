/* slab.h: pooled read buffers. A source reads into a slab; events point into it; a slab lives as long as a block that
 * points into it (block.h), and then goes back to the pool.
 *
 * Owner    reference counted, from any thread. The lane that fills a slab holds one reference meanwhile.
 * Rule     what was handed out is never written again; a lane goes on filling the rest of a slab that others read.
 */
#ifndef EVPIPE_SLAB_H
#define EVPIPE_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* 256 KiB is what a read takes at most and what lies well in a core's L2 cache; the rest is room for the record that
   the last slab's end had cut. */
enum { SLAB_READ = 256 * 1024, SLAB_TAIL = 72 * 1024, SLAB_SIZE = SLAB_READ + SLAB_TAIL };

struct slab_pool;

struct slab {
  atomic_uint refs;
  struct slab_pool *pool;
  struct slab *next_free;
  uint8_t data[SLAB_SIZE];
};

struct slab_pool *slab_pool_new(void);
void slab_pool_free(struct slab_pool *); /* every slab must have come back */

struct slab *slab_get(struct slab_pool *); /* one reference; NULL: no memory */
void slab_ref(struct slab *);
void slab_unref(struct slab *);

#endif
