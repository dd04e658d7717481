/* names.h: names and labels as Prometheus takes them. Threads  any; nothing is kept. */
#ifndef EVPIPE_PROMETHEUS_NAMES_H
#define EVPIPE_PROMETHEUS_NAMES_H

#include "text.h"

/* The name of the family that a series belongs to: what is not allowed in a name becomes `_`; of counters without the
   `_total` at the end, which belongs to the sample. False: no memory. */
bool name_family(struct evp_buf *, const struct evp_series *);

/* `service="app",band="ARR_WORDS"`: without braces, nothing if there are no labels. Of names that become equal the later ones
   get an underscore each; `le`, of histograms, is ours. False: no memory. */
bool name_labels(struct evp_buf *, const struct evp_series *);

#endif
