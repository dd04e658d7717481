/* check_main.h: how the main() of a test program made with Check ends, and how much there is to be tried. */
#ifndef EVPIPE_TEST_CHECK_MAIN_H
#define EVPIPE_TEST_CHECK_MAIN_H

#include <check.h>

/* What a sanitizer sees in a hundred rounds it sees in ten, and it takes ten times as long for each. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Runs the tests as a suite of that name; returns the exit status. Takes them over. */
int check_main(const char *name, TCase *tests);

#endif
