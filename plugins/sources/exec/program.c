#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ in the forked process
   It comes from a process with threads: nothing but system calls. */

static bool take_stdin(const struct program_place *place)
{
  if (place->stdin_inherited) return true;
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return nothing >= 0 && dup2(nothing, STDIN_FILENO) == STDIN_FILENO;
}

/* evpipe blocks the signals that end it, and ignores SIGPIPE and SIGXFSZ. */
static void restore_signals(void)
{
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A program that closes or polls all that it might have open, or selects, is not to see a limit that was raised for evpipe's
   connections. Last, as all of these are still open here. */
static void restore_file_limit(uint64_t soft)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == soft) return;
  limit.rlim_cur = soft;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* As execvp(3): the first candidate that is there; one that may not be run is told of if there is no other. */
static int execute(const struct command *command)
{
  int error = ENOENT;
  for (char **candidate = command->candidates; *candidate; candidate++) {
    execve(*candidate, command->words, command->environment);
    if (errno == EACCES)
      error = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR)
      return errno;
  }
  return error;
}

static struct program_failure failed(enum program_step step)
{
  return (struct program_failure){step, errno};
}

static struct program_failure become(
  const struct command *command, const struct program_place *place, const struct keeper *keeper)
{
  if (!keeper_tell(keeper)) return failed(PROGRAM_KEEPER);
  if (place->directory && chdir(place->directory)) return failed(PROGRAM_DIRECTORY);
  if (!take_stdin(place)) return failed(PROGRAM_STDIN);
  if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC)) return failed(PROGRAM_EXEC);
  restore_signals();
  restore_file_limit(place->file_limit);
  return (struct program_failure){PROGRAM_EXEC, execute(command)};
}

/* ---------------------------------------------------------------------------------------------------------- in evpipe */

/* The report's pipe is closed by exec: nothing in it means that the program runs. */
static bool runs(int report, struct program_failure *failure)
{
  ssize_t got;
  do got = read(report, failure, sizeof *failure);
  while (got < 0 && errno == EINTR);
  return got != (ssize_t)sizeof *failure;
}

static bool watch(struct program *program)
{
  program->pidfd = (int)syscall(SYS_pidfd_open, program->pid, 0); /* close-on-exec, as all pidfds */
  return program->pidfd >= 0;
}

bool program_start(struct program *program, const struct command *command, const struct program_place *place,
  const struct keeper *keeper, struct program_failure *failure)
{
  int report[2];
  *failure = (struct program_failure){PROGRAM_FORK, 0};
  if (pipe2(report, O_CLOEXEC)) {
    failure->error = errno;
    return false;
  }
  program->pid = fork();
  if (!program->pid) {
    struct program_failure why = become(command, place, keeper);
    _exit(write(report[1], &why, sizeof why) == (ssize_t)sizeof why ? 127 : 126);
  }
  if (program->pid < 0) failure->error = errno;
  close(report[1]);
  bool running = program->pid > 0 && runs(report[0], failure);
  close(report[0]);
  if (running && watch(program)) return true;
  if (running) {
    failure->error = errno;
    kill(program->pid, SIGKILL);
  }
  if (program->pid > 0) waitpid(program->pid, NULL, 0);
  program->pid = 0;
  return false;
}

bool program_has_ended(struct program *program)
{
  if (!program->ended && program->pid > 0)
    program->ended = waitpid(program->pid, &program->status, WNOHANG) == program->pid;
  return program->ended || program->pid <= 0;
}

bool program_signal(const struct program *program, int signal)
{
  return !kill(program->pid, signal); /* it is not waited for yet, so the number is its own */
}

int program_exit_status(const struct program *program)
{
  return WIFSIGNALED(program->status) ? 128 + WTERMSIG(program->status) : WEXITSTATUS(program->status);
}

void program_close(struct program *program)
{
  if (program->pidfd >= 0) close(program->pidfd);
  program->pidfd = -1;
}
