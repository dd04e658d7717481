/* rows.h: from a row of a census, as it is on the wire, to its band.
 *
 * Working out a band (names of cost centres, an info table's place, cleaning, cutting) is slow; so it is done once for
 * each different row, and remembered under the row's bytes. Rows mostly come in the same order in each census: the row
 * expected next is tried first, which saves the hashing.
 *
 * Owner    the filter's instance, with the definitions of its stream.
 */
#ifndef EVPIPE_HEAP_ROWS_H
#define EVPIPE_HEAP_ROWS_H

#include "census.h"
#include "cost_centres.h"
#include "hash.h"
#include "info_table.h"

struct row_settings {
  bool addresses; /* keep those that no info table explains */
  bool forced; /* the option says the breakdown */
  enum breakdown breakdown;
};

struct row { /* remembered */
  uint32_t head; /* size and type of its event, as they lie there */
  uint32_t key; /* where its bytes are: profile, what names the band */
  uint32_t band;
  uint32_t next; /* the row that came after it last time */
};

struct rows {
  struct row_settings settings;
  struct census *census;
  struct cost_centres cost_centres;
  struct info_tables info_tables;
  bool declared[256]; /* by profile: HEAP_PROF_BEGIN was seen, and says ... */
  uint8_t breakdowns[256];
  enum breakdown of_arguments, of_labels; /* what else is known */
  bool needs_info_tables; /* some census may yet come whose rows are addresses */
  bool inferred; /* of_labels was looked for */
  bool stale; /* definitions changed: what is remembered may be wrong */
  struct row *items; /* what is remembered */
  uint32_t n, capacity, last;
  uint8_t *keys;
  size_t keys_size, keys_capacity;
  struct hash_index index;
  uint64_t seed;
  struct band_name name; /* room to work in: too big for a stack frame that is entered often */
};

void rows_init(struct rows *, struct census *, struct row_settings, uint64_t max_info_tables);
void rows_free(struct rows *);

void rows_declare(struct rows *, uint8_t profile, uint32_t code); /* HEAP_PROF_BEGIN */
void rows_arguments(struct rows *, struct evp_text arguments); /* PROGRAM_ARGS */
void rows_cost_centre(struct rows *, uint32_t id, struct evp_text module, struct evp_text label);
void rows_info_table(struct rows *, const struct evp_ipe *); /* dropped unless it may be needed */
/* The breakdown of a profile as far as it is known now. */
enum breakdown rows_breakdown(const struct rows *, uint8_t profile);
/* When a census begins. `renumbered`: bands have new numbers. */
void rows_begin(struct rows *, bool renumbered);

/* The band of a row: of HEAP_PROF_SAMPLE_STRING or HEAP_PROF_SAMPLE_COST_CENTRE. Both begin alike: profile, residency. */
enum { ROW_KEY = 9 /* where in the payload begins what names the band */ };
#define ROW_MALFORMED (BAND_NONE - 1)
uint32_t rows_band(struct rows *, const struct evp_event *, uint32_t dialect); /* BAND_NONE: no memory */

/* Adds items from `i` on to the open census as long as each is the row that followed the one before it last time, or the one
   behind that; the first that is not is returned. `*newest` rises to the greatest time of these. */
uint32_t rows_add_expected(struct rows *, const struct evp_batch *, uint32_t i, uint64_t *newest);

#endif
