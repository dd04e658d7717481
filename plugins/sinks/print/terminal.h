/* terminal.h: a picture of some lines that is replaced by the next one, on a terminal.
 *
 * The cursor rests on an empty line above the picture. Who else writes to the terminal (evpipe's own log) writes there, and
 * moves the picture down by its lines instead of spoiling it. A picture is one write, each line is overwritten before what
 * is left of the old one is erased: nothing flickers. Nothing has to be restored after a crash.
 *
 * Threads  any; nothing is kept. Errors  false: no memory.
 */
#ifndef EVPIPE_PRINT_TERMINAL_H
#define EVPIPE_PRINT_TERMINAL_H

#include <evpipe.h>

struct terminal {
  bool in_place; /* a terminal that can move its cursor */
  bool colour; /* and NO_COLOR is not set */
  bool utf8; /* by the locale's environment */
  unsigned width, height; /* cells; height 0: no limit */
};

void terminal_look(struct terminal *, int fd);

/* Both cut the lines (of printable text and SGR sequences) to the width. The first leaves the cursor above the picture, and
   cuts that to the height; the second is for the last one, and leaves it below. */
bool terminal_replace(struct evp_buf *, const struct terminal *, const char *text, size_t size);
bool terminal_leave(struct evp_buf *, const struct terminal *, const char *text, size_t size);

/* Appends at most `cells` cells of a text, its control characters replaced; *used is how many they are. */
bool terminal_put_cells(struct evp_buf *, const char *text, size_t size, unsigned cells, unsigned *used);

#endif
