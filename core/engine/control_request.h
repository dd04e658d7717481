/* control_request.h: what one line that came on the control socket asks for, and the answer. docs/control.md is the page.
 *
 * Threads  main, while the nodes are there.
 */
#ifndef EVPIPE_CONTROL_REQUEST_H
#define EVPIPE_CONTROL_REQUEST_H

#include <stddef.h>

struct engine;

/* One JSON object and a line feed, whatever was asked; the caller frees it. NULL: no memory. The line is taken apart;
   NULL: one that was too long. */
char *control_answer(struct engine *, char *line, size_t *size);

#endif
