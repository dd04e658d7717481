/* check_main.h: how the main() of a test program made with Check ends. */
#ifndef EVPIPE_TEST_CHECK_MAIN_H
#define EVPIPE_TEST_CHECK_MAIN_H

#include <check.h>

/* Runs the tests as a suite of that name; returns the exit status. Takes them over. */
int check_main(const char *name, TCase *tests);

#endif
