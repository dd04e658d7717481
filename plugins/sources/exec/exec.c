/* exec: starts a program with its eventlog in a FIFO and reads it there. */
#include "program.h"
#include <errno.h>
#include <evpipe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum stdin_choice { STDIN_EMPTY, STDIN_INHERIT };
static const char *const stdin_choices[] = {"empty", "inherit", NULL};

struct exec_source {
  struct evp_strings command;
  const char *directory;
  struct evp_map environment;
  int stdin; /* enum stdin_choice */
  struct evp_ctx *ctx;
  struct command made;
  struct fifo fifo;
  struct keeper keeper;
  struct program program;
  int epoll; /* of the FIFO, the program's end and the timer: the one fd that evpipe waits for */
  int timer; /* -1: it has gone off, or the eventlog came */
  bool taken_up; /* connect() was called: the pipeline runs */
  bool streamed; /* an eventlog came */
  bool over; /* the program has ended and what it left is read */
  bool interrupted;
};

static const char *name_of(const struct exec_source *source)
{
  return source->command.items[0];
}

/* ------------------------------------------------------------------------------------------------------------- options */

static bool check_environment(const struct exec_source *source)
{
  for (size_t i = 0; i < source->environment.n; i++) {
    const char *key = source->environment.items[i].key;
    if (*key && !strchr(key, '=')) continue;
    evp_option_error(source->ctx, "environment", "'%s' can not be the name of a variable", key);
    return false;
  }
  return true;
}

static enum evp_status exec_create(void *self, struct evp_ctx *ctx)
{
  struct exec_source *source = self;
  source->ctx = ctx;
  source->fifo.fd = source->keeper.control = source->program.pidfd = source->epoll = source->timer = -1;
  if (!source->command.n || !*source->command.items[0]) {
    evp_option_error(ctx, "command", "names no program");
    return EVP_ERROR;
  }
  if (source->directory && !*source->directory) source->directory = NULL; /* ${NAME:-} */
  return check_environment(source) ? EVP_OK : EVP_ERROR;
}

/* --------------------------------------------------------------------------------------------------------------- start */

static bool say_why_not_started(const struct exec_source *source, const struct program_failure *failure)
{
  const char *why = strerror(failure->error);
  switch (failure->step) {
  case PROGRAM_DIRECTORY:
    evp_error(source->ctx, "directory %s: %s", source->directory, why);
    return false;
  case PROGRAM_EXEC:
    evp_error(source->ctx, "%s can not be started: %s%s", name_of(source), why,
      failure->error == ENOENT    ? "; is it there, in PATH or by its path, and what its first line (#!) names?"
      : failure->error == ENOEXEC ? "; a script needs a first line such as #!/bin/sh"
                                  : "");
    return false;
  case PROGRAM_FORK:
  case PROGRAM_KEEPER:
  case PROGRAM_STDIN:
    break;
  }
  evp_error(source->ctx, "no process for %s: %s", name_of(source), why);
  return false;
}

