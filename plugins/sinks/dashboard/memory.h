/* memory.h: memory for what is large and lives long: from 64 KiB on it is the kernel's own pages, so that what is given back is
 * given back, and no hole stays in the heap that only something of that size could fill.
 *
 * Owner    the caller. Threads  any.
 */
#ifndef EVPIPE_DASHBOARD_MEMORY_H
#define EVPIPE_DASHBOARD_MEMORY_H

#include <stddef.h>

/* As realloc(), which is told the size that it had; 0 bytes: freed, and NULL. NULL: no memory, and nothing is changed. */
void *memory_resize(void *memory, size_t before, size_t after);

#endif
