/* What InfluxDB's answers mean: texts as 1.6.7, 1.8 and 2.x gave them. */
#include "answer.h"
#include "check_main.h"
#include <stdio.h>
#include <string.h>

static struct answer answer;
static struct verdict verdict;

static const struct verdict *judge(int api, long status, const char *body)
{
  answer = (struct answer){.status = status, .body_size = strlen(body), .body_total = strlen(body)};
  strcpy(answer.body, body);
  answer_judge(&answer, api, &verdict);
  return &verdict;
}

static void expect(int api, long status, const char *body, enum verdict_kind kind, uint64_t rejected)
{
  judge(api, status, body);
  ck_assert_msg(verdict.kind == kind, "%ld %s: %d", status, body, verdict.kind);
  ck_assert_uint_eq(verdict.rejected, rejected);
}

START_TEST(all_is_well)
{
  expect(1, 204, "", VERDICT_STORED, 0);
  expect(2, 200, "", VERDICT_STORED, 0);
  ck_assert_str_eq(verdict.text, "");
}
END_TEST

START_TEST(a_page_is_not_an_influxdb)
{
  expect(1, 200, "<html>Please log in</html>", VERDICT_LATER, 0);
  ck_assert(verdict.setup);
  ck_assert_ptr_nonnull(strstr(verdict.text, "check url"));
}
END_TEST

START_TEST(partial_writes)
{
  expect(1, 400,
    "{\"error\":\"partial write: field type conflict: input field \\\"value\\\" on measurement \\\"a\\\" is type "
    "integer, already exists as type float dropped=3\"}\n",
    VERDICT_STORED, 3);
  ck_assert_ptr_nonnull(strstr(verdict.text, "field type conflict: input field \"value\""));
  expect(1, 400, "{\"error\":\"partial write: points beyond retention policy dropped=12\"}", VERDICT_STORED, 12);
  expect(1, 400,
    "{\"error\":\"partial write: unable to parse 'a b=c 1': invalid boolean\\nunable to parse 'x': missing fields "
    "dropped=0\"}",
    VERDICT_STORED, 2);
  expect(1, 400, "{\"error\":\"partial write: unable to parse 'a,dropped=99 v': missing fields dropped=0\"}",
    VERDICT_STORED, 1);
  expect(1, 400, "{\"error\":\"partial write: something new\"}", VERDICT_STORED, 1);
  expect(2, 422,
    "{\"code\":\"unprocessable entity\",\"message\":\"failure writing points to database: partial write: points beyond "
    "retention policy dropped=4\"}",
    VERDICT_STORED, 4);
}
END_TEST

START_TEST(nothing_was_stored)
{
  expect(1, 400, "{\"error\":\"unable to parse 'x': missing fields\"}", VERDICT_MALFORMED, 0);
  expect(2, 400, "{\"code\":\"invalid\",\"message\":\"unable to parse 'x': missing fields\"}", VERDICT_MALFORMED, 0);
  ck_assert_str_eq(verdict.text, "HTTP 400: unable to parse 'x': missing fields");
  expect(1, 413, "{\"error\":\"Request Entity Too Large\"}", VERDICT_TOO_LARGE, 0);
}
END_TEST

START_TEST(what_somebody_has_to_repair)
{
  expect(1, 401, "{\"error\":\"authorization failed\"}", VERDICT_LATER, 0);
  ck_assert(verdict.setup && strstr(verdict.text, "username"));
  expect(2, 401, "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}", VERDICT_LATER, 0);
  ck_assert(verdict.setup && strstr(verdict.text, "unauthorized access; check token"));
  expect(1, 404, "{\"error\":\"database not found: \\\"ev\\\"\"}", VERDICT_NO_DATABASE, 0);
  ck_assert_ptr_nonnull(strstr(verdict.text, "create_database: true"));
  expect(2, 404, "{\"code\":\"not found\",\"message\":\"bucket \\\"b\\\" not found\"}", VERDICT_LATER, 0);
  ck_assert(verdict.setup && strstr(verdict.text, "bucket"));
  expect(2, 404, "404 page not found\n", VERDICT_LATER, 0);
  ck_assert_ptr_nonnull(strstr(verdict.text, "api: 1"));
  expect(1, 301, "", VERDICT_LATER, 0);
  ck_assert(verdict.setup && strstr(verdict.text, "redirect"));
  expect(1, 405, "", VERDICT_LATER, 0);
  ck_assert(verdict.setup);
}
END_TEST

START_TEST(what_passes)
{
  static const long statuses[] = {408, 429, 500, 502, 503, 504};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    expect(1, statuses[i], "{\"error\":\"timeout\"}", VERDICT_LATER, 0);
    ck_assert(!verdict.setup);
  }
  answer = (struct answer){.failure = "Failed to connect to localhost port 1"};
  answer_judge(&answer, 1, &verdict);
  ck_assert_int_eq(verdict.kind, VERDICT_LATER);
  ck_assert(!verdict.setup);
  ck_assert_str_eq(verdict.text, "Failed to connect to localhost port 1");
}
END_TEST

START_TEST(texts_are_one_line)
{
  char text[32];
  judge(1, 500, "{\"error\" : \"a \\\"b\\\"\\nc\"}");
  answer_text(&answer, text, sizeof text);
  ck_assert_str_eq(text, "a \"b\" c");
  judge(1, 500, "plain\r\n\033[2J a very long text that does not fit in there");
  answer_text(&answer, text, sizeof text);
  ck_assert_str_eq(text, "plain   [2J a very long text th");
  judge(1, 500, "{\"error\":\"unclosed\\");
  answer_text(&answer, text, sizeof text);
  ck_assert_str_eq(text, "unclosed\\");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("answer");
  tcase_add_test(tests, all_is_well);
  tcase_add_test(tests, a_page_is_not_an_influxdb);
  tcase_add_test(tests, partial_writes);
  tcase_add_test(tests, nothing_was_stored);
  tcase_add_test(tests, what_somebody_has_to_repair);
  tcase_add_test(tests, what_passes);
  tcase_add_test(tests, texts_are_one_line);
  return check_main("answer", tests);
}