static bool watch(const struct exec_source *source, int fd)
{
  struct epoll_event event = {.events = EPOLLIN};
  return !epoll_ctl(source->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* After `silence` without an eventlog it is said once what may be missing. */
static bool watch_all(struct exec_source *source)
{
  const uint64_t second = 1000000000, silence = evp_silence_after(source->ctx);
  struct itimerspec times = {.it_value = {0}}; /* never */
  if (silence != EVP_NEVER) times.it_value = (struct timespec){(time_t)(silence / second), (long)(silence % second)};
  source->epoll = epoll_create1(EPOLL_CLOEXEC);
  source->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  return source->epoll >= 0 && source->timer >= 0 && !timerfd_settime(source->timer, 0, &times, NULL) &&
         watch(source, source->timer) && watch(source, source->fifo.fd);
}

/* What must be there before the program is: the FIFO, and one who reads it whatever becomes of evpipe. */
static bool prepare(struct exec_source *source)
{
  if (!fifo_make(&source->fifo)) {
    evp_error(
      source->ctx, "no FIFO in %s: %s", *source->fifo.directory ? source->fifo.directory : "/tmp", strerror(errno));
    return false;
  }
  if (!command_make(&source->made, &source->command, &source->environment, source->fifo.path)) {
    evp_error(source->ctx, "no memory for the command");
    return false;
  }
  if (watch_all(source) && keeper_start(&source->keeper, &source->fifo)) return true;
  evp_error(source->ctx, "no descriptors or no process to read the eventlog with: %s", strerror(errno));
  return false;
}

static void exec_stop(void *self);

static enum evp_status exec_start(void *self)
{
  struct exec_source *source = self;
  struct program_place place = {source->directory, source->stdin == STDIN_INHERIT, evp_file_limit(source->ctx)};
  struct program_failure failure;
  bool started = prepare(source);
  if (started && !program_start(&source->program, &source->made, &place, &source->keeper, &failure))
    started = say_why_not_started(source, &failure);
  if (started && !watch(source, source->program.pidfd)) {
    evp_error(source->ctx, "the end of %s can not be waited for: %s", name_of(source), strerror(errno));
    started = false;
  }
  if (!started) {
    exec_stop(source);
    return EVP_ERROR;
  }
  const char *stray = command_operator(&source->command);
  if (stray) evp_warn(source->ctx, "no shell is started: '%s' is an argument to %s", stray, name_of(source));
  evp_info(source->ctx, "%s runs as process %d", name_of(source), (int)source->program.pid);
  return EVP_OK;
}

/* ----------------------------------------------------------------------------------------------------------------- end */

/* evpipe reads no more. The keeper does, if there is anybody to write. */
static void let_go(struct exec_source *source)
{
  if (program_has_ended(&source->program)) fifo_remove(&source->fifo);
  fifo_close(&source->fifo);
  keeper_let_go(&source->keeper);
  program_close(&source->program);
  if (source->timer >= 0) close(source->timer);
  if (source->epoll >= 0) close(source->epoll);
  source->epoll = source->timer = -1;
}

/* A program is never killed because evpipe ends; but one that was started for a pipeline that never ran is asked to go. */
static void exec_stop(void *self)
{
  struct exec_source *source = self;
  if (!program_has_ended(&source->program)) {
    int pid = (int)source->program.pid;
    if (!source->taken_up)
      program_signal(&source->program, SIGTERM);
    else
      evp_warn(source->ctx, "%s (process %d) still runs; what it writes to its eventlog is lost from here on",
        name_of(source), pid);
  }
  let_go(source);
  keeper_forget(&source->keeper, program_has_ended(&source->program));
}

static void exec_destroy(void *self)
{
  struct exec_source *source = self;
  command_free(&source->made);
}

static void describe_end(const struct exec_source *source, char *text, size_t size)
{
  int status = program_exit_status(&source->program);
  const char *signal = status > 128 ? sigabbrev_np(status - 128) : NULL;
  if (WIFSIGNALED(source->program.status))
    snprintf(text, size, "was ended by signal %d (SIG%s)", status - 128, signal ? signal : "?");
  else
    snprintf(text, size, "ended with status %d", status);
}

/* What the run-time system said itself stands above, on standard error. */
static void explain_no_eventlog(const struct exec_source *source, const char *end)
{
  if (program_exit_status(&source->program))
    evp_warn(source->ctx,
      "%s %s before it wrote an eventlog. If its run-time system refused an option: -l needs a program that is linked "
      "with -eventlog before GHC 9.4, and \"Most RTS options are disabled\" means that what is not -l, such as a heap "
      "profile (-hT), needs one linked with -rtsopts or -with-rtsopts",
      name_of(source), end);
  else
    evp_warn(source->ctx,
      "%s %s and wrote no eventlog. Is it a Haskell program, and do the options reach its run-time system? Behind a "
      "--, "
      "or in a script, they do not: place them yourself, +RTS -l -ol{eventlog} -RTS",
      name_of(source), end);
}

static enum evp_status end_of_program(struct exec_source *source)
{
  char end[64];
  describe_end(source, end, sizeof end);
  if (source->streamed || source->interrupted)
    evp_info(source->ctx, "%s %s", name_of(source), end);
  else
    explain_no_eventlog(source, end);
  evp_exit_status(source->ctx, program_exit_status(&source->program));
  let_go(source);
  return EVP_END;
}

/* -------------------------------------------------------------------------------------------------------------- stream */

/* Silence is explained once, then not watched for any more. */
static void look_at_timer(struct exec_source *source)
{
  uint64_t times;
  if (source->timer < 0 || (!source->streamed && read(source->timer, &times, sizeof times) < 0)) return;
  if (!source->streamed)
    evp_warn(source->ctx,
      "%s runs, but has written no eventlog yet: is it a Haskell program, and do +RTS -l and -ol%s reach its run-time "
      "system?",
      name_of(source), source->fifo.path);
  close(source->timer);
  source->timer = -1;
}

/* The next writer is waited for at a new read end. */
static enum evp_status await_writer(struct exec_source *source)
{
  if (fifo_reopen(&source->fifo) && watch(source, source->fifo.fd)) return EVP_OK;
  evp_error(source->ctx, "the FIFO %s is lost: %s", source->fifo.path, strerror(errno));
  fifo_close(&source->fifo); /* its hang-up would be reported for ever; the program's end is still waited for */
  return EVP_ERROR;
}

/* A stream begins with the first byte. The program is asked first: what it wrote before its end is then in the FIFO. */
static enum evp_status exec_connect(void *self, int *fd)
{
  struct exec_source *source = self;
  bool ended = program_has_ended(&source->program);
  struct pollfd polled = {.fd = source->fifo.fd, .events = POLLIN};
  poll(&polled, 1, 0);
  source->taken_up = true;
  *fd = source->epoll;
  if (polled.revents & POLLIN && !source->over) {
    source->streamed = true;
    look_at_timer(source);
    return EVP_OK;
  }
  if (ended) return end_of_program(source);
  look_at_timer(source);
  if (polled.revents) await_writer(source); /* who came and went without a word */
  return EVP_AGAIN;
}

static enum evp_status exec_read(void *self, uint8_t *buffer, size_t *size)
{
  struct exec_source *source = self;
  bool ended = program_has_ended(&source->program);
  ssize_t got;
  do got = read(source->fifo.fd, buffer, *size);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    *size = (size_t)got;
    return EVP_OK;
  }
  source->over = ended;
  if (ended) return EVP_END; /* a child that has the FIFO still, and may write, has no part in the program's eventlog */
  if (got < 0 && errno == EAGAIN) return EVP_AGAIN;
  if (got == 0) return await_writer(source) == EVP_OK ? EVP_END : EVP_ERROR;
  evp_error(source->ctx, "the FIFO can not be read: %s", strerror(errno));
  return await_writer(source) == EVP_OK ? EVP_END : EVP_ERROR;
}

/* All is kept: the next stream comes through the same FIFO. */
static void exec_disconnect(void *self)
{
  (void)self;
}

static enum evp_status exec_interrupt(void *self, int signal)
{
  struct exec_source *source = self;
  if (program_has_ended(&source->program)) return EVP_OK;
  source->interrupted = true;
  if (signal && !program_signal(&source->program, signal)) {
    evp_warn(source->ctx, "%s (process %d) can not be sent a signal: %s", name_of(source), (int)source->program.pid,
      strerror(errno));
    return EVP_OK;
  }
  evp_info(source->ctx, "%s has got SIG%s; its end is waited for (process %d)", name_of(source),
    signal ? sigabbrev_np(signal) : "INT from the terminal", (int)source->program.pid);
  return EVP_OK;
}

static const char command_help[] = "The program and its arguments: a line, split as a shell would, or a list. "
                                   "{eventlog} is the path of the FIFO; without it +RTS -l -olFIFO -RTS is appended.";

static const struct evp_option options[] = {EVP_WORDS_REQUIRED(struct exec_source, command, command_help),
  EVP_STRING(struct exec_source, directory, NULL, "Where the program runs, if not where evpipe does."),
  EVP_MAP(struct exec_source, environment, "Variables for the program, added to evpipe's own; {eventlog} as above."),
  EVP_CHOICE(
    struct exec_source, stdin, "empty", "The program's standard input: nothing, or evpipe's own.", stdin_choices),
  EVP_OPTIONS_END};

/* `reconnect`: each eventlog of the program follows the last one at once. */
EVP_PLUGIN(.kind = EVP_SOURCE, .name = "exec", .summary = "Starts a program and reads its eventlog from a FIFO.",
  .emits = EVP_BYTES | EVP_EVENTS, .options = options, .instance_size = sizeof(struct exec_source),
  .defaults = "{reconnect: {initial: 1ms, max: 1ms}}", .create = exec_create, .start = exec_start, .stop = exec_stop,
  .destroy = exec_destroy, .connect = exec_connect, .read = exec_read, .disconnect = exec_disconnect,
  .interrupt = exec_interrupt);
