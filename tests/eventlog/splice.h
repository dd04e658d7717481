/* splice.h: for tests: does the prologue do what it is for? */
#ifndef EVPIPE_TESTS_SPLICE_H
#define EVPIPE_TESTS_SPLICE_H

#include <stddef.h>
#include <stdint.h>

/* Reads a log, and for up to `n` of the places where a reader may begin checks that the prologue as it was there, followed
   by the rest of the log, is a sound log with every definition of the whole. 0: so it is; else 1, and why on stdout. */
int try_splices(const uint8_t *data, size_t size, unsigned n);

#endif
