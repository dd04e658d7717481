#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(measured what, void *argument)
{
  struct timespec begin, end;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  what(argument);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

void pairs_run(
  struct pairs *pairs, unsigned n, measured ours, void *our_argument, measured theirs, void *their_argument)
{
  pairs->n = n < PAIRS_MAX ? n : PAIRS_MAX;
  seconds_of(ours, our_argument);
  seconds_of(theirs, their_argument);
  for (unsigned i = 0; i < pairs->n; i++) {
    pairs->ours[i] = seconds_of(ours, our_argument);
    pairs->theirs[i] = seconds_of(theirs, their_argument);
  }
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median(const double *values, unsigned n)
{
  double sorted[PAIRS_MAX];
  memcpy(sorted, values, n * sizeof *values);
  qsort(sorted, n, sizeof *sorted, compare);
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

int pairs_report(const struct pairs *pairs, const char *name, double goal)
{
  double ratios[PAIRS_MAX];
  for (unsigned i = 0; i < pairs->n; i++) ratios[i] = pairs->theirs[i] / pairs->ours[i];
  qsort(ratios, pairs->n, sizeof *ratios, compare);
  double low = ratios[0], high = ratios[pairs->n - 1];
  const char *verdict = low >= goal ? "met" : high < goal ? "MISSED" : "not shown";
  printf("%-44s ratio %5.2f (%.2f..%.2f of %u)", name, median(ratios, pairs->n), low, high, pairs->n);
  if (goal > 0) printf(", goal %.2f: %s", goal, verdict);
  printf("\n");
  return low >= goal;
}
