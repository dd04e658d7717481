/* schema.h: a JSON Schema (draft 2020-12) of the whole configuration, for editors: the core's keys, and those of every
 * plugin that is found, from the same option tables that bind them.
 *
 * It is as strict as the binder where a schema can be; names, edges and signals are --check's. A value may always be
 * text with ${NAME} in it.
 */
#ifndef EVPIPE_CONFIG_SCHEMA_H
#define EVPIPE_CONFIG_SCHEMA_H

#include <stdio.h>

struct plugin_finder;

/* Plugins that do not load are left out, and told on `failures`. */
void schema_print(struct plugin_finder *, FILE *, FILE *failures);

#endif
