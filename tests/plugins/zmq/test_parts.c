/* The small parts of the sink zmq: header, topics, subscriptions, last values, keys, and what options are refused. */
#include "check_main.h"
#include "key_list.h"
#include "last_values.h"
#include "message.h"
#include "settings.h"
#include "sink_host.h"
#include "subscriptions.h"
#include "text.h"
#include <stdio.h>
#include <unistd.h>

#define KEY_TEXT "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6" /* of zmq_curve's page */

/* -------------------------------------------------------------------------------------------------------------- header */

START_TEST(a_header_is_as_the_page_says)
{
  const struct header header = {.flags = MESSAGE_GAP | MESSAGE_END,
    .publisher = 0x0102030405060708,
    .sequence = 9,
    .stream = 0x1112131415161718,
    .offset = 0x2122232425262728,
    .prologue = 0x31,
    .sync = NO_SYNC,
    .items = 0x41424344,
    .epoch = -2,
    .lost = 0x5152535455565758};
  static const uint8_t wanted[HEADER_SIZE] =
    "EVPZ\0\1\0\6\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\11\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24\x25\x26\x27\x28"
    "\0\0\0\0\0\0\0\x31\xff\xff\xff\xff\x41\x42\x43\x44\xff\xff\xff\xff\xff\xff\xff\xfe\x51\x52\x53\x54\x55\x56\x57";
  uint8_t got[HEADER_SIZE];
  header_encode(&header, got);
  ck_assert_mem_eq(got, wanted, HEADER_SIZE - 1);
  ck_assert_uint_eq(got[HEADER_SIZE - 1], 0x58);
}
END_TEST

/* -------------------------------------------------------------------------------------------------------------- topics */

START_TEST(a_topic_has_no_slash_of_a_service)
{
  struct evp_buf name = {0};
  ck_assert(topic_name_append(&name, EVP_BYTES, "a/b c%\n\xc3\xa4", "node-1") && text_put_char(&name, 0));
  ck_assert_str_eq((char *)name.data, "bytes/a%2Fb%20c%25%0A\xc3\xa4/node-1/");
  text_free(&name);
}
END_TEST

