/* heap_test.h: what the tests of the filter `heap`, whole, in a small host share. A test ends with its instance. */
#ifndef EVPIPE_HEAP_TEST_H
#define EVPIPE_HEAP_TEST_H

#include "check_main.h"
#include "heap_events.h"
#include "next_random.h"

#include <stdlib.h>

static struct metric_host *host;

static inline void begin(const char *options)
{
  host = metric_host_new(options, NULL);
  ck_assert_ptr_nonnull(host);
}

static inline void teardown(void)
{
  if (host) metric_host_free(host);
  host = NULL;
}

#define expect(text) ck_assert_str_eq(metric_host_output(host), text)

#define BAND(label) "ghc_heap_census_bytes{breakdown=closure_type,band=" label "}"
#define SUM "ghc_heap_profiled_bytes{breakdown=closure_type}"

static inline TCase *heap_tests(const TTest *const *all, size_t n)
{
  TCase *tests = tcase_create("filter");
  tcase_add_checked_fixture(tests, NULL, teardown);
  for (size_t i = 0; i < n; i++) tcase_add_test(tests, all[i]);
  return tests;
}

#endif
