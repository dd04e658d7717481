/* What the source exec makes ready before it forks: words, environment, the places a program may lie in. */
#include "check_main.h"
#include "command.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct command command;

static void set_up(void)
{
  clearenv();
  setenv("HOME", "/home/me", 1);
  setenv("PATH", "/bin:/usr/bin", 1);
  setenv("PATHS", "kept", 1);
}

static void tear_down(void)
{
  command_free(&command);
}

static void make(const char *const *words, size_t n, const struct evp_label *added, size_t n_added)
{
  ck_assert(command_make(&command, &(struct evp_strings){words, n}, &(struct evp_map){added, n_added}, "/tmp/f i"));
}

static void expect(char **list, const char *const *wanted)
{
  for (; *wanted; list++, wanted++) {
    ck_assert_ptr_nonnull(*list);
    ck_assert_str_eq(*list, *wanted);
  }
  ck_assert_ptr_null(*list);
}

START_TEST(options_are_appended)
{
  make((const char *[]){"app", "--port", ""}, 3, NULL, 0);
  ck_assert(command.appended);
  expect(command.words, (const char *[]){"app", "--port", "", "+RTS", "-l", "-ol/tmp/f i", "-RTS", NULL});
}
END_TEST

START_TEST(the_place_of_the_eventlog_is_filled_in)
{
  make((const char *[]){"app", "{eventlog}", "a{eventlog}b{eventlog}", "{event", "eventlog}"}, 5, NULL, 0);
  ck_assert(!command.appended);
  expect(command.words, (const char *[]){"app", "/tmp/f i", "a/tmp/f ib/tmp/f i", "{event", "eventlog}", NULL});
}
END_TEST

START_TEST(variables_are_added_and_replaced)
{
  const struct evp_label added[] = {{"GHCRTS", "-l -ol{eventlog}"}, {"HOME", ""}};
  make((const char *[]){"app"}, 1, added, 2);
  ck_assert(!command.appended);
  expect(command.words, (const char *[]){"app", NULL});
  expect(
    command.environment, (const char *[]){"PATH=/bin:/usr/bin", "PATHS=kept", "GHCRTS=-l -ol/tmp/f i", "HOME=", NULL});
}
END_TEST

START_TEST(a_program_is_looked_for_where_a_shell_would)
{
  make((const char *[]){"app"}, 1, NULL, 0);
  expect(command.candidates, (const char *[]){"/bin/app", "/usr/bin/app", NULL});
  command_free(&command);
  make((const char *[]){"./app"}, 1, NULL, 0);
  expect(command.candidates, (const char *[]){"./app", NULL});
  command_free(&command);
  make((const char *[]){"app"}, 1, &(struct evp_label){"PATH", "::bin:"}, 1);
  expect(command.candidates, (const char *[]){"./app", "./app", "bin/app", "./app", NULL});
  command_free(&command);
  unsetenv("PATH");
  make((const char *[]){"app"}, 1, NULL, 0);
  expect(command.candidates, (const char *[]){"/usr/local/bin/app", "/usr/bin/app", "/bin/app", NULL});
}
END_TEST

START_TEST(operators_are_seen)
{
  const char *const words[] = {"|", "a|b", "2>&1"};
  ck_assert_ptr_null(command_operator(&(struct evp_strings){words, 2})); /* the program, and a part of a word */
  ck_assert_str_eq(command_operator(&(struct evp_strings){words, 3}), "2>&1");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("exec command");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, options_are_appended);
  tcase_add_test(tests, the_place_of_the_eventlog_is_filled_in);
  tcase_add_test(tests, variables_are_added_and_replaced);
  tcase_add_test(tests, a_program_is_looked_for_where_a_shell_would);
  tcase_add_test(tests, operators_are_seen);
  return check_main("exec command", tests);
}
