/* program.h: the program as a process: started without a shell, looked at without waiting.
 *
 * Owner    the instance. Threads  program_start() on the main thread, the rest on whichever has the instance.
 */
#ifndef EVPIPE_EXEC_PROGRAM_H
#define EVPIPE_EXEC_PROGRAM_H

#include "command.h"
#include "keeper.h"

struct program {
  pid_t pid; /* 0: none */
  int pidfd; /* readable once it has ended; -1: none */
  bool ended;
  int status; /* once it has ended: as of waitpid(2) */
};

enum program_step { PROGRAM_FORK, PROGRAM_DIRECTORY, PROGRAM_KEEPER, PROGRAM_STDIN, PROGRAM_EXEC };
struct program_failure {
  enum program_step step;
  int error; /* errno */
};

struct program_place {
  const char *directory; /* NULL: evpipe's own */
  bool stdin_inherited;
  uint64_t file_limit; /* its soft limit of open files; evpipe's may be higher */
};

/* Returns when it runs, or can not. It has evpipe's standard output and error and no other descriptor of it, and is in
   evpipe's process group. */
bool program_start(struct program *, const struct command *, const struct program_place *, const struct keeper *,
  struct program_failure *);
bool program_has_ended(struct program *);
bool program_signal(const struct program *, int signal); /* one that has not ended; false, with errno */
int program_exit_status(const struct program *); /* once it has ended: as a shell has it, 128+N for signal N */
void program_close(struct program *);

#endif
