#include "check_main.h"
#include "config/options.h"
#include "config_harness.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct inner {
  int64_t depth;
  const char *must;
};

struct all {
  bool truth;
  int64_t number;
  double real;
  uint64_t size, wait;
  const char *text, *secret, *needed;
  int choice;
  struct evp_strings list, words;
  struct evp_map map;
  struct inner group;
};

static const char *const choices[] = {"first", "second", "third", NULL};
static const struct evp_option inner_options[] = {EVP_INT(struct inner, depth, "7", "How deep."),
  EVP_STRING_REQUIRED(struct inner, must, "What must be."), EVP_OPTIONS_END};
static const struct evp_option options[] = {EVP_BOOL(struct all, truth, "true", "A truth."),
  EVP_INT(struct all, number, "-5", "A number."), EVP_REAL(struct all, real, "0.25", "A real number."),
  EVP_SIZE(struct all, size, "2KiB", "A size."), EVP_DURATION(struct all, wait, "never", "A duration."),
  EVP_STRING(struct all, text, "some text", "A text."), EVP_SECRET(struct all, secret, "A secret."),
  EVP_CHOICE(struct all, choice, "second", "A choice.", choices), EVP_STRINGS(struct all, list, "A list."),
  EVP_MAP(struct all, map, "A map."), EVP_GROUP(struct all, group, inner_options, "A group."), EVP_OPTIONS_END};
static const struct evp_option required_options[] = {
  EVP_STRING_REQUIRED(struct all, needed, "What is needed."), EVP_OPTIONS_END};
static const struct evp_option words_options[] = {EVP_WORDS_REQUIRED(struct all, words, "Words."), EVP_OPTIONS_END};

static struct config_harness harness;
static struct all all;

static void set_up(void)
{
  config_harness_init(&harness);
  all = (struct all){0};
}

static void tear_down(void)
{
  config_harness_free(&harness);
}

static bool bind(const struct evp_option *table, const char *text, bool lenient)
{
  const struct config_node *root = config_harness_parse(&harness, text);
  const char *problem;
  ck_assert_ptr_nonnull(root);
  ck_assert(options_set_defaults(harness.memory, table, &all, &problem));
  struct binding binding = {
    .memory = harness.memory, .diagnostics = harness.diagnostics, .who = "sink 'it'", .lenient = lenient};
  bool ok = options_bind(&binding, &(struct option_target){table, &all}, 1, root, root->place);
  ck_assert_int_eq(ok, !diagnostics_errors(harness.diagnostics));
  return ok;
}

START_TEST(defaults)
{
  ck_assert(bind(options, "", false));
  ck_assert(all.truth && all.number == -5 && all.real > 0.24 && all.real < 0.26);
  ck_assert(all.size == 2048 && all.wait == EVP_NEVER && all.choice == 1);
  ck_assert_str_eq(all.text, "some text");
  ck_assert(!all.secret && !all.list.n && !all.map.n && all.group.depth == 7 && !all.group.must);
}
END_TEST

START_TEST(values)
{
  ck_assert(bind(options,
    "truth: no\nnumber: 12\nreal: 1.5\nsize: 1MiB\nwait: 2m\ntext: 007\nsecret: s\nchoice: third\nlist: [a, 'b c', 3]\n"
    "map: {x: 1, y-z: '2'}\ngroup: {depth: 1, must: m, x-any: {}}\nx-more: [1]\n",
    false));
  ck_assert(!all.truth && all.number == 12 && all.real > 1.4 && all.size == 1048576 && all.wait == 120000000000);
  ck_assert_str_eq(all.text, "007");
  ck_assert_str_eq(all.secret, "s");
  ck_assert_int_eq(all.choice, 2);
  ck_assert_uint_eq(all.list.n, 3);
  ck_assert_str_eq(all.list.items[1], "b c");
  ck_assert_str_eq(all.list.items[2], "3");
  ck_assert_uint_eq(all.map.n, 2);
  ck_assert_str_eq(all.map.items[1].key, "y-z");
  ck_assert_str_eq(all.map.items[1].value, "2");
  ck_assert(all.group.depth == 1 && !strcmp(all.group.must, "m"));
}
END_TEST

START_TEST(a_scalar_is_a_list_of_one)
{
  ck_assert(bind(options, "list: single\n", false));
  ck_assert_uint_eq(all.list.n, 1);
  ck_assert_str_eq(all.list.items[0], "single");
  ck_assert(bind(options, "list: []\n", false));
  ck_assert_uint_eq(all.list.n, 0);
}
END_TEST

