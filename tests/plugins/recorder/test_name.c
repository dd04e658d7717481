/* Names of recordings: filled in, told apart, matched again, and never a way out of the folder. */
#include "check_main.h"
#include "name.h"
#include "sink_host.h"
#include <stdlib.h>
#include <string.h>

static const struct name_facts facts = {
  .service = "oddball", .program = "server", .pid = 4711, .start = INT64_C(1795484939123456789), .seq = 3};

static void check_name(const char *path, const struct name_facts *with, unsigned number, const char *expected)
{
  char *name = name_make(path, with, number, "");
  ck_assert_str_eq(name, expected);
  free(name);
}

START_TEST(test_placeholders)
{
  check_name("runs/{service}-{program}-{pid}-{start}-{seq}.eventlog", &facts, 1,
    "runs/oddball-server-4711-20261124T014859Z-3.eventlog");
  check_name("{seq}{seq}", &facts, 1, "33");
  check_name("a}b", &facts, 1, "a}b");
  const struct name_facts unknown = {.service = ""};
  check_name("{service}/{program}/{pid}", &unknown, 1, "unknown/unknown/unknown");
  ck_assert_uint_eq(name_placeholders("{pid}/{seq}x{start}"), NAME_PID | NAME_SEQ | NAME_START);
  ck_assert_uint_eq(name_folder_placeholders("{pid}/{seq}x{start}"), NAME_PID);
  ck_assert_uint_eq(name_folder_placeholders("{pid}"), 0);
}
END_TEST

/* What a program calls itself can not choose where the file is, hide it, or forge a line in the log. */
START_TEST(test_values_are_harmless)
{
  static const char *const values[][2] = {{"../../etc/passwd", "x/_._.._etc_passwd.eventlog"}, {"..", "x/_..eventlog"},
    {".hidden", "x/_hidden.eventlog"}, {"a\nb\x7f", "x/a_b_.eventlog"}, {"/", "x/_.eventlog"},
    {"{pid}", "x/{pid}.eventlog"}, {"na\xc3\xafve", "x/na\xc3\xafve.eventlog"}};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    struct name_facts hostile = {.program = values[i][0]};
    char *name = name_make("x/{program}.eventlog", &hostile, 1, "");
    ck_assert_ptr_eq(strchr(name, '/'), name + 1);
    ck_assert_ptr_null(strchr(name + 2, '/'));
    if (i != 0) ck_assert_str_eq(name, values[i][1]);
    ck_assert_int_ne(name[2], '.');
    free(name);
  }
  char text[302];
  memset(text, 'x', sizeof text);
  memcpy(text + 99, "\xc3\xaf", 2); /* is not cut in two */
  text[301] = 0;
  struct name_facts verbose = {.program = text};
  char *name = name_make("{program}", &verbose, 1, "");
  ck_assert_uint_eq(strlen(name), 99);
  free(name);
}
END_TEST

START_TEST(test_numbers)
{
  check_name("run.eventlog", &facts, 2, "run-2.eventlog");
  check_name("a.b/run", &facts, 2, "a.b/run-2");
  check_name("run.eventlog.zst", &facts, 12, "run-12.eventlog.zst");
  check_name("run.zst", &facts, 2, "run-2.zst");
  check_name("{service}.{seq}", &facts, 2, "oddball.3-2");
  check_name("{service}.{seq}.eventlog", &facts, 2, "oddball.3-2.eventlog");
  check_name(".hidden", &facts, 2, ".hidden-2");
}
END_TEST

START_TEST(test_folder)
{
  static const char *const folders[][2] = {{"x", "."}, {"/x", "/"}, {"a/b/x", "a/b"}, {"./x", "."}};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char *folder = name_folder(folders[i][0]);
    ck_assert_str_eq(folder, folders[i][1]);
    free(folder);
  }
}
END_TEST

START_TEST(test_pattern)
{
  static const char *const good[] = {"a+b-20261124T014859Z-1.eventlog", "x-20261124T014859Z-12-3.eventlog",
    "x-20261124T014859Z-1.eventlog.part", "-20261124T014859Z-20261124T014859Z-1.eventlog"};
  static const char *const bad[] = {"x-20261124T014859Z.eventlog", "x-2026112T014859Z-1.eventlog",
    "x-20261124T014859Z-1.eventlog.bak", "x-20261124T014859Z-1xeventlog", "-20261124T014859Z-1.eventlog", "x.eventlog"};
  regex_t pattern;
  ck_assert(name_pattern("some/[where]/{service}-{start}-{seq}.eventlog", &pattern));
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    ck_assert_msg(!regexec(&pattern, good[i], 0, NULL, 0), "%s", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(regexec(&pattern, bad[i], 0, NULL, 0), "%s", bad[i]);
  regfree(&pattern);
}
END_TEST

START_TEST(test_check)
{
  static const char *const bad[][2] = {{"", "is empty"}, {"a/", "ends in a slash"}, {"{servic}", "'{servic}' is no"},
    {"a{", "'{' is no placeholder"}, {"{{pid}", "'{{pid}' is no"}, {"{PID}", "'{PID}'"}};
  struct sink_host *host = sink_host_new(NULL, "");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ck_assert(!name_check(bad[i][0], sink_host_ctx(host)));
    ck_assert_msg(strstr(sink_host_said(host), bad[i][1]), "%s", sink_host_said(host));
    sink_host_forget(host);
  }
  ck_assert(name_check("a/{service}-{program}{pid}{start}.{seq}", sink_host_ctx(host)));
  sink_host_free(host);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("name");
  tcase_add_test(tests, test_placeholders);
  tcase_add_test(tests, test_values_are_harmless);
  tcase_add_test(tests, test_numbers);
  tcase_add_test(tests, test_folder);
  tcase_add_test(tests, test_pattern);
  tcase_add_test(tests, test_check);
  return check_main("recorder_name", tests);
}
