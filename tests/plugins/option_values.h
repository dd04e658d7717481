/* option_values.h: sets the options of an instance as the binder would, for tests without the engine.
 *
 * `options` is "key=value key=value", a group's as "tls.verify=false"; a value has no blanks. The strings live until
 * option_values_free(). A key or a choice that is not there is a mistake of the test: it aborts.
 */
#ifndef EVPIPE_OPTION_VALUES_H
#define EVPIPE_OPTION_VALUES_H

#include <evpipe.h>

/* The defaults of the table, then `options`; what is to be freed. */
char *option_values_set(const struct evp_option *table, void *members, const char *options);
void option_values_free(char *);

#endif
