/* exposition.h: the table as text, in one of the two formats that Prometheus reads. Threads  one at a time. */
#ifndef EVPIPE_PROMETHEUS_EXPOSITION_H
#define EVPIPE_PROMETHEUS_EXPOSITION_H

#include "table.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* By the header Accept (NULL: none), and its Content-Type. */
enum exposition_format exposition_choose(const char *accept);
const char *exposition_type(enum exposition_format);

/* Appends everything. False: no memory. */
bool exposition_put(struct evp_buf *, const struct table *, enum exposition_format);

#endif
