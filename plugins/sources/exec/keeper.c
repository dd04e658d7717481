#include "keeper.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* It ends within a millisecond, unless a child of the program holds the FIFO. */
enum { END_MS = 200 };

/* A message of one byte with a descriptor beside it. */
union control_room {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr control_message(struct iovec *data, union control_room *room)
{
  return (struct msghdr){
    .msg_iov = data, .msg_iovlen = 1, .msg_control = room->bytes, .msg_controllen = sizeof room->bytes};
}

bool keeper_tell(const struct keeper *keeper)
{
  int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0) return false;
  char byte = 0;
  union control_room room = {.bytes = {0}};
  struct iovec data = {&byte, 1};
  struct msghdr message = control_message(&data, &room);
  room.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof self)};
  memcpy(CMSG_DATA(&room.header), &self, sizeof self);
  bool told = sendmsg(keeper->control, &message, MSG_NOSIGNAL) == 1;
  close(self);
  return told;
}

/* --------------------------------------------------------------------------------------------- in the forked process */

/* Waits until evpipe is gone or lets go. The program's pidfd; -1 if none was ever started. */
static int await_turn(int control)
{
  int program = -1;
  for (;;) {
    char byte;
    union control_room room = {.bytes = {0}};
    struct iovec data = {&byte, 1};
    struct msghdr message = control_message(&data, &room);
    ssize_t got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return program;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&program, CMSG_DATA(header), sizeof program);
  }
}

static bool has_ended(int program)
{
  struct pollfd polled = {.fd = program, .events = POLLIN};
  return program < 0 || poll(&polled, 1, 0) > 0;
}

/* Until the program has ended, and those who have the FIFO from it, too. Who is stopped or slow is waited for. */
static void read_to_nowhere(struct fifo *fifo, int program)
{
  char nowhere[16384];
  for (;;) {
    bool ended = has_ended(program);
    if (ended) fifo_remove(fifo); /* nobody opens it any more */
    ssize_t got = read(fifo->fd, nowhere, sizeof nowhere);
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (ended && got == 0) return;
    bool open = got < 0 || fifo_reopen(fifo);
    struct pollfd polled[] = {
      {.fd = open ? fifo->fd : -1, .events = POLLIN}, {.fd = ended ? -1 : program, .events = POLLIN}};
    poll(polled, 2, -1);
  }
}

/* All but the two are somebody else's: a terminal, a pipe whose reader waits for its end, the other end of the socket. */
static void close_others(int one, int other)
{
  unsigned low = (unsigned)(one < other ? one : other), high = (unsigned)(one < other ? other : one);
  if (low > 0) close_range(0, low - 1, 0);
  if (low + 1 < high) close_range(low + 1, high - 1, 0);
  close_range(high + 1, ~0u, 0);
}

/* In a session of its own, and deaf to all signals but SIGKILL: what ends evpipe's group or terminal does not end it. */
static _Noreturn void keep(struct fifo *fifo, int control)
{
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  prctl(PR_SET_NAME, "evpipe-keeper");
  close_others(fifo->fd, control);
  if (chdir("/")) {} /* holds no file system; where it stays does not matter otherwise */
  int program = await_turn(control);
  read_to_nowhere(fifo, program);
  fifo_remove(fifo);
  _exit(0);
}

/* ---------------------------------------------------------------------------------------------------------- in evpipe */

/* A child of a child that is over at once: init takes its end note, whenever that is. As a child of evpipe it would be a
   zombie from the end of the program to that of the pipeline. */
static bool fork_keeper(struct fifo *fifo, int control)
{
  int status;
  pid_t between = fork();
  if (!between) {
    pid_t pid = _Fork();
    if (!pid) keep(fifo, control);
    _exit(pid < 0 ? errno : 0);
  }
  if (between < 0) return false;
  while (waitpid(between, &status, 0) < 0 && errno == EINTR) {}
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
  return !errno;
}

bool keeper_start(struct keeper *keeper, const struct fifo *fifo)
{
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return false;
  struct fifo its_own = *fifo;
  bool started = fork_keeper(&its_own, ends[1]);
  int error = errno;
  close(ends[1]);
  keeper->control = ends[0];
  if (!started) keeper_forget(keeper, false);
  errno = error;
  return started;
}

void keeper_let_go(struct keeper *keeper)
{
  if (keeper->control >= 0) shutdown(keeper->control, SHUT_WR);
}

void keeper_forget(struct keeper *keeper, bool wait)
{
  struct pollfd polled = {.fd = keeper->control, .events = POLLIN}; /* of its end of the socket; it never says a word */
  if (keeper->control < 0) return;
  if (wait) poll(&polled, 1, END_MS);
  close(keeper->control);
  keeper->control = -1;
}
