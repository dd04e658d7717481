/* catalogue.h: what core needs of the event catalogue (catalogue.txt): names, what defines something, sizes.
 *
 * Constant tables, generated; any thread. The sizes of a stream's records come from its own header, never from here.
 */
#ifndef EVPIPE_CATALOGUE_H
#define EVPIPE_CATALOGUE_H

#include <evpipe.h>

struct catalogue_entry {
  const char *name; /* "HEAP_LIVE" */
  uint16_t number;
  /* Shortest payload of any known layout, for a stream that declares the type as of fixed, of variable size; 0 also if
     no such layout is known. Shorter is EVP_EVENT_MALFORMED. */
  uint16_t smallest_fixed, smallest_variable;
  bool defines_fixed, defines_variable; /* a late reader needs it, if it is declared so */
};

/* NULL: this evpipe does not know it. */
const struct catalogue_entry *catalogue_find(uint16_t number);
const struct catalogue_entry *catalogue_find_name(const char *name);

static inline uint16_t catalogue_smallest(const struct catalogue_entry *entry, bool variable)
{
  return variable ? entry->smallest_variable : entry->smallest_fixed;
}

static inline bool catalogue_defines(const struct catalogue_entry *entry, bool variable)
{
  return variable ? entry->defines_variable : entry->defines_fixed;
}

/* GHC 6.12 declares wrong sizes for ten types. The true payload of `type` for a stream that declares `size` for it; the
   rule holds for all types once `dialect` has EVP_DIALECT_GHC_6_12. */
uint16_t catalogue_true_size(uint32_t dialect, uint16_t type, uint16_t size);

/* The dialect (enum evp_dialect of <evpipe/events.h>) of a stream, from the types that its header declares. */
uint32_t catalogue_dialect(const struct evp_event_type *types, size_t n);

/* The generated tables. By number, with holes (name == NULL); numbers by name, ascending as strcmp has it. */
extern const struct catalogue_entry catalogue_entries[];
extern const size_t catalogue_n_entries;
extern const uint16_t catalogue_by_name[];
extern const size_t catalogue_n_names;

#endif
