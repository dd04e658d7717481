/* main.c: the command line. */
#include "config/describe.h"
#include "config/diagnostics.h"
#include "config/pipeline.h"
#include "config/schema.h"
#include "ctl.h"
#include "engine/engine.h"
#include "log.h"
#include "plugin/build_paths.h"
#include "plugin/loader.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, EXIT_USAGE = 2 };

enum action { ACTION_RUN, ACTION_CHECK, ACTION_GRAPH, ACTION_PLUGINS, ACTION_PLUGIN, ACTION_SCHEMA };

struct arguments {
  enum action action;
  const char *config, *plugin;
  enum describe_format plugin_format;
  struct plugin_finder *finder;
  enum log_level level;
  enum log_format format;
};

static const char help[] =
  "usage: evpipe -c FILE [--check | --graph] [option...]\n"
  "       evpipe --plugins | --plugin NAME | --schema [option...]\n"
  "       evpipe ctl -s PATH COMMAND    talk to a running evpipe; see evpipe ctl --help\n"
  "\n"
  "  -c, --config FILE      run this pipeline; a bare name such as \"show\" is an installed recipe\n"
  "      --check            only check it: all errors, exit status 2 if there are any; touches nothing\n"
  "      --graph            print it as a picture (Graphviz DOT)\n"
  "      --plugins          list every plugin that is found: kind, name, signals; what did not load, and why\n"
  "      --plugin NAME      its options, defaults and help; NAME may be sink/NAME or a path, ./x.so\n"
  "      --format FORM      of --plugin: text, json, or markdown (default: text)\n"
  "      --schema           a JSON Schema of the configuration, for editors\n"
  "      --plugin-dir DIR   look for plugins here first (repeatable; then EVPIPE_PLUGIN_PATH, then the install)\n"
  "      --log-level LEVEL  error, warning, info or debug (default: info)\n"
  "      --log-format FORM  text or json (default: text)\n"
  "      --version, --help\n"
  "\n"
  "exit status: 0 done; 1 a node failed, or data could not be delivered; 2 wrong usage or configuration;\n"
  "3 an input that ends by itself was damaged. Instead of 0 that of a program which evpipe started.\n";

static int usage(const char *problem, const char *word)
{
  fprintf(stderr, "evpipe: %s%s%s; see evpipe --help\n", problem, word ? ": " : "", word ? word : "");
  return EXIT_USAGE;
}

/* A folder that happens to be called like a recipe is not meant. */
static bool is_file(const char *path)
{
  struct stat status;
  return !stat(path, &status) && !S_ISDIR(status.st_mode);
}

static bool is_bare(const char *name)
{
  return !strchr(name, '/') && !strchr(name, '.');
}

/* A bare name is a recipe: beside the program (a moved prefix, or a build that was not installed), or installed. */
static const char *find_config(const char *name, char path[PATH_MAX])
{
  char program[PATH_ROOM], candidate[2 * PATH_ROOM];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  program[n > 0 ? n : 0] = '\0';
  if (!is_bare(name) || is_file(name)) return name;
  const char *bin = dirname(program);
  const char *const folders[] = {RECIPE_DIR_FROM_BIN, "../../config", "../config"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(candidate, sizeof candidate, "%s/%s/%s.yaml", bin, folders[i], name);
    if (realpath(candidate, path)) return path; /* without the dots: it stands in every line of the log */
  }
  snprintf(candidate, sizeof candidate, "%s/%s.yaml", RECIPE_DIR, name);
  return realpath(candidate, path) ? path : name;
}

/* Nothing was printed by halves: a full disk is a failure. */
static int printed(void)
{
  if (!fflush(stdout) && !ferror(stdout)) return 0;
  fprintf(stderr, "evpipe: can not write to standard output: %s\n", strerror(errno));
  return 1;
}

static int print_plugin(const struct arguments *arguments)
{
  const char *error;
  const struct evp_plugin *plugin = plugin_find_any(arguments->finder, arguments->plugin, &error);
  if (!plugin) return usage(error, NULL);
  describe_plugin(plugin, plugin_path(arguments->finder, plugin), arguments->plugin_format, stdout);
  return printed();
}

static int run_pipeline(const struct arguments *arguments, const struct pipeline *pipeline, struct diagnostics *found)
{
  switch (arguments->action) {
  case ACTION_CHECK:
    return engine_check(pipeline, found) ? 0 : EXIT_USAGE;
  case ACTION_GRAPH:
    pipeline_print_graph(pipeline, stdout);
    return printed();
  default:
    break;
  }
  diagnostics_print(found, stderr); /* warnings, before it runs */
  return engine_run(pipeline, found);
}

static int no_recipe(const char *name)
{
  fprintf(stderr, "%s: error: No such file here, and no recipe of that name in %s\n", name, RECIPE_DIR);
  return EXIT_USAGE;
}

