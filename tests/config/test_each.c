#include "check_main.h"
#include "config/each.h"
#include "config/pipeline.h"
#include "config_harness.h"
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

static const char *replaced(const char *value, const char *path)
{
  char *text =
    config_format(harness.memory, "{key: [\"%s\"], each: \"{each}\", plugin: \"{name}\", x-note: \"{name}\"}", value);
  const struct config_node *node = each_replace(harness.memory, config_harness_parse(&harness, text), path);
  ck_assert_str_eq(config_harness_at(node, "each")->text, "{each}");
  ck_assert_str_eq(config_harness_at(node, "plugin")->text, "{name}");
  ck_assert_str_eq(config_harness_at(node, "x-note")->text, "{name}");
  ck_assert_uint_eq(config_harness_at(node, "key.0")->place.line, 1);
  return config_harness_at(node, "key.0")->text;
}

START_TEST(placeholders_are_replaced)
{
  ck_assert_str_eq(replaced("{each}", "/run/a.sock"), "/run/a.sock");
  ck_assert_str_eq(replaced("{name}", "/run/web.1.sock"), "web.1");
  ck_assert_str_eq(replaced("{name}", "plain"), "plain");
  ck_assert_str_eq(replaced("{name}", "/run/.hidden"), ".hidden");
  ck_assert_str_eq(replaced("<{name}|{each}|{name}>", "/a/b.c"), "<b|/a/b.c|b>");
  ck_assert_str_eq(replaced("{eventlog} {name} {} {Name} {name", "/a/b"), "{eventlog} b {} {Name} {name");
  ck_assert_str_eq(replaced("{{name}}", "/a/b"), "{b}");
  ck_assert_str_eq(replaced("{name}", "/a/{each}"), "{each}"); /* a path is not looked at again */
}
END_TEST

START_TEST(samples_match_the_glob)
{
  ck_assert_str_eq(each_sample(harness.memory, "/run/apps/*.sock"), "/run/apps/1.sock");
  ck_assert_str_eq(each_sample(harness.memory, "/run/*/x?[0-9]"), "/run/1/x11");
  ck_assert_str_eq(each_sample(harness.memory, "a[!]x]b[]]c[^a]"), "a1b1c1");
  ck_assert_str_eq(each_sample(harness.memory, "open[\\*"), "open[*");
}
END_TEST

static bool is_good(const char *text)
{
  struct config_node *node = config_harness_parse(&harness, text);
  return each_check(harness.memory, node, "source 'apps'", harness.diagnostics);
}

START_TEST(mistakes_are_told)
{
  ck_assert(is_good("{each: '/run/*', unix: '{each}'}"));
  ck_assert(is_good("{each: '/run/*', tls: {ca: ['x', '{name}']}}"));
  ck_assert(is_good("{each: '/run/*', command: './{name} {eventlog}'}"));
  ck_assert_str_eq(config_harness_said(&harness), "");
  ck_assert(!is_good("{each: '/run/*', unix: 'x', x-note: '{each}'}"));
  ck_assert(!is_good("{each: '', unix: '{each}'}"));
  ck_assert(!is_good("{each: '/run/', unix: '{each}'}"));
  ck_assert(!is_good("{each: '/run/*', unix: '{each}{naem}'}"));
  ck_assert_ptr_nonnull(strstr(config_harness_said(&harness), "did you mean '{name}'?"));
}
END_TEST

struct self {
  const char *path;
  int64_t number;
};

/* Bound for one path: all of it in memory of its own, which the last reference lets go of. */
START_TEST(an_instance_is_bound)
{
  static const struct evp_option options[] = {
    EVP_STRING(struct self, path, NULL, ""), EVP_INT(struct self, number, "7", ""), EVP_OPTIONS_END};
  static const struct evp_plugin plugin = {
    .kind = EVP_SOURCE, .instance_size = sizeof(struct self), .options = options};
  struct config_node name = {.kind = CONFIG_SCALAR, .text = "apps"};
  struct pipeline_node node = {.kind = EVP_SOURCE, .name = "apps", .plugin = &plugin, .yaml_name = &name};
  node.yaml = config_harness_parse(&harness, "{plugin: x, each: '/run/*', path: '<{each}>', number: '{name}', labels: "
                                             "{host: 'h-{name}'}, hold: {max_size: 1KiB}}");
  struct pipeline_instance *instance = pipeline_instance_new(&node, "/run/42.sock", harness.diagnostics);
  ck_assert_ptr_nonnull(instance);
  const struct self *self = instance->prototype;
  ck_assert_str_eq(self->path, "</run/42.sock>");
  ck_assert_int_eq(self->number, 42);
  ck_assert_uint_eq(instance->source.labels.n, 2);
  ck_assert_str_eq(instance->source.labels.items[0].value, "h-42");
  ck_assert_str_eq(instance->source.labels.items[1].value, "apps"); /* the service */
  ck_assert_uint_eq(instance->source.hold.max_size, 1024);
  pipeline_instance_unref(pipeline_instance_ref(instance));
  ck_assert_str_eq(instance->path, "/run/42.sock");
  pipeline_instance_unref(instance);
  ck_assert_ptr_null(pipeline_instance_new(&node, "/run/no-number", harness.diagnostics));
  ck_assert_ptr_nonnull(strstr(diagnostics_first_error(harness.diagnostics), "'number' must be a whole number"));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("each");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, placeholders_are_replaced);
  tcase_add_test(tests, samples_match_the_glob);
  tcase_add_test(tests, mistakes_are_told);
  tcase_add_test(tests, an_instance_is_bound);
  return check_main("each", tests);
}