START_TEST(a_topic_outlives_its_streams)
{
  struct sink_host_stream first = {.source = "app", .service = "shop"}, second = first, other = {.source = "app"};
  struct topic *all = NULL, *topic = topic_get(&all, EVP_METRICS, sink_host_stream(&first), "heap");
  ck_assert_mem_eq(topic->name, "metrics/shop/heap/", topic->size);
  ck_assert_ptr_eq(topic_get(&all, EVP_METRICS, sink_host_stream(&second), "heap"), topic);
  ck_assert_ptr_ne(topic_get(&all, EVP_LOGS, sink_host_stream(&second), "heap"), topic);
  ck_assert_ptr_ne(topic_get(&all, EVP_METRICS, sink_host_stream(&second), "heap2"), topic);
  topic = topic_get(&all, EVP_EVENTS, sink_host_stream(&other), "x");
  ck_assert_mem_eq(topic->name, "events/app/x/", topic->size); /* no service: the source */
  topics_free(all);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------- subscriptions */

static bool matches(const struct subscriptions *subscriptions, const char *topic)
{
  return subscriptions_match(subscriptions, topic, strlen(topic));
}

START_TEST(a_subscription_is_a_prefix_and_counts)
{
  struct subscriptions subscriptions = {0};
  ck_assert(!matches(&subscriptions, "bytes/a/"));
  subscriptions_add(&subscriptions, "bytes/", 6);
  subscriptions_add(&subscriptions, "bytes/", 6);
  subscriptions_add(&subscriptions, "metrics/a/", 10);
  ck_assert(matches(&subscriptions, "bytes/a/") && matches(&subscriptions, "metrics/a/"));
  ck_assert(!matches(&subscriptions, "metrics/b/") && !matches(&subscriptions, "metrics"));
  ck_assert(!subscriptions_match_both(&subscriptions, "bytes/a/", 8, "metrics/a/", 10));
  ck_assert(subscriptions_match_both(&subscriptions, "bytes/a/", 8, "bytes/b/", 8));
  subscriptions_remove(&subscriptions, "bytes/", 6);
  ck_assert(matches(&subscriptions, "bytes/a/"));
  subscriptions_remove(&subscriptions, "bytes/", 6);
  subscriptions_remove(&subscriptions, "bytes/", 6); /* one too many: nothing */
  ck_assert(!matches(&subscriptions, "bytes/a/") && matches(&subscriptions, "metrics/a/"));
  subscriptions_add(&subscriptions, "", 0);
  ck_assert(matches(&subscriptions, "logs/") && subscriptions_match_both(&subscriptions, "bytes/", 6, "logs/", 5));
  subscriptions_free(&subscriptions);
}
END_TEST

START_TEST(too_many_subscriptions_are_all)
{
  struct subscriptions subscriptions = {0};
  char text[16];
  for (int i = 0; i <= SUBSCRIPTIONS_MAX; i++) {
    ck_assert(!matches(&subscriptions, "other/"));
    subscriptions_add(&subscriptions, text, (size_t)snprintf(text, sizeof text, "x%d/", i));
  }
  ck_assert(matches(&subscriptions, "other/"));
  ck_assert_uint_eq(subscriptions.n, SUBSCRIPTIONS_MAX);
  subscriptions_free(&subscriptions);
}
END_TEST

/* --------------------------------------------------------------------------------------------------------- last values */

static bool keep(
  struct last_values *values, const struct topic *topic, uint64_t stream, uint64_t series, const char *text)
{
  return last_values_set(values, topic, stream, series, (const uint8_t *)text, strlen(text));
}

/* All texts of a topic, with blanks between. */
static const char *kept(const struct last_values *values, const struct topic *topic)
{
  static char all[256];
  const struct last_value *value;
  char *to = all;
  *to = 0;
  for (uint64_t at = 0; (value = last_values_next(values, topic, &at)); at++)
    to += sprintf(to, "%.*s ", (int)value->size, value->text);
  return all;
}

START_TEST(the_last_value_of_each_series)
{
  struct last_values values = {0};
  static const struct topic one, two;
  ck_assert(keep(&values, &one, 1, 10, "a1") && keep(&values, &one, 1, 11, "b1") && keep(&values, &two, 2, 12, "c1"));
  ck_assert(keep(&values, &one, 1, 10, "a2, and it is longer than what was there, by far"));
  ck_assert(keep(&values, &one, 1, 10, "a3"));
  ck_assert_str_eq(kept(&values, &one), "a3 b1 ");
  ck_assert_str_eq(kept(&values, &two), "c1 ");
  last_values_remove(&values, 10);
  last_values_remove(&values, 99);
  ck_assert_str_eq(kept(&values, &one), "b1 ");
  last_values_end_stream(&values, 1);
  ck_assert_str_eq(kept(&values, &one), "");
  ck_assert_uint_eq(values.live, 1);
  ck_assert(keep(&values, &one, 3, 10, "a4"));
  ck_assert_str_eq(kept(&values, &one), "a4 ");
  last_values_free(&values);
}
END_TEST

START_TEST(series_that_come_and_go_take_no_memory)
{
  struct last_values values = {0};
  static const struct topic topic;
  for (uint64_t series = 1; series <= 100000; series++) {
    ck_assert(keep(&values, &topic, 1, series, "value"));
    if (series > 10) last_values_remove(&values, series - 10);
  }
  ck_assert_uint_eq(values.live, 10);
  ck_assert_uint_lt(values.capacity, 1000);
  ck_assert_uint_lt(hash_index_memory(&values.index), 10000);
  ck_assert_uint_gt(values.moves, 0);
  last_values_free(&values);
}
END_TEST

START_TEST(last_values_are_bounded)
{
  struct last_values values = {0};
  static const struct topic topic;
  for (uint64_t series = 1; series <= LAST_VALUES_MAX; series++) ck_assert(keep(&values, &topic, 1, series, "v"));
  ck_assert(!keep(&values, &topic, 1, LAST_VALUES_MAX + 1, "v"));
  ck_assert(keep(&values, &topic, 1, 1, "w"));
  last_values_free(&values);
  static char large[LAST_VALUES_MEMORY / 2];
  memset(large, 'x', sizeof large - 1);
  ck_assert(keep(&values, &topic, 1, 1, large) && keep(&values, &topic, 1, 2, "y"));
  ck_assert(!keep(&values, &topic, 1, 2, large)); /* and the old one is gone: it is not the last any more */
  ck_assert_uint_eq(values.live, 1);
  last_values_free(&values);
}
END_TEST

/* ---------------------------------------------------------------------------------------------------------------- keys */

START_TEST(what_is_a_key)
{
  ck_assert(key_is_good(KEY_TEXT));
  ck_assert(!key_is_good(KEY_TEXT "x"));
  ck_assert(!key_is_good("") && !key_is_good("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh"));
  ck_assert(!key_is_good("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{L~6"));
}
END_TEST

static bool read_list(struct key_list *list, struct sink_host *host, const char *text)
{
  char path[] = "/tmp/evpipe-keys-XXXXXX";
  int fd = mkstemp(path);
  ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  bool good = key_list_read(list, path, sink_host_ctx(host));
  unlink(path);
  return good;
}

START_TEST(a_file_of_keys)
{
  struct sink_host *host = sink_host_new(NULL, NULL);
  struct key_list list = {0};
  uint8_t key[KEY_SIZE];
  char text[256];
  snprintf(text, sizeof text, "# comment\n\n \t%s # who\r\n#%s", KEY_TEXT, "short");
  ck_assert(read_list(&list, host, text));
  ck_assert_uint_eq(list.n, 1);
  ck_assert_str_eq(sink_host_said(host), "");
  ck_assert(list.n == 1 && (memcpy(key, list.keys[0], KEY_SIZE), key_list_has(&list, key)));
  key[7] ^= 1;
  ck_assert(!key_list_has(&list, key));
  ck_assert(!read_list(&list, host, "nonsense\n") && strstr(sink_host_said(host), ":1: is no public key"));
  sink_host_forget(host);
  key_list_free(&list);
  ck_assert(read_list(&list, host, "# nobody\n") && strstr(sink_host_said(host), "nobody can connect"));
  ck_assert(!key_list_read(&list, "/nowhere/keys", sink_host_ctx(host)));
  key_list_free(&list);
  sink_host_free(host);
}
END_TEST

/* ------------------------------------------------------------------------------------------------------------- options */

#define DEFAULTS .high_water_mark = 64 << 20, .linger = 1000000000
#define SECRET .curve.secret_key = KEY_TEXT

static const char *const listed[] = {KEY_TEXT}, *const bad[] = {KEY_TEXT, "abc"};

static const struct {
  struct settings settings;
  const char *said; /* begins with; "": it is good */
} cases[] = {
  {{DEFAULTS, .bind = "tcp://127.0.0.1:5556"}, ""},
  {{DEFAULTS, .bind = "tcp://[::1]:5556"}, ""},
  {{DEFAULTS, .bind = "ipc:///tmp/x"}, ""},
  {{DEFAULTS, .connect = "tcp://example.org:5556"}, ""},
  {{DEFAULTS, .bind = ""}, "option bind: is missing"},
  {{DEFAULTS, .bind = "ipc://a", .connect = "ipc://b"}, "option connect: does not go with bind"},
  {{DEFAULTS, .bind = "ipc://"}, "option bind: has no path"},
  {{DEFAULTS, .bind = "tcp://127.0.0.1"}, "option bind: has no port"},
  {{DEFAULTS, .bind = "tcp://127.0.0.1:99999"}, "option bind: has no port from 1 to 65535"},
  {{DEFAULTS, .bind = "tcp://127.0.0.1:0"}, "option bind: has no port from 1 to 65535"},
  {{DEFAULTS, .bind = "tcp://127.0.0.1:*"}, ""},
  {{DEFAULTS, .connect = "tcp://127.0.0.1:*"}, "option connect: has no port from 1 to 65535"},
  {{DEFAULTS, .connect = "tcp://127.0.0.1:http"}, "option connect: has no port from 1 to 65535"},
  {{DEFAULTS, .bind = "inproc://x"}, "option bind: is not an address"},
  {{DEFAULTS, .connect = "localhost:1"}, "option connect: is not an address"},
  {{DEFAULTS, .bind = "tcp://localhost:1"}, "option bind: needs a number"},
  {{DEFAULTS, .bind = "tcp://*:5556"}, "option bind: is open to other machines"},
  {{DEFAULTS, .bind = "tcp://0.0.0.0:5556"}, "option bind: is open to other machines"},
  {{DEFAULTS, .bind = "tcp://*:5556", .allow_remote = true}, ""},
  {{DEFAULTS, .connect = "tcp://x:1", .allow_remote = true}, "option allow_remote: is about bind"},
  {{.bind = "ipc://a", .high_water_mark = 16383}, "option high_water_mark: must be"},
  {{.bind = "ipc://a", .high_water_mark = 16384, .linger = EVP_NEVER}, "option linger: must end"},
  {{DEFAULTS, .bind = "ipc://a", SECRET}, "option curve: has no allowed_keys"},
  {{DEFAULTS, .bind = "ipc://a", SECRET, .curve.allow_any = true}, ""},
  {{DEFAULTS, .bind = "ipc://a", SECRET, .curve.allowed_keys = {listed, 1}}, ""},
  {{DEFAULTS, .bind = "ipc://a", SECRET, .curve.allowed_keys = {bad, 2}}, "option curve.allowed_keys: has something"},
  {{DEFAULTS, .bind = "ipc://a", SECRET, .curve.allowed_keys_file = "x", .curve.allow_any = true},
    "option curve.allow_any: makes the list of keys useless"},
  {{DEFAULTS, .bind = "ipc://a", SECRET, .curve.server_key = KEY_TEXT}, "option curve.server_key: is for connect"},
  {{DEFAULTS, .bind = "ipc://a", .curve.secret_key = "abc"}, "option curve.secret_key: is no key"},
  {{DEFAULTS, .bind = "ipc://a", .curve.allow_any = true}, "option curve: has no secret_key"},
  {{DEFAULTS, .connect = "ipc://a", SECRET}, "option curve: has no server_key"},
  {{DEFAULTS, .connect = "ipc://a", SECRET, .curve.server_key = KEY_TEXT}, ""},
  {{DEFAULTS, .connect = "ipc://a", SECRET, .curve.allow_any = true}, "option curve.allow_any: is for bind"},
  {{DEFAULTS, .connect = "ipc://a", SECRET, .curve.allowed_keys = {listed, 1}}, "option curve.allowed_keys: is for"},
};

START_TEST(options_that_make_sense)
{
  struct sink_host *host = sink_host_new(NULL, NULL);
  struct settings settings = cases[_i].settings;
  const char *wanted = cases[_i].said;
  bool good = settings_check(&settings, sink_host_ctx(host));
  ck_assert_msg(good == !*wanted, "case %d: %s", _i, sink_host_said(host));
  ck_assert_msg(!strncmp(sink_host_said(host), wanted, strlen(wanted)), "case %d: %s", _i, sink_host_said(host));
  sink_host_free(host);
}
END_TEST

START_TEST(the_high_water_mark_is_in_bytes)
{
  static const struct {
    uint64_t mark;
    size_t size;
    int messages;
  } sizes[] = {{16 << 10, 4096, 4}, {100 << 10, 25600, 4}, {256 << 10, 65536, 4}, {64 << 20, 65536, 1024}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const struct settings settings = {.high_water_mark = sizes[i].mark};
    ck_assert_uint_eq(settings_message_size(&settings), sizes[i].size);
    ck_assert_int_eq(settings_messages(&settings), sizes[i].messages);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("parts");
  tcase_add_test(tests, a_header_is_as_the_page_says);
  tcase_add_test(tests, a_topic_has_no_slash_of_a_service);
  tcase_add_test(tests, a_topic_outlives_its_streams);
  tcase_add_test(tests, a_subscription_is_a_prefix_and_counts);
  tcase_add_test(tests, too_many_subscriptions_are_all);
  tcase_add_test(tests, the_last_value_of_each_series);
  tcase_add_test(tests, series_that_come_and_go_take_no_memory);
  tcase_add_test(tests, last_values_are_bounded);
  tcase_add_test(tests, what_is_a_key);
  tcase_add_test(tests, a_file_of_keys);
  tcase_add_loop_test(tests, options_that_make_sense, 0, sizeof cases / sizeof *cases);
  tcase_add_test(tests, the_high_water_mark_is_in_bytes);
  return check_main("zmq_parts", tests);
}
