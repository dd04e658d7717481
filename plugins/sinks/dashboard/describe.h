/* describe.h: programs in JSON, as /api/programs has them. All are false if there is no memory. Threads  that of the sink. */
#ifndef EVPIPE_DASHBOARD_DESCRIBE_H
#define EVPIPE_DASHBOARD_DESCRIBE_H

#include "dashboard.h"

bool describe_all(struct dashboard *, struct evp_buf *); /* the whole answer */
bool describe_program(struct dashboard *, const struct program *, struct evp_buf *);
bool describe_identity(
  struct dashboard *, const struct program *, struct evp_buf *); /* without what changes all the time */
bool describe_ids(const struct programs *, struct evp_buf *);
/* When a stream of it begins. Nodes keep their numbers: that is looked up once. */
void describe_find_node(struct dashboard *, struct program *);
const struct evp_stream *program_newest_stream(const struct program *); /* NULL: none is open */

#endif
