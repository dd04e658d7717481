#include "ctl.h"
#include "engine/time.h"
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, REQUEST_ROOM = 1024, ANSWER_MAX = 1 << 24, PATIENCE_S = 10 };

struct ctl {
  const char *path, *source;
  bool json;
  char **words; /* the command and what it takes */
  int n_words;
};

static const char help[] =
  "usage: evpipe ctl -s PATH [option...] COMMAND\n"
  "\n"
  "  census                  ask the program for a heap census now\n"
  "  start-heap, stop-heap   begin, end heap profiling\n"
  "  start-profile, stop-profile\n"
  "                          begin, end profiling of costs (a program that was built for profiling)\n"
  "  send NAMESPACE ID       send a command of the program's own\n"
  "  stats                   what each node did so far, and what waits\n"
  "\n"
  "  -s, --socket PATH       the socket that the pipeline names: control: {unix: PATH}\n"
  "      --source NAME       only to this source (of stats: only this node); else to all with `controllable: true`\n"
  "      --format FORM       text or json: the answer as it is (default: text)\n"
  "      --help\n"
  "\n"
  "Commands have no reply: that one was queued is all that is known. Exit status: 0 done; 1 not done; 2 wrong usage.\n";

static int usage(const char *problem, const char *word)
{
  fprintf(stderr, "evpipe ctl: %s%s%s; see evpipe ctl --help\n", problem, word ? ": " : "", word ? word : "");
  return EXIT_USAGE;
}

static int failed(const char *path, const char *why)
{
  fprintf(stderr, "evpipe ctl: %s: %s\n", path, why);
  return EXIT_FAILED;
}

/* -------------------------------------------------------------------------------------------------------- what to ask */

static bool is_word(const char *text)
{
  if (!*text) return false;
  for (; *text; text++)
    if (isspace((unsigned char)*text) || iscntrl((unsigned char)*text)) return false;
  return true;
}

static bool is_node_name(const char *text)
{
  return islower((unsigned char)*text) && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")];
}

static bool is_id(const char *text)
{
  size_t size = strlen(text);
  return size && size <= 3 && strspn(text, "0123456789") == size && atoi(text) <= 255;
}

static int check_command(const struct ctl *ctl)
{
  static const char *const commands[] = {
    "census", "start-heap", "stop-heap", "start-profile", "stop-profile", "send", "stats", NULL};
  const char *command = ctl->n_words ? ctl->words[0] : NULL;
  if (!command) return usage("name a command", NULL);
  const char *near = nearest_word(command, commands);
  if (!near || strcmp(near, command)) {
    fprintf(stderr, "evpipe ctl: unknown command '%s'%s%s%s; see evpipe ctl --help\n", command,
      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_USAGE;
  }
  if (!strcmp(command, "send")) {
    if (ctl->n_words != 3) return usage("it is: send NAMESPACE ID", NULL);
    if (!is_word(ctl->words[1]) || strlen(ctl->words[1]) > 255)
      return usage("a name space has 1 to 255 bytes, and no blanks", ctl->words[1]);
    if (!is_id(ctl->words[2])) return usage("an ID is a number from 0 to 255, not", ctl->words[2]);
  } else if (ctl->n_words > 1) {
    return usage("not understood", ctl->words[1]);
  }
  return 0;
}

/* 0, or the exit status; -1: done, with status 0. */
static int take_option(struct ctl *ctl, int option)
{
  switch (option) {
  case 's':
    ctl->path = optarg;
    return 0;
  case 'n':
    ctl->source = optarg;
    return is_node_name(optarg) ? 0 : usage("no name of a node", optarg);
  case 'f':
    ctl->json = !strcmp(optarg, "json");
    return ctl->json || !strcmp(optarg, "text") ? 0 : usage("--format is text or json, not", optarg);
  case 'h':
    fputs(help, stdout);
    return -1;
  default:
    return usage("wrong option", NULL); /* getopt said which */
  }
}

static int parse(struct ctl *ctl, int argc, char **argv)
{
  static const struct option options[] = {{"socket", required_argument, NULL, 's'},
    {"source", required_argument, NULL, 'n'}, {"format", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  int option, status = 0;
  while (!status && (option = getopt_long(argc, argv, "s:h", options, NULL)) != -1) status = take_option(ctl, option);
  if (status) return status;
  ctl->words = argv + optind;
  ctl->n_words = argc - optind;
  status = check_command(ctl);
  if (!status && (!ctl->path || !*ctl->path)) status = usage("name the socket with -s PATH", NULL);
  return status;
}

/* -------------------------------------------------------------------------------------------------------- to ask it */

static const char *explain(int error)
{
  switch (error) {
  case ENOENT:
    return "there is no such socket: is evpipe running, with control: {unix: PATH} in its pipeline?";
  case ECONNREFUSED:
    return "nobody listens: evpipe has ended, or this is no socket";
  case EAGAIN:
    return "evpipe does not answer";
  case EACCES:
  case EPERM:
    return "permission denied: the socket is for the user that runs evpipe";
  default:
    return strerror(error);
  }
}

/* The socket; or -1, and *why. */
static int connect_to(const char *path, const char **why)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = strlen(path);
  *why = "is longer than the 107 bytes that a socket's path may have";
  if (size >= sizeof address.sun_path) return -1;
  memcpy(address.sun_path, path, size);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* many may wait in front of us */
  if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, length)) return fd;
  *why = explain(errno);
  if (fd >= 0) close(fd);
  return -1;
}