static int with_config(const struct arguments *arguments)
{
  char path[PATH_MAX];
  if (!arguments->config) return usage("name a pipeline with -c FILE", NULL);
  const char *config = find_config(arguments->config, path);
  if (is_bare(config) && access(config, F_OK)) return no_recipe(config);
  struct diagnostics *found = diagnostics_new(config);
  if (!found) return usage("no memory", NULL);
  struct pipeline *pipeline = pipeline_load(config, arguments->finder, found);
  int status = EXIT_USAGE;
  if (pipeline->broken)
    engine_check(pipeline, found); /* what else is wrong */
  else
    status = run_pipeline(arguments, pipeline, found);
  if (status == EXIT_USAGE || arguments->action != ACTION_RUN) diagnostics_print(found, stderr);
  diagnostics_free(found);
  pipeline_free(pipeline);
  return status;
}

static int act(const struct arguments *arguments)
{
  switch (arguments->action) {
  case ACTION_PLUGINS:
    describe_all(arguments->finder, stdout);
    return printed();
  case ACTION_PLUGIN:
    return print_plugin(arguments);
  case ACTION_SCHEMA:
    schema_print(arguments->finder, stdout, stderr);
    return printed();
  default:
    return with_config(arguments);
  }
}

enum long_option {
  OPT_CHECK = 256,
  OPT_GRAPH,
  OPT_PLUGINS,
  OPT_PLUGIN,
  OPT_FORMAT,
  OPT_SCHEMA,
  OPT_PLUGIN_DIR,
  OPT_LOG_LEVEL,
  OPT_LOG_FORMAT,
  OPT_VERSION
};

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
  {"check", no_argument, NULL, OPT_CHECK}, {"graph", no_argument, NULL, OPT_GRAPH},
  {"plugins", no_argument, NULL, OPT_PLUGINS}, {"plugin", required_argument, NULL, OPT_PLUGIN},
  {"format", required_argument, NULL, OPT_FORMAT}, {"schema", no_argument, NULL, OPT_SCHEMA},
  {"plugin-dir", required_argument, NULL, OPT_PLUGIN_DIR}, {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
  {"log-format", required_argument, NULL, OPT_LOG_FORMAT}, {"version", no_argument, NULL, OPT_VERSION},
  {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static bool parse_format(const char *word, enum log_format *format)
{
  if (!strcmp(word, "text")) return *format = LOG_FORMAT_TEXT, true;
  if (!strcmp(word, "json")) return *format = LOG_FORMAT_JSON, true;
  return false;
}

static bool parse_plugin_format(const char *word, enum describe_format *format)
{
  if (!strcmp(word, "text")) return *format = DESCRIBE_TEXT, true;
  if (!strcmp(word, "json")) return *format = DESCRIBE_JSON, true;
  if (!strcmp(word, "markdown")) return *format = DESCRIBE_MARKDOWN, true;
  return false;
}

/* One thing at a time: --check and --schema together make no sense. */
static int take_action(struct arguments *arguments, enum action action)
{
  if (arguments->action != ACTION_RUN && arguments->action != action)
    return usage("one of --check, --graph, --plugins, --plugin and --schema at a time", NULL);
  arguments->action = action;
  return -1;
}

/* The exit status, or -1 to go on. */
static int take_option(struct arguments *arguments, int option)
{
  switch (option) {
  case 'c':
    arguments->config = optarg;
    return -1;
  case OPT_CHECK:
    return take_action(arguments, ACTION_CHECK);
  case OPT_GRAPH:
    return take_action(arguments, ACTION_GRAPH);
  case OPT_PLUGINS:
    return take_action(arguments, ACTION_PLUGINS);
  case OPT_PLUGIN:
    arguments->plugin = optarg;
    return take_action(arguments, ACTION_PLUGIN);
  case OPT_FORMAT:
    if (parse_plugin_format(optarg, &arguments->plugin_format)) return -1;
    return usage("--format is text, json or markdown, not", optarg);
  case OPT_SCHEMA:
    return take_action(arguments, ACTION_SCHEMA);
  case OPT_PLUGIN_DIR:
    plugin_finder_add_dir(arguments->finder, optarg);
    return -1;
  case OPT_LOG_LEVEL:
    if (log_level_parse(optarg, &arguments->level)) return -1;
    return usage("--log-level is error, warning, info or debug, not", optarg);
  case OPT_LOG_FORMAT:
    if (parse_format(optarg, &arguments->format)) return -1;
    return usage("--log-format is text or json, not", optarg);
  case OPT_VERSION:
    printf("evpipe %s (plugin ABI %u)\n", VERSION, EVP_ABI);
    return 0;
  case 'h':
    fputs(help, stdout);
    return 0;
  default:
    return usage("wrong option", NULL); /* getopt said which */
  }
}

/* A descriptor that our caller closed would be given to the next file that is opened, and what is meant for the log or
   for standard output would go there. */
static void fill_standard_descriptors(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

int main(int argc, char **argv)
{
  fill_standard_descriptors();
  if (argc > 1 && !strcmp(argv[1], "ctl")) return ctl_main(argc - 1, argv + 1);
  struct arguments arguments = {.finder = plugin_finder_new(), .level = LOG_LEVEL_INFO};
  int option, status = -1;
  while (status < 0 && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1)
    status = take_option(&arguments, option);
  if (status < 0 && optind < argc) status = usage("not understood", argv[optind]);
  log_configure(arguments.level, arguments.format);
  if (status < 0) status = act(&arguments);
  plugin_finder_free(arguments.finder);
  return status;
}