/* A text in YAML, and its words in brackets as a shell has them (dash -c 'printf "[%s]" TEXT', but for what it expands). */
static const struct words {
  const char *text, *words;
} words[] = {
  {"words: a", "[a]"},
  {"words: '  a   b '", "[a][b]"},
  {"words: ''", ""},
  {"words: |\n  a\tb\n  c\n", "[a][b][c]"},
  {"words: |\n  a \\\n   b\\\n  c\n", "[a][bc]"},
  {"words: |\n  'a b' 'c'd'' ''\n", "[a b][cd][]"},
  {"words: |\n  \"a  b\" \"\" x\"y'z\"\n", "[a  b][][xy'z]"},
  {"words: |\n  a\\ b \\\" \\' \\\\ \\c\n", "[a b][\"]['][\\][c]"},
  {"words: |\n  \"\\\" \\\\ \\$ \\` \\a\" '\\'\n", "[\" \\ $ ` \\a][\\]"},
  {"words: |\n  \"a\\\n  b\"\n", "[ab]"},
  {"words: |\n  $HOME ~ * $(x) `x` a|b ; > #c !d {e}\n",
    "[$HOME][~][*][$(x)][`x`][a|b][;][>][#c][!d][{e}]"}, /* nothing is expanded */
  {"words: [a b, '\"c', '']", "[a b][\"c][]"}, /* a list is taken as it is */
  {"words: [a b]", "[a b]"},
};

START_TEST(a_scalar_is_split_into_words)
{
  char said[256] = "";
  ck_assert(bind(words_options, words[_i].text, false));
  for (size_t i = 0; i < all.words.n; i++) {
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "[%s]", all.words.items[i]);
  }
  ck_assert_str_eq(said, words[_i].words);
}
END_TEST

START_TEST(words_without_an_end)
{
  static const struct words wrong_words[] = {
    {"words: 'a \"b'", "1:8: error: sink 'it': 'words' has a double quote that is not closed\n"},
    {"words: a 'b", "1:8: error: sink 'it': 'words' has a single quote that is not closed\n"},
    {"words: a\"b\\\"", "1:8: error: sink 'it': 'words' has a double quote that is not closed\n"},
    {"words: a\\", "1:8: error: sink 'it': 'words' ends with a backslash that quotes nothing\n"},
    {"words: {a: b}", "1:8: error: sink 'it': 'words' must be one value, or a list of them in [ ]\n"}};
  ck_assert(!bind(words_options, wrong_words[_i].text, false));
  ck_assert_msg(strstr(config_harness_said(&harness), wrong_words[_i].words), "%s", config_harness_said(&harness));
}
END_TEST

/* What each error says and where it points: "LINE:COLUMN text" of every one, in their order. */
struct wrong {
  const char *text, *said[4];
};

static const struct wrong wrongs[] = {
  {"truth: 1", {"1:8: error: sink 'it': 'truth' must be true or false\n"}},
  {"number: 1.0", {"1:9: error: sink 'it': 'number' must be a whole number\n"}},
  {"real: x", {"1:7: error: sink 'it': 'real' must be a number\n"}},
  {"size: 1s", {"1:7: error: sink 'it': 'size' must be a size: 65536, 64KiB, 2MiB, 1GiB\n"}},
  {"wait: 5", {"1:7: error: sink 'it': 'wait' must be a duration: 250ms, 30s, 2m, 1h, never\n"}},
  {"text: [x]", {"1:7: error: sink 'it': 'text' must be one value\n"}},
  {"text:", {"1:6: error: sink 'it': 'text' must be one value\n"}},
  {"text: {name}", {"1:7: error: sink 'it': 'text' must be one value; to YAML this is a map: put it in quotes\n"}},
  {"choice: thrid", {"1:9: error: sink 'it': 'choice' must be one of: first, second, third; did you mean 'third'?\n"}},
  {"choice: [first]", {"1:9: error: sink 'it': 'choice' must be one of: first, second, third\n"}},
  {"list: {a: b}", {"1:7: error: sink 'it': 'list' must be one value, or a list of them in [ ]\n"}},
  {"list: [a, [b], {c: d}]", {"1:11: error: sink 'it': an item of 'list' must be one value\n",
                               "1:16: error: sink 'it': an item of 'list' must be one value\n"}},
  {"map: x", {"1:6: error: sink 'it': 'map' must be a map, as in {key: value}\n"}},
  {"map: {a: [b], c: d}", {"1:10: error: sink 'it': 'a' in 'map' must be one value\n"}},
  {"group: 3", {"1:8: error: sink 'it': 'group' must be a map, as in {depth: ...}\n"}},
  {"group: {depht: 3}", {"1:8: error: sink 'it', 'group': 'must' is missing: What must be.\n",
                          "1:9: error: sink 'it', 'group': unknown option 'depht'; did you mean 'depth'?\n"}},
  {"secret: [x]", {"1:9: error: sink 'it': 'secret' must be a text or {file: PATH}\n"}},
  {"secret: {path: x}", {"1:9: error: sink 'it': 'secret' must be a text or {file: PATH}\n"}},
  {"secret: {file: /nonexistent}",
    {"1:16: error: sink 'it': the file of 'secret' can not be read: No such file or directory\n"}},
  {"secret: {file: /dev/zero}",
    {"1:16: error: sink 'it': the file of 'secret' can not be read: it is larger than 64 KiB\n"}},
  {"secret: {file: /tmp}", {"1:16: error: sink 'it': the file of 'secret' can not be read: Is a directory\n"}},
  {"txet: a\nnothing-like-this: 1\nnumber: x",
    {"1:1: error: sink 'it': unknown option 'txet'; did you mean 'text'?\n",
      "2:1: error: sink 'it': unknown option 'nothing-like-this'; there are ",
      "3:9: error: sink 'it': 'number' must be a whole number\n"}},
  {"[a]", {"1:1: error: sink 'it': here must stand keys and values\n"}},
};

