#include "check_main.h"
#include <stdlib.h>

/* Seconds; Check's own four are too few under a sanitizer on a busy machine. Ends what hangs, and says which test it was. */
#define PATIENCE 100

int check_main(const char *name, TCase *tests)
{
  tcase_set_timeout(tests, PATIENCE);
  Suite *suite = suite_create(name);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
