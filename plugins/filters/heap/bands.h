/* bands.h: the bands of a stream's heap profiles: what a row's label became, and what was shown of it.
 *
 * A band is named by number, dense from 0; bands_forget() renumbers. What is not seen for a long time is forgotten, and
 * its series ends: the table is bounded by what the program shows now, not by all it ever showed.
 *
 * Owner    the filter's instance. Errors: BAND_NONE when there is no memory.
 */
#ifndef EVPIPE_HEAP_BANDS_H
#define EVPIPE_HEAP_BANDS_H

#include "breakdown.h"
#include "hash_index.h"
#include "label.h"

#include <evpipe.h>

#define BAND_NONE UINT32_MAX

enum band_part { BAND_LABEL, BAND_MODULE, BAND_TYPE, BAND_SRCLOC, BAND_PARTS };

/* What makes a band: the breakdown and its labels, each cleaned and cut. */
struct band_name {
  enum breakdown breakdown;
  struct label parts[BAND_PARTS];
};

struct band {
  uint64_t bytes; /* in the census of `generation` */
  uint32_t generation; /* of the last census that it was in; 0: none yet */
  uint32_t kept; /* of the last census in which it was shown with a value */
  char *key; /* the breakdown, then the parts, each with its NUL */
  uint32_t key_size;
  uint8_t breakdown; /* enum breakdown */
  bool shown; /* what the sinks saw last is not the 0 that takes it back */
  const struct evp_series *series; /* NULL: not shown yet */
};

struct bands {
  struct band *items;
  uint32_t n, capacity;
  struct hash_index index;
  uint64_t seed;
};

void bands_init(struct bands *);
void bands_free(struct bands *);

void band_name_init(struct band_name *, enum breakdown); /* all parts empty */
uint32_t bands_find(const struct bands *, const struct band_name *);
uint32_t bands_get(struct bands *, const struct band_name *); /* made if it is not there */
const char *band_label(const struct band *);

/* NULL: no memory (reported). */
const struct evp_series *band_make_series(struct band *, struct evp_ctx *);
static inline const struct evp_series *band_series(struct band *band, struct evp_ctx *ctx)
{
  return band->series ? band->series : band_make_series(band, ctx);
}

/* Ends and drops every band that is not shown and was last seen before the census `oldest`. Returns how many were dropped;
   if any, numbers[i] becomes the new number of band i, or BAND_NONE. It has room for all. */
uint32_t bands_forget(struct bands *, struct evp_ctx *, uint32_t oldest, uint32_t *numbers);

#endif
