/* control.h: the control socket: serves the clients of `control: {unix: PATH}`, such as `evpipe ctl`.
 *
 * Owner    the engine. Threads  main only, in its poll loop: nothing blocks.
 * Bounds   CONTROL_CLIENTS at once, a line of CONTROL_LINE bytes each, one answer each. A client that neither reads nor
 *          writes costs its descriptor; when all places are taken, the one that has been silent longest makes room for
 *          the next, but not within its first second.
 */
#ifndef EVPIPE_CONTROL_H
#define EVPIPE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct control;

enum { CONTROL_CLIENTS = 16, CONTROL_LINE = 1024 };

/* NULL, and said why: no socket could be made there. */
struct control *control_open(struct engine *, const char *path);
void control_close(struct control *); /* NULL: nothing */

int control_fd(const struct control *); /* readable: control_turn() has something to do; -1 for NULL */
uint64_t control_deadline(const struct control *); /* monotonic: control_turn() by then; UINT64_MAX for NULL */
void control_turn(struct control *); /* does what can be done now; NULL: nothing */

#endif