START_TEST(errors)
{
  const struct wrong *wrong = &wrongs[_i];
  ck_assert(!bind(options, wrong->text, false));
  const char *said = config_harness_said(&harness);
  size_t n = 0;
  for (; n < 4 && wrong->said[n]; n++) {
    said = strstr(said, wrong->said[n]);
    ck_assert_msg(said, "%s: no '%s' in %s", wrong->text, wrong->said[n], config_harness_said(&harness));
  }
  ck_assert_msg(diagnostics_errors(harness.diagnostics) == n, "%s", config_harness_said(&harness));
}
END_TEST

START_TEST(what_is_required)
{
  ck_assert(!bind(required_options, "", false));
  ck_assert_str_eq(config_harness_said(&harness), "c.yaml: error: sink 'it': 'needed' is missing: What is needed.\n");
  tear_down();
  set_up();
  ck_assert(bind(required_options, "needed: x", false));
}
END_TEST

START_TEST(lenient_where_the_plugin_is_not_known)
{
  ck_assert(bind(required_options, "needed: x\nany: {thing: 1}", true));
  ck_assert(!bind(required_options, "other: x\nany: 1", true));
  ck_assert_uint_eq(diagnostics_errors(harness.diagnostics), 1);
}
END_TEST

START_TEST(a_secret_in_a_file)
{
  char path[] = "/tmp/evpipe-test-secret-XXXXXX", yaml[128];
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, "geheim\r\n", 8), 8);
  snprintf(yaml, sizeof yaml, "secret: {file: %s}", path);
  ck_assert(bind(options, yaml, false));
  ck_assert_str_eq(all.secret, "geheim");
  ck_assert_str_eq(config_harness_said(&harness), "");
  fchmod(fd, 0644);
  ck_assert(bind(options, yaml, false));
  ck_assert_ptr_nonnull(strstr(config_harness_said(&harness), "1:16: warning: sink 'it': everybody may read"));
  close(fd);
  unlink(path);
}
END_TEST

/* Whatever is wrong, and wherever: a secret is not shown. */
START_TEST(secrets_are_hidden)
{
  static const char *const texts[] = {"{secret: geheim, number: x}", "{secrit: geheim, number: x}",
    "{number: x, secret: \"a, geheim\"}", "number: x # password: none\nsecret: [geheim]",
    "{secret: {text: geheim}, number: x}", "{password: geheim, number: x}", "{my-api-token: geheim, number: x}",
    "x-common: {a: &a geheim}\nsecret: *a\nnumber: x\nx: {y: *a}", "{secret: \"geheim\n  mehr geheim\", number: x}",
    "secret:\n  geheim\nnumber: x\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    bind(options, texts[i], false);
    const char *said = config_harness_said(&harness);
    ck_assert_msg(strstr(said, "error"), "%s", texts[i]);
    ck_assert_msg(!strstr(said, "geheim"), "%s: %s", texts[i], said);
    tear_down();
    set_up();
  }
}
END_TEST

START_TEST(a_default_that_is_wrong)
{
  static const struct evp_option wrong[] = {EVP_INT(struct all, number, "many", "A number."), EVP_OPTIONS_END};
  const char *problem = NULL;
  ck_assert(!options_set_defaults(harness.memory, wrong, &all, &problem));
  ck_assert_str_eq(problem, "the default 'many' of its option 'number' is not a whole number");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("options");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, defaults);
  tcase_add_test(tests, values);
  tcase_add_test(tests, a_scalar_is_a_list_of_one);
  tcase_add_loop_test(tests, a_scalar_is_split_into_words, 0, sizeof words / sizeof *words);
  tcase_add_loop_test(tests, words_without_an_end, 0, 5);
  tcase_add_loop_test(tests, errors, 0, sizeof wrongs / sizeof *wrongs);
  tcase_add_test(tests, what_is_required);
  tcase_add_test(tests, lenient_where_the_plugin_is_not_known);
  tcase_add_test(tests, a_secret_in_a_file);
  tcase_add_test(tests, secrets_are_hidden);
  tcase_add_test(tests, a_default_that_is_wrong);
  return check_main("options", tests);
}
