/* command_sender.h: hands the commands that wait for a stream's program to its source's plugin, one at a time.
 *
 * Owner    the source; lane thread only.
 */
#ifndef EVPIPE_COMMAND_SENDER_H
#define EVPIPE_COMMAND_SENDER_H

#include "engine/command.h"

struct command_sender {
  bool waits; /* until the source's fd is writable */
  uint64_t at, pause; /* monotonic: nothing is sent before; how long that was from the last look on */
};

/* Sends a command if one waits and may be sent now: a while after the last one, and when the program has read that.
   `queue`: NULL, there is no stream to send to. `fd`: the source's, -1 without. False: the stream is over. */
bool command_send(struct command_sender *, struct command_queue *queue, int fd, struct evp_ctx *);
uint64_t command_deadline(const struct command_sender *, const struct command_queue *); /* monotonic */

#endif