static bool ask(int fd, const struct ctl *ctl)
{
  char line[REQUEST_ROOM];
  size_t used = 0;
  for (int i = 0; i < ctl->n_words; i++)
    used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i ? " " : "", ctl->words[i]);
  if (ctl->source && used < sizeof line)
    used += (size_t)snprintf(line + used, sizeof line - used, " source=%s", ctl->source);
  if (used + 1 >= sizeof line) return errno = ENAMETOOLONG, false;
  line[used++] = '\n';
  return send(fd, line, used, MSG_NOSIGNAL) == (ssize_t)used;
}

/* The answer's line, NUL-terminated; or NULL, and *why. */
static char *receive(int fd, size_t *size, const char **why)
{
  uint64_t deadline = time_monotonic() + PATIENCE_S * NS_PER_S;
  struct pollfd polled = {.fd = fd, .events = POLLIN};
  char *text = NULL;
  for (size_t room = 1 << 16; room <= ANSWER_MAX; room *= 2) {
    char *larger = realloc(text, room + 1);
    *why = "no memory for the answer";
    if (!larger) break;
    text = larger;
    while (*size < room) {
      *why = "evpipe does not answer";
      if (poll(&polled, 1, time_poll_timeout(deadline)) <= 0) return free(text), NULL;
      ssize_t got = recv(fd, text + *size, room - *size, 0);
      *why = "evpipe has gone before it answered";
      if (got <= 0) return free(text), NULL;
      *size += (size_t)got;
      text[*size] = '\0';
      if (text[*size - 1] == '\n') return text;
    }
    *why = "the answer is too long";
  }
  free(text);
  return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- to tell it */

static const char *text_of(const struct config_node *answer, const char *key)
{
  const struct config_pair *pair = tree_find(answer, key);
  return pair && pair->value.kind == CONFIG_SCALAR ? pair->value.text : "";
}

static int tell(const struct ctl *ctl, const char *text, const struct config_node *answer)
{
  bool good = !strcmp(text_of(answer, "ok"), "true");
  if (!good && !ctl->json) return failed(ctl->path, text_of(answer, "error"));
  if (ctl->json)
    fputs(text, stdout);
  else if (!strcmp(ctl->words[0], "stats"))
    ctl_print_table(answer);
  else
    printf("queued for %s of %s open streams\n", text_of(answer, "queued"), text_of(answer, "streams"));
  if (fflush(stdout) || ferror(stdout)) return failed("standard output", strerror(errno));
  return good ? 0 : EXIT_FAILED;
}

/* JSON is YAML, and there is a reader for that. */
static int read_answer(const struct ctl *ctl, const char *text, size_t size)
{
  struct config_memory *memory = config_memory_new();
  struct diagnostics *found = diagnostics_new(ctl->path);
  const struct config_node *answer = found ? tree_parse(memory, text, size, found) : NULL;
  int status = answer && !diagnostics_errors(found)
                 ? tell(ctl, text, answer)
                 : failed(ctl->path, "the answer was not understood: is this evpipe's control socket?");
  diagnostics_free(found);
  config_memory_free(memory);
  return status;
}

int ctl_main(int argc, char **argv)
{
  struct ctl ctl = {0};
  char name[] = "evpipe ctl";
  argv[0] = name;
  int status = parse(&ctl, argc, argv);
  if (status) return status < 0 ? 0 : status;
  const char *why;
  size_t size = 0;
  int fd = connect_to(ctl.path, &why);
  if (fd < 0) return failed(ctl.path, why);
  char *text = ask(fd, &ctl) ? receive(fd, &size, &why) : (why = strerror(errno), NULL);
  close(fd);
  status = text ? read_answer(&ctl, text, size) : failed(ctl.path, why);
  free(text);
  return status;
}
