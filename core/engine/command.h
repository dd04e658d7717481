/* command.h: commands of eventlog-socket's control protocol: how one is written, and what waits to be sent to the program
 * of one stream.
 *
 *   F0 9E 97 8C   00        0F               "eventlog-socket"   05
 *   magic         version   bytes of name    name space          command
 *
 * Owner    the queue belongs to its stream, and is found through its node (commands_push_all) while it is open.
 * Threads  any may push; the lane takes and closes. Nothing of the engine is touched once it is closed.
 * Bounds   COMMANDS_MAX wait; what comes then is refused.
 */
#ifndef EVPIPE_COMMAND_H
#define EVPIPE_COMMAND_H

#include <evpipe.h>

struct node;
struct source;
struct command_queue;

enum { COMMAND_NAME_MAX = 255, COMMAND_SIZE_MAX = 4 + 1 + 1 + COMMAND_NAME_MAX + 1, COMMANDS_MAX = 64 };

struct command {
  size_t size;
  uint8_t bytes[COMMAND_SIZE_MAX];
};

/* The name space of the commands that every program with eventlog-socket's control server knows. */
#define COMMAND_BUILT_IN "eventlog-socket"
uint8_t command_built_in(const char *word); /* "census", "start-heap", ...; 0: there is none */

bool command_write(struct command *, const char *name_space, uint8_t id); /* false: the name has not 1 to 255 bytes */
const char *command_name_space(const struct command *, size_t *size); /* not NUL-terminated */
uint8_t command_id(const struct command *);

/* Open, of the stream that this source, with this instance, reads. NULL: no memory. */
struct command_queue *command_queue_new(const struct evp_ctx *, struct source *);
void command_queue_close(struct command_queue *); /* NULL: nothing. What waits is left out, which is logged */
void command_queue_free(struct command_queue *); /* closes it */
/* OK: the source is asked for. REJECT: full, which is logged. END: closed. */
enum evp_status command_queue_push(struct command_queue *, const struct command *);
bool command_queue_is_empty(const struct command_queue *); /* true for NULL */
bool command_queue_first(struct command_queue *, struct command *); /* a copy, it stays; false: there is none */
void command_queue_take(struct command_queue *); /* the first has been dealt with */

/* To every open stream of a node: how many took it, and how many there are. */
struct commands_pushed {
  unsigned streams, queued;
};
struct commands_pushed commands_push_all(struct node *, const struct command *);

#endif
