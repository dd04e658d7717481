/* bands.h: the bands that the censuses of a program's history name: each once, whatever run, filter or series it comes from.
 *
 * Inside of the history a band is named by number, which is used again when no census has the band any more
 * (bands_sweep); outside by an id that never is.
 *
 * Owner    a program's history; its memory is taken from the budget. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_BANDS_H
#define EVPIPE_DASHBOARD_BANDS_H

#include "budget.h"
#include "hash_index.h"

#include <evpipe.h>

#define BAND_NONE UINT32_MAX

enum band_part { BAND_BREAKDOWN, BAND_NAME, BAND_MODULE, BAND_TYPE, BAND_SRCLOC, BAND_PARTS };

struct band {
  uint32_t id; /* from 1 on; 0: this number is free */
  uint32_t references; /* rows of censuses, also of one that is not complete yet */
  uint64_t peak; /* the most it ever had */
  uint32_t key_size;
  uint8_t breakdown; /* number of the breakdown */
  bool announced; /* visitors were told of it */
  char *key; /* the parts, each with its NUL; empty: not there */
};

enum { BREAKDOWNS_MAX = 16 };

struct bands {
  struct budget *budget;
  struct band *items;
  uint32_t n, capacity; /* numbers in use or free */
  uint32_t idle; /* how many without references */
  uint32_t last_id;
  uint32_t *free_numbers;
  uint32_t n_free;
  struct hash_index index;
  uint64_t seed;
  size_t memory;
  char *breakdowns[BREAKDOWNS_MAX];
  unsigned n_breakdowns;
};

void bands_init(struct bands *, struct budget *);
void bands_free(struct bands *);

/* The band of a series of ghc_heap_census_bytes; until it is held it stays as long as nobody takes memory of the budget.
   BAND_NONE: no room. */
uint32_t bands_get(struct bands *, const struct evp_series *);
/* The number of a breakdown; further ones than there may be share the last. */
uint8_t bands_breakdown(struct bands *, const char *name);
const char *bands_breakdown_name(const struct bands *, uint8_t breakdown);
const char *band_part(const struct band *, enum band_part); /* NULL: it has none */

static inline void band_hold(struct bands *bands, uint32_t number)
{
  if (bands->items[number].references++ == 0) bands->idle--;
}

static inline void band_release(struct bands *bands, uint32_t number)
{
  if (--bands->items[number].references == 0) bands->idle++;
}

/* Frees those without references, if they are many. Numbers of others stay. */
void bands_sweep(struct bands *);

#endif
