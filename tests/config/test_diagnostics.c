#include "check_main.h"
#include "config_harness.h"
#include <stdlib.h>
#include <string.h>

static struct config_harness harness;

static void set_up(void)
{
  config_harness_init(&harness);
}

static void tear_down(void)
{
  config_harness_free(&harness);
}

static void text_is(const char *text)
{
  diagnostics_set_text(harness.diagnostics, text, strlen(text));
}

static void error_at(unsigned line, unsigned column, unsigned length, const char *text)
{
  diagnostics_error(harness.diagnostics, (struct place){.line = line, .column = column, .length = length}, "%s", text);
}

START_TEST(exact_form)
{
  text_is("sinks:\n  influx:\n    ulr: http://localhost:8086\n");
  error_at(3, 5, 3, "sink 'influx': unknown option 'ulr'; did you mean 'url'?");
  ck_assert_str_eq(config_harness_said(&harness),
    "c.yaml:3:5: error: sink 'influx': unknown option 'ulr'; did you mean 'url'?\n"
    "    3 |     ulr: http://localhost:8086\n"
    "      |     ^~~\n");
}
END_TEST

START_TEST(sorted_by_place)
{
  text_is("ab\ncd\n");
  error_at(2, 1, 2, "third");
  error_at(1, 2, 1, "second");
  error_at(0, 0, 0, "first: it has no place");
  error_at(2, 1, 1, "fourth, as it came");
  ck_assert_str_eq(config_harness_said(&harness), "c.yaml: error: first: it has no place\n"
                                                  "c.yaml:1:2: error: second\n    1 | ab\n      |  ^\n"
                                                  "c.yaml:2:1: error: third\n    2 | cd\n      | ^~\n"
                                                  "c.yaml:2:1: error: fourth, as it came\n    2 | cd\n      | ^\n");
}
END_TEST

START_TEST(columns)
{
  text_is("\tkey: w\xc3\xb6rt\xe2\x86\x92 x # \x1b[31m\n");
  error_at(1, 7, 5, "under a word, behind a tab");
  error_at(1, 13, 1, "behind wide characters");
  ck_assert_str_eq(config_harness_said(&harness), "c.yaml:1:7: error: under a word, behind a tab\n    1 | \tkey: "
                                                  "w\xc3\xb6rt\xe2\x86\x92 x # ?[31m\n      | \t     ^~~~~\n"
                                                  "c.yaml:1:13: error: behind wide characters\n    1 | \tkey: "
                                                  "w\xc3\xb6rt\xe2\x86\x92 x # ?[31m\n      | \t           ^\n");
}
END_TEST

START_TEST(ends_of_lines)
{
  text_is("last");
  error_at(1, 5, 1, "behind the end");
  error_at(1, 1, 99, "longer than the line");
  error_at(7, 1, 1, "no such line");
  ck_assert_str_eq(config_harness_said(&harness),
    "c.yaml:1:1: error: longer than the line\n    1 | last\n      | ^~~~\n"
    "c.yaml:1:5: error: behind the end\n    1 | last\n      |     ^\n"
    "c.yaml:7:1: error: no such line\n");
}
END_TEST

/* Lines end where libyaml says, or a caret would stand under a line that is not meant. */
START_TEST(breaks_of_lines)
{
  text_is("a\r\nb\rc\xc2\x85"
          "d\xe2\x80\xa8"
          "e\n");
  for (unsigned line = 1; line <= 5; line++) error_at(line, 1, 1, "x");
  const char *said = config_harness_said(&harness);
  for (unsigned line = 1; line <= 5; line++) {
    char shown[32];
    snprintf(shown, sizeof shown, "\n%5u | %c\n", line, 'a' + (int)line - 1);
    ck_assert_msg(strstr(said, shown), "%s in %s", shown, said);
  }
}
END_TEST

START_TEST(long_lines_are_cut)
{
  char line[4001];
  memset(line, 'x', 4000);
  line[4000] = '\0';
  memcpy(line + 2000, "HERE", 4);
  text_is(line);
  error_at(1, 2001, 4, "in the middle");
  const char *said = config_harness_said(&harness);
  const char *shown = strchr(said, '\n') + 1, *caret = strchr(shown, '\n') + 1;
  ck_assert_int_lt(caret - shown, 200);
  ck_assert_ptr_nonnull(strstr(shown, "| ...xxx"));
  ck_assert_ptr_eq(strstr(shown, "xxx...\n") + 7, caret);
  ck_assert(strstr(shown, "HERE") - shown == strstr(caret, "^~~~") - caret);
  ck_assert_str_eq(strstr(caret, "^~~~"), "^~~~\n");
}
END_TEST

START_TEST(a_secret_is_three_stars)
{
  text_is("{password: hunter2hunter2, ulr: x}\n");
  diagnostics_hide(harness.diagnostics, (struct place){.line = 1, .column = 12, .length = 14});
  diagnostics_set_understood(harness.diagnostics);
  error_at(1, 28, 3, "behind it");
  error_at(1, 12, 14, "at it");
  ck_assert_str_eq(config_harness_said(&harness),
    "c.yaml:1:12: error: at it\n    1 | {password: ***, ulr: x}\n      |            ^~~\n"
    "c.yaml:1:28: error: behind it\n    1 | {password: ***, ulr: x}\n      |                 ^~~\n");
}
END_TEST

