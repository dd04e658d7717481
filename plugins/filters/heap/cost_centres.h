/* cost_centres.h: the cost centres that a stream defines, and stacks of them by name.
 *
 * Owner    the rows of one stream. Errors: what does not fit is counted, and shown by its number.
 */
#ifndef EVPIPE_HEAP_COST_CENTRES_H
#define EVPIPE_HEAP_COST_CENTRES_H

#include "label.h"
#include "string_pool.h"

#include <evpipe/events.h>

/* A program of a million cost centres takes less; what defines more is not GHC. */
#define COST_CENTRES_MEMORY ((size_t)128 << 20)

struct cost_centre;

struct cost_centres {
  struct cost_centre *items;
  uint32_t n, capacity;
  struct hash_index index; /* by id */
  struct string_pool names;
  uint64_t left_out; /* definitions that did not fit */
};

void cost_centres_init(struct cost_centres *);
void cost_centres_free(struct cost_centres *);

/* True if this changed what a stack may be called: not for the same definition sent again, as GHC 9.2 and later do
   whenever logging is restarted. */
bool cost_centres_define(
  struct cost_centres *, uint32_t id, const char *module, size_t module_size, const char *label, size_t label_size);

/* Adds the stack's name, outermost first, to what is in the label: `MODULE.label;MODULE.label`; `MAIN` for the empty
   stack; its number for what is not defined. */
void cost_centres_name(const struct cost_centres *, struct evp_ids stack, struct label *);

#endif
