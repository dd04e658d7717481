/* health.h: evpipe itself in JSON: what each node has done, the process, the visitors. Threads  that of the sink. */
#ifndef EVPIPE_DASHBOARD_HEALTH_H
#define EVPIPE_DASHBOARD_HEALTH_H

#include "dashboard.h"

bool health_write(struct dashboard *, unsigned visitors, struct evp_buf *); /* false: no memory */

#endif
