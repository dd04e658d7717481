#include "check_main.h"
#include "config_harness.h"
#include <stdlib.h>
#include <string.h>

static struct config_harness harness;

static void set_up(void)
{
  config_harness_init(&harness);
  setenv("EVPIPE_TEST_SET", "a value", 1);
  setenv("EVPIPE_TEST_EMPTY", "", 1);
  setenv("EVPIPE_TEST_YAML", "{a: [b, c]}\n- x: y", 1);
  unsetenv("EVPIPE_TEST_UNSET");
}

static void tear_down(void)
{
  config_harness_free(&harness);
}

static const struct config_node *parse(const char *text)
{
  const struct config_node *root = config_harness_parse(&harness, text);
  ck_assert_msg(root && !diagnostics_errors(harness.diagnostics), "%s", config_harness_said(&harness));
  return root;
}

static void expect_text(const struct config_node *root, const char *path, const char *text)
{
  const struct config_node *node = config_harness_at(root, path);
  ck_assert_msg(node && node->kind == CONFIG_SCALAR, "%s", path);
  ck_assert_str_eq(node->text, text);
}

static void expect_kind(const struct config_node *root, const char *path, enum config_kind kind)
{
  const struct config_node *node = config_harness_at(root, path);
  ck_assert_msg(node && node->kind == kind, "%s: %d", path, node ? (int)node->kind : -1);
}

START_TEST(kinds)
{
  const struct config_node *root = parse("a: 1\nb: [x, 'y', \"z\"]\nc: {d: e}\nf:\ng: ~\nh: null\ni: ''\nj: 'null'\n");
  expect_text(root, "a", "1");
  expect_kind(root, "b", CONFIG_SEQUENCE);
  expect_text(root, "b.1", "y");
  expect_text(root, "b.2", "z");
  expect_text(root, "c.d", "e");
  expect_kind(root, "f", CONFIG_NULL);
  expect_kind(root, "g", CONFIG_NULL);
  expect_kind(root, "h", CONFIG_NULL);
  expect_text(root, "i", "");
  expect_text(root, "j", "null");
  ck_assert_ptr_null(config_harness_at(root, "k"));
}
END_TEST

START_TEST(places)
{
  const struct config_node *root = parse("a: word\nöö: {key: [1, \"two\"]}\nlast:\n  - |\n    block\n    of text\n");
  const struct config_node *word = config_harness_at(root, "a"), *two = config_harness_at(root, "öö.key.1");
  const struct config_node *map = config_harness_at(root, "öö"), *block = config_harness_at(root, "last.0");
  ck_assert(word->place.line == 1 && word->place.column == 4 && word->place.length == 4);
  ck_assert(two->place.line == 2 && two->place.column == 15 && two->place.length == 5);
  ck_assert(map->place.line == 2 && map->place.column == 5 && map->place.length == 17 && !map->place.last_line);
  ck_assert(block->place.line == 4 && block->place.column == 5 && block->place.last_line == 7);
  expect_text(root, "last.0", "block\nof text\n");
}
END_TEST

START_TEST(nothing_is_a_null)
{
  ck_assert_int_eq(parse("")->kind, CONFIG_NULL);
  ck_assert_int_eq(parse("# only this\n")->kind, CONFIG_NULL);
  ck_assert_int_eq(parse("---\n...\n")->kind, CONFIG_NULL);
}
END_TEST

START_TEST(variables)
{
  const struct config_node *root =
    parse("a: ${EVPIPE_TEST_SET}\nb: <${EVPIPE_TEST_EMPTY}>\nc: ${EVPIPE_TEST_UNSET:-default} x\nd: "
          "${EVPIPE_TEST_EMPTY:-default}\n"
          "e: ${EVPIPE_TEST_SET:?not asked}\nf: $$ $${X} $x $\ng: \"${EVPIPE_TEST_SET}${EVPIPE_TEST_SET}\"\nh: "
          "${EVPIPE_TEST_UNSET:-}\n"
          "i: ${EVPIPE_TEST_YAML}\nj: '${EVPIPE_TEST_SET}'\nk: [\"${EVPIPE_TEST_SET}\"]\n\"${EVPIPE_TEST_SET}\": 1\n");
  expect_text(root, "a", "a value");
  expect_text(root, "b", "<>");
  expect_text(root, "c", "default x");
  expect_text(root, "d", "default");
  expect_text(root, "e", "a value");
  expect_text(root, "f", "$ ${X} $x $");
  expect_text(root, "g", "a valuea value");
  expect_text(root, "h", "");
  expect_text(root, "i", "{a: [b, c]}\n- x: y"); /* a value can not change the structure */
  expect_text(root, "j", "a value");
  expect_text(root, "k.0", "a value");
  ck_assert_ptr_nonnull(tree_find(root, "${EVPIPE_TEST_SET}")); /* keys are as they are written */
}
END_TEST

/* A value that is wrong is told and does no harm to others. */
START_TEST(variables_that_are_wrong)
{
  const struct config_node *root = config_harness_parse(
    &harness, "a: ${EVPIPE_TEST_UNSET}\nb: [1, '${EVPIPE_TEST_EMPTY:?is needed}']\nc: ok\nd: {e: '${nope'}\n");
  ck_assert_ptr_nonnull(root);
  ck_assert_uint_eq(diagnostics_errors(harness.diagnostics), 3);
  expect_kind(root, "a", CONFIG_BROKEN);
  expect_kind(root, "b", CONFIG_BROKEN);
  expect_text(root, "c", "ok");
  expect_kind(root, "d", CONFIG_MAPPING);
  expect_kind(root, "d.e", CONFIG_BROKEN);
  ck_assert_ptr_nonnull(strstr(config_harness_said(&harness), "c.yaml:2:8: error: EVPIPE_TEST_EMPTY: is needed\n"));
}
END_TEST

