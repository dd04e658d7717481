/* log_json.h: an entry of the log in JSON: its object. Threads  that of the sink. */
#ifndef EVPIPE_DASHBOARD_LOG_JSON_H
#define EVPIPE_DASHBOARD_LOG_JSON_H

#include "json_writer.h"
#include "log_ring.h"

void log_json(struct json *, const struct log_entry *);

#endif
