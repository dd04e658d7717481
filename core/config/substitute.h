/* substitute.h: ${NAME} and its kin in one value. */
#ifndef EVPIPE_CONFIG_SUBSTITUTE_H
#define EVPIPE_CONFIG_SUBSTITUTE_H

#include "config/memory.h"

/* The text with its variables replaced. NULL: an error, in *error. */
const char *substitute(struct config_memory *, const char *text, const char **error);

#endif
