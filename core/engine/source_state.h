/* source_state.h: what the files of a source share: source.c gives it its turns and reads, source_connection.c connects it
 * and begins its streams, source_items.c is the source that emits by itself.
 *
 * Owner, threads  as in source.h. Only these files know what is in here.
 */
#ifndef EVPIPE_SOURCE_STATE_H
#define EVPIPE_SOURCE_STATE_H

#include "engine/command_sender.h"
#include "engine/intake.h"
#include "engine/lane.h"
#include "engine/silence.h"
#include "engine/source.h"

enum source_state {
  SOURCE_WAITING, /* until retry_at, then connects */
  SOURCE_CONNECTING, /* its fd will become readable or writable */
  SOURCE_OPEN,
  SOURCE_ENDING, /* the stream is over; its flow ends */
  SOURCE_DONE
};

struct source {
  struct node *node;
  const struct evp_plugin *plugin;
  struct evp_ctx *ctx;
  enum source_state state;
  bool started, stopping, let_go;
  bool interrupted; /* its producer was asked to end: wherever that leaves the stream is no fault of the input */
  int fd; /* -1: always ready, or not connected */
  uint64_t connections; /* calls of connect() */
  bool connected; /* disconnect() is owed */
  bool open; /* counted as connected */
  uint64_t retry_at, retry_delay; /* monotonic; the next delay */
  struct intake intake; /* the stream that is open, if any */
  bool blocked; /* waits for room in a queue, or for held-back events to go out */
  bool input_over; /* no more bytes of this connection; then the rest in the slab ends with the stream */
  bool empty; /* the last connection gave no byte, or there was none */
  uint64_t fruitless; /* connections since the last byte that ended without one */
  bool told_of_pace; /* that it means nothing */
  bool active; /* bytes came since it was looked at last */
  uint64_t rest_at; /* when that is; UINT64_MAX: it has no memory to let go of */
  bool damaged; /* an input was damaged: exit status 3 if the source ends by itself */
  bool prologue_wanted, secrets_wanted, census_wanted;
  struct command_sender sender;
  struct silence silence;
  struct seat seat;
  atomic_bool path_gone, try_now; /* said by the main thread */
};

const struct source_settings *source_settings(const struct source *);
bool source_is_live(const struct source *); /* its time is now: it was not recorded */
/* A program that may go away and come again: worth a word when it does, and left in peace for a while before the next
   attempt. What waits at the other end of a pipe is live, too, but does neither. */
bool source_comes_and_goes(const struct source *);

/* source_connection.c */
void source_connect(struct source *); /* a step of it */
void source_disconnect(struct source *);
void source_wait(struct source *); /* until it connects again */
void source_tell_end_without_byte(
  struct source *); /* of a connection; at the first of several in a row, then no more */
void source_tell_first_byte(struct source *); /* of a connection; if there were such before: how many */
bool source_begin_stream(struct source *); /* false: it has failed, and is done */
void source_become_done(struct source *);
/* Says so. One program of many is left out; the only one is the node's failure. */
void source_fail(struct source *, const char *what);

/* source_items.c */
void source_turn_items(struct source *, bool readable);
uint64_t source_items_deadline(const struct source *);

#endif
