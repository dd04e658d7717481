/* check.h: does a plugin keep to the contract? Found before it runs, for the author to read. */
#ifndef EVPIPE_PLUGIN_CHECK_H
#define EVPIPE_PLUGIN_CHECK_H

#include <evpipe.h>

/* NULL: yes. Else what is wrong, in `text`. */
const char *plugin_check(const struct evp_plugin *, char *text, size_t size);

#endif