/* Of a text that is no YAML one does not know where a secret ends. */
START_TEST(secrets_of_what_is_not_understood)
{
  text_is("a: b\n\"my password\" : geheim}\nnext: c\ntoken: |\n  geheim\n\n   geheim\nafter: d\n# token:\n");
  for (unsigned line = 1; line <= 8; line++) error_at(line, 1, 1, "x");
  const char *said = config_harness_said(&harness);
  ck_assert_ptr_null(strstr(said, "geheim"));
  ck_assert_ptr_nonnull(strstr(said, "1 | a: b\n"));
  ck_assert_ptr_nonnull(strstr(said, "2 | \"my password\" : ***\n"));
  ck_assert_ptr_nonnull(strstr(said, "3 | next: c\n"));
  ck_assert_ptr_nonnull(strstr(said, "4 | token: ***\n"));
  ck_assert_ptr_nonnull(strstr(said, "5 |   ***\n"));
  ck_assert_ptr_nonnull(strstr(said, "7 |    ***\n"));
  ck_assert_ptr_nonnull(strstr(said, "8 | after: d\n"));
}
END_TEST

/* Whatever YAML makes of it, a comment included. The caret stands where the place is seen. */
START_TEST(user_and_password_of_an_address)
{
  text_is("url: http://me:geheim@host:8086 # x\n");
  diagnostics_set_understood(harness.diagnostics);
  error_at(1, 33, 1, "behind it");
  error_at(1, 6, 26, "at tcp://:ge@heim@h and ftp://host");
  ck_assert_str_eq(config_harness_said(&harness),
    "c.yaml:1:6: error: at tcp://***@h and ftp://host\n    1 | url: http://***@host:8086 # x\n"
    "      |      ^~~~~~~~~~~~~~~~~~~~\n"
    "c.yaml:1:33: error: behind it\n    1 | url: http://***@host:8086 # x\n"
    "      |                           ^\n");
}
END_TEST

START_TEST(no_more_than_a_hundred)
{
  text_is("a\n");
  for (unsigned i = 0; i < 105; i++) error_at(1, 1, 1, "x");
  const char *said = config_harness_said(&harness);
  ck_assert_ptr_nonnull(strstr(said, "\nc.yaml: 5 more errors are not shown\n"));
  ck_assert_uint_eq(diagnostics_errors(harness.diagnostics), 105);
}
END_TEST

START_TEST(warnings_are_no_errors)
{
  text_is("a\n");
  diagnostics_warning(harness.diagnostics, (struct place){.line = 1, .column = 1, .length = 1}, "be %s", "careful");
  ck_assert_str_eq(config_harness_said(&harness), "c.yaml:1:1: warning: be careful\n    1 | a\n      | ^\n");
  ck_assert_uint_eq(diagnostics_errors(harness.diagnostics), 0);
}
END_TEST

START_TEST(a_message_is_one_line)
{
  error_at(0, 0, 0, "a key with \n and \x1b[31m in it");
  ck_assert_str_eq(config_harness_said(&harness), "c.yaml: error: a key with ? and ?[31m in it\n");
}
END_TEST

START_TEST(suggestions)
{
  static const char *const words[] = {"url", "database", "retention_policy", "username", "max_size", "a", NULL};
  ck_assert_str_eq(nearest_word("ulr", words), "url"); /* two neighbours swapped are one mistake */
  ck_assert_str_eq(nearest_word("databse", words), "database");
  ck_assert_str_eq(nearest_word("retention-policy", words), "retention_policy");
  ck_assert_str_eq(nearest_word("maxsize", words), "max_size");
  ck_assert_ptr_null(nearest_word("timeout", words));
  ck_assert_ptr_null(nearest_word("x", words)); /* all of a word exchanged is another word */
  ck_assert_ptr_null(nearest_word("", words));
  ck_assert_ptr_null(nearest_word("a-very-long-word-that-is-longer-than-sixty-four-characters-in-all-of-it", words));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("diagnostics");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, exact_form);
  tcase_add_test(tests, sorted_by_place);
  tcase_add_test(tests, columns);
  tcase_add_test(tests, ends_of_lines);
  tcase_add_test(tests, breaks_of_lines);
  tcase_add_test(tests, long_lines_are_cut);
  tcase_add_test(tests, a_secret_is_three_stars);
  tcase_add_test(tests, secrets_of_what_is_not_understood);
  tcase_add_test(tests, user_and_password_of_an_address);
  tcase_add_test(tests, no_more_than_a_hundred);
  tcase_add_test(tests, warnings_are_no_errors);
  tcase_add_test(tests, a_message_is_one_line);
  tcase_add_test(tests, suggestions);
  return check_main("diagnostics", tests);
}
