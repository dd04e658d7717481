/* pairs.h: for benches: two things measured in turn, and what their ratio is. */
#ifndef EVPIPE_BENCH_PAIRS_H
#define EVPIPE_BENCH_PAIRS_H

#include <stdint.h>

enum { PAIRS_MAX = 99 };

struct pairs {
  unsigned n;
  double ours[PAIRS_MAX], theirs[PAIRS_MAX]; /* CPU seconds of this thread */
};

typedef void (*measured)(void *argument);

/* `n` times the one and the other; the first pair, which warms up, is left out. */
void pairs_run(struct pairs *, unsigned n, measured ours, void *our_argument, measured theirs, void *their_argument);
double median(const double *values, unsigned n);
/* "NAME: ratio 1.23 (1.20..1.27), goal 0.70: met": how fast ours is, theirs being 1. A spread that reaches over the goal makes
   it "not shown". False unless it is met. */
int pairs_report(const struct pairs *, const char *name, double goal);

#endif
