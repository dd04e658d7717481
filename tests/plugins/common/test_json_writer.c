/* JSON piece by piece: commas, what JSON has no words for, times. */
#include "json_writer.h"

#include "check_main.h"

#include <math.h>

static struct evp_buf text;

static const char *written(const struct json *json)
{
  ck_assert(!json->failed);
  ck_assert(text_put_char(&text, '\0'));
  return (const char *)text.data;
}

static struct json begin(void)
{
  text.size = 0;
  return (struct json){.text = &text};
}

START_TEST(commas_are_where_they_belong)
{
  struct json json = begin();
  json_object(&json, NULL);
  json_array(&json, "empty");
  json_end(&json, ']');
  json_array(&json, "list");
  json_unsigned(&json, NULL, 1);
  json_object(&json, NULL);
  json_bool(&json, "yes", true);
  json_bool(&json, "no", false);
  json_end(&json, '}');
  json_raw(&json, NULL, "", 0);
  json_raw(&json, NULL, "2,3", 3);
  json_raw(&json, NULL, "4", 1);
  json_end(&json, ']');
  json_name(&json, "any \"key\"");
  json_unsigned(&json, NULL, 5);
  json_null(&json, "nothing");
  json_integer(&json, "least", INT64_MIN);
  json_end(&json, '}');
  ck_assert_str_eq(written(&json), "{\"empty\":[],\"list\":[1,{\"yes\":true,\"no\":false},2,3,4],\"any "
                                   "\\\"key\\\"\":5,\"nothing\":null,\"least\":-9223372036854775808}");
}
END_TEST

START_TEST(strings_of_any_bytes_are_json)
{
  struct json json = begin();
  json_array(&json, NULL);
  json_string(&json, NULL, NULL);
  json_string(&json, NULL, "a\"\\\n\xff");
  json_bytes(&json, NULL, "\0b", 2);
  json_word(&json, NULL, "word");
  json_octets(&json, NULL, (const uint8_t *)"\0b\"\\\xff", 5);
  json_end(&json, ']');
  ck_assert_str_eq(
    written(&json), "[null,\"a\\\"\\\\\\n\xef\xbf\xbd\",\"\\u0000b\",\"word\",\"\\u0000b\\u0022\\u005c\\u00ff\"]");
}
END_TEST

START_TEST(numbers_that_json_does_not_have_are_null)
{
  struct json json = begin();
  json_array(&json, NULL);
  json_double(&json, NULL, 0.25);
  json_double(&json, NULL, (double)NAN);
  json_double(&json, NULL, (double)-INFINITY);
  json_end(&json, ']');
  ck_assert_str_eq(written(&json), "[0.25,null,null]");
}
END_TEST

START_TEST(times_are_seconds)
{
  struct json json = begin();
  json_array(&json, NULL);
  json_seconds(&json, NULL, INT64_C(1764165000123456789));
  json_seconds(&json, NULL, INT64_C(1764165000000000000));
  json_seconds(&json, NULL, INT64_C(1764165000100000000));
  json_seconds(&json, NULL, INT64_C(1764165000000001000));
  json_seconds(&json, NULL, -INT64_C(1500000000));
  json_seconds(&json, NULL, -1);
  json_seconds(&json, NULL, INT64_MAX);
  json_end(&json, ']');
  ck_assert_str_eq(
    written(&json), "[1764165000.123456,1764165000,1764165000.1,1764165000.000001,-1.5,0,9223372036.854775]");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("json_writer");
  tcase_add_test(tests, commas_are_where_they_belong);
  tcase_add_test(tests, strings_of_any_bytes_are_json);
  tcase_add_test(tests, numbers_that_json_does_not_have_are_null);
  tcase_add_test(tests, times_are_seconds);
  int status = check_main("json_writer", tests);
  text_free(&text);
  return status;
}
