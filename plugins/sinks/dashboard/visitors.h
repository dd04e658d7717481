/* visitors.h: the pages that are open: what is pushed to them, and when. Nothing is done as long as there are none.
 *
 * Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_VISITORS_H
#define EVPIPE_DASHBOARD_VISITORS_H

#include "dashboard.h"

#define PUSH_EVERY UINT64_C(250000000) /* ns */

/* Answers the request with the pushes of a program; NULL: of none, only what is about evpipe itself. */
void visitors_join(struct dashboard *, struct program *, struct http_request *);
void visitors_tick(struct dashboard *);
/* What is pending of the program is pushed now, so that its history and its pushes meet without gap or double. */
void visitors_push(struct dashboard *, struct program *);
/* The program's history is another one now. */
void visitors_lose(struct program *);
void visitors_leave(struct dashboard *, struct program *); /* the program is about to be freed */
unsigned visitors_count(const struct dashboard *);

#endif
