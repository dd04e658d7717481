/* docs/configuration.md has the core's keys as the tables have them. With --print: the tables, for the page. */
#include "check_main.h"
#include "config/core_options.h"
#include "config/describe.h"
#include <stdlib.h>
#include <string.h>

struct table {
  const char *name;
  const struct evp_option *options;
};

static const struct table tables[] = {{"top", top_options}, {"node", consumer_node_options}, {"source", source_options},
  {"reading", reading_options}, {"sink", sink_options}, {"delivering", delivering_options}};

static char *page_text(void)
{
  const char *source = getenv("EVPIPE_SOURCE");
  char path[4096], *text = calloc(1, 1 << 20);
  snprintf(path, sizeof path, "%s/docs/configuration.md", source ? source : ".");
  FILE *file = fopen(path, "r");
  ck_assert_msg(file && text, "%s can not be read", path);
  ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 1000);
  fclose(file);
  return text;
}

START_TEST(the_page_has_the_table)
{
  char *table = NULL, *page = page_text();
  size_t size;
  FILE *file = open_memstream(&table, &size);
  ck_assert_ptr_nonnull(file);
  describe_markdown(tables[_i].options, NULL, file);
  fclose(file);
  ck_assert_msg(strstr(page, table), "%s is not in the page:\n%s", tables[_i].name, table);
  free(table);
  free(page);
}
END_TEST

int main(int argc, char **argv)
{
  for (size_t i = 0; argc > 1 && !strcmp(argv[1], "--print") && i < sizeof tables / sizeof *tables; i++) {
    printf("\n%s\n", tables[i].name);
    describe_markdown(tables[i].options, NULL, stdout);
  }
  TCase *tests = tcase_create("pages");
  tcase_add_loop_test(tests, the_page_has_the_table, 0, sizeof tables / sizeof *tables);
  return check_main("pages", tests);
}
