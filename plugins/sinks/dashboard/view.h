/* view.h: the past of a program as /api/history shows it: a range of time in at most so many columns.
 *
 * Of what lies in a column the measured value is shown that stands out (the largest heap, census, pause); what counts is
 * shown as it was at the column's end. Takes time in proportion to the rows in the range, and for censuses to the bands of those
 * shown.
 *
 * Threads  that of the sink; nothing is kept.
 */
#ifndef EVPIPE_DASHBOARD_VIEW_H
#define EVPIPE_DASHBOARD_VIEW_H

#include "json_writer.h"
#include "programs.h"
#include "range.h"

enum { VIEW_COLUMNS_MIN = 10, VIEW_COLUMNS_MAX = 2000, VIEW_BANDS_MAX = 500, VIEW_PINS_MAX = 500, VIEW_LOGS_MAX = 500 };

struct view {
  int64_t from, to; /* INT64_MIN, INT64_MAX: as far as there is something */
  uint32_t columns, bands;
  uint32_t pins[VIEW_PINS_MAX]; /* ids of bands */
  uint32_t n_pins;
  const char *breakdown; /* NULL: that of the newest census */
};

bool view_write(const struct program *, const struct view *, struct evp_buf *); /* false: no memory */

/* Inside: view_census.c. False: no memory. */
bool view_write_census(struct json *, const struct censuses *, const struct range *, const struct view *);

/* The bands whose name, module, type or place has the text in it (of ASCII letters either case): /api/bands. */
bool view_write_search(const struct censuses *, const char *text, struct evp_buf *);

#endif