START_TEST(ignored_keys_are_left_alone)
{
  const struct config_node *root = parse("x-common: &common {path: '${EVPIPE_TEST_SET}', x-more: "
                                         "'${EVPIPE_TEST_UNSET}'}\nx-word: &word '$$ ${EVPIPE_TEST_UNSET}'\n"
                                         "a: *common\nb: *common\nx-c: *word\n");
  expect_text(root, "a.path", "a value");
  expect_text(root, "b.path", "a value");
  expect_text(root, "x-word", "$$ ${EVPIPE_TEST_UNSET}");
}
END_TEST

START_TEST(aliases)
{
  const struct config_node *root = parse("a: &x {k: &y [1, $$]}\nb: *x\nc: *y\nd: &y 2\ne: *y\n");
  expect_text(root, "b.k.0", "1");
  expect_text(root, "c.1", "$"); /* replaced once, though it is reached thrice */
  expect_text(root, "b.k.1", "$");
  expect_text(root, "e", "2"); /* a later anchor hides an earlier one */
  ck_assert_uint_eq(config_harness_at(root, "c")->place.line, 1); /* where it is written */
}
END_TEST

struct refusal {
  const char *text, *said;
  bool no_tree;
};

static const struct refusal refusals[] = {
  {"a: 1\na: 2\n", "c.yaml:2:1: error: 'a' stands here a second time; the first is in line 1\n", false},
  {"a: {b: 1, \"b\": 2}\n", "c.yaml:1:11: error: 'b' stands here a second time", false},
  {"a: &a {b: *a}\n", "c.yaml:1:11: error: this alias lies within what it names\n", false},
  {"a: *b\n", "c.yaml:1:4: error: there is no anchor '&b' before this alias\n", false},
  {"a: &a {b: 1}\nc:\n  <<: *a\n", "c.yaml:3:3: error: merge keys are not supported", false},
  {"[a, b]: 1\n", "c.yaml:1:1: error: a key must be a word\n", false},
  {"a: \"b\\0c\"\n", "c.yaml:1:4: error: has a NUL character in it\n", false},
  {"a: 1\n---\nb: 2\n", "c.yaml:2:1: error: a second document begins here", true},
  {"a: [1\n", "error: this is not YAML: ", true},
  {"a: ${X}, b: {c\n", "; within { } and [ ] YAML wants quotes around", true},
  {"a: {b: ${X}}\n", "; within { } and [ ] YAML wants quotes around", true},
  {"a: {b: c-{each}.d}\n", "; within { } and [ ] YAML wants quotes around", true},
  {"a:\n\tb: 1\n", "; YAML is indented by blanks, not by tabs", true},
  {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1\n", "too deep", true},
};

START_TEST(refused)
{
  const struct refusal *refusal = &refusals[_i];
  const struct config_node *root = config_harness_parse(&harness, refusal->text);
  const char *said = config_harness_said(&harness);
  ck_assert_msg(strstr(said, refusal->said), "'%s' is not in: %s", refusal->said, said);
  ck_assert_int_eq(!root, refusal->no_tree);
  ck_assert_uint_eq(diagnostics_errors(harness.diagnostics), 1);
}
END_TEST

/* A hint is no noise: where no quote is missing, none is asked for. */
START_TEST(no_false_hint)
{
  config_harness_parse(&harness, "a: {b: {c: 1}\n");
  ck_assert_ptr_null(strstr(config_harness_said(&harness), "quotes"));
}
END_TEST

/* Every prefix of a good text, and every text with one byte of it changed, ends in a tree or in an error, never in both
   nothing. */
START_TEST(mangled)
{
  static const char good[] = "a: &x {b: [1, \"two\"], c: '${EVPIPE_TEST_SET}'}\nd: *x\ne: |\n  text\nf: ? [g]\n";
  char text[sizeof good];
  for (size_t i = 0; i < sizeof good - 1; i++) {
    for (int byte = 1; byte < 128; byte++) {
      memcpy(text, good, sizeof good);
      text[i] = (char)byte;
      const struct config_node *root = config_harness_parse(&harness, text);
      ck_assert(root || diagnostics_errors(harness.diagnostics));
      config_harness_free(&harness);
      config_harness_init(&harness);
    }
    memcpy(text, good, i);
    text[i] = '\0';
    const struct config_node *root = config_harness_parse(&harness, text);
    ck_assert(root || diagnostics_errors(harness.diagnostics));
    ck_assert_ptr_nonnull(config_harness_said(&harness));
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("tree");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, kinds);
  tcase_add_test(tests, places);
  tcase_add_test(tests, nothing_is_a_null);
  tcase_add_test(tests, variables);
  tcase_add_test(tests, variables_that_are_wrong);
  tcase_add_test(tests, ignored_keys_are_left_alone);
  tcase_add_test(tests, aliases);
  tcase_add_loop_test(tests, refused, 0, sizeof refusals / sizeof *refusals);
  tcase_add_test(tests, no_false_hint);
  tcase_add_test(tests, mangled);
  return check_main("tree", tests);
}
