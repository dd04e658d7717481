/* settings.h: what an option table can not say of the core's keys: that a number is in range, that two keys do not agree,
 * what a label is called; and what follows from them (the pace as a factor, the label `service`).
 *
 * Called while a pipeline is read, after a node's keys are bound. Errors go to the diagnostics, at the key's value.
 */
#ifndef EVPIPE_CONFIG_SETTINGS_H
#define EVPIPE_CONFIG_SETTINGS_H

#include "config/diagnostics.h"
#include "config/pipeline.h"

void settings_check_source(struct pipeline_node *, struct config_memory *, struct diagnostics *);
/* The pipeline has the nodes in front of it: two can not share a spool. */
void settings_check_sink(
  const struct pipeline *, const struct pipeline_node *, struct config_memory *, struct diagnostics *);

#endif
