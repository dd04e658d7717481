/* pauses_json.h: pauses of a generation in JSON, as history and pushes have them alike. Threads  that of the sink. */
#ifndef EVPIPE_DASHBOARD_PAUSES_JSON_H
#define EVPIPE_DASHBOARD_PAUSES_JSON_H

#include "json_writer.h"
#include "pauses.h"

/* Those without collections are left out: in a column nothing was collected. */
void pauses_json(struct json *, unsigned generation, const struct pause *, size_t n);

#endif
