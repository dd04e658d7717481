/* What is written into the log, whoever says it. */
#include "check_main.h"
#include "log.h"
#include <string.h>
#include <unistd.h>

static char said[4096];

/* Logs a message in a format, and reads it back. */
static const char *logged(enum log_format format, const char *message)
{
  int ends[2], before = dup(STDERR_FILENO);
  ck_assert(before >= 0 && !pipe(ends) && dup2(ends[1], STDERR_FILENO) >= 0);
  log_configure(LOG_LEVEL_INFO, format);
  log_line(LOG_LEVEL_WARNING, "node", NULL, "%s", message);
  ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
  ssize_t size = read(ends[0], said, sizeof said - 1);
  ck_assert_int_gt(size, 0);
  said[size] = 0;
  close(before);
  close(ends[0]);
  close(ends[1]);
  return strstr(said, format == LOG_FORMAT_JSON ? "\"message\"" : "node: ");
}

START_TEST(user_and_password_of_an_address_are_stars)
{
  static const char *const texts[][2] = {{"http://me:geheim@host:8086: refused", "http://***@host:8086: refused"},
    {"two tcp://:geheim@a unix:///x\thttp://ge@heim@b", "two tcp://***@a unix:///x\\x09http://***@b"},
    {"http://host and me@example.org", "http://host and me@example.org"}, {"http://g@h :// @", "http://*@h :// @"},
    {"http://@h", "http://@h"}, {"://", "://"}, {"", ""}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const char *line = logged(LOG_FORMAT_TEXT, texts[i][0]) + strlen("node: ");
    said[strlen(said) - 1] = 0;
    ck_assert_str_eq(line, texts[i][1]);
  }
  ck_assert_str_eq(logged(LOG_FORMAT_JSON, "\"http://me:geheim@h\""), "\"message\":\"\\\"http://***@h\\\"\"}\n");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("log");
  tcase_add_test(tests, user_and_password_of_an_address_are_stars);
  return check_main("log", tests);
}
