/* ctl.h: `evpipe ctl`: one request to a running evpipe, and its answer for people or as it is. */
#ifndef EVPIPE_CTL_H
#define EVPIPE_CTL_H

#include "config/tree.h"

/* The exit status: 0 done, 1 it could not be done, 2 wrong usage. argv[0] is "ctl". */
int ctl_main(int argc, char **argv);

/* The answer to `stats`, read as a tree, as a table on standard output. */
void ctl_print_table(const struct config_node *answer);

#endif
