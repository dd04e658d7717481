/* info_table.h: the map from the addresses of info tables to names and places in the source (events IPE).
 *
 * A big program sends hundreds of thousands of entries before its first census. Texts are interned, and a place is kept
 * as its file and the rest, for both repeat: about 70 bytes an entry all in all (measured by test_info_table.c).
 *
 * Owner    the rows of one stream; addresses are those of one process. Errors: what does not fit is counted.
 */
#ifndef EVPIPE_HEAP_INFO_TABLE_H
#define EVPIPE_HEAP_INFO_TABLE_H

#include "string_pool.h"

#include <evpipe/events.h>

struct info_table { /* one entry; texts of the map are valid until the next info_tables_define() */
  struct evp_text name, module, type, file, span; /* the source location is file:span, or file if there is no span */
};

struct info_tables {
  struct info_table_entry *entries;
  uint32_t n, capacity;
  struct hash_index index; /* by address */
  struct string_pool texts;
  size_t max_size;
  uint64_t left_out; /* entries that did not fit */
};

void info_tables_init(struct info_tables *, uint64_t max_size);
void info_tables_free(struct info_tables *); /* can be used again, empty, with the same max_size */

/* True if the map changed: not when the same was sent again. */
bool info_tables_define(struct info_tables *, const struct evp_ipe *);
bool info_tables_find(const struct info_tables *, uint64_t address, struct info_table *);
size_t info_tables_memory(const struct info_tables *);

#endif
