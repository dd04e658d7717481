/* programs.h: the programs that were seen: each a source and its labels, with a history that goes on over runs (streams).
 *
 * Owner    the instance. Threads  that of the sink.
 */
#ifndef EVPIPE_DASHBOARD_PROGRAMS_H
#define EVPIPE_DASHBOARD_PROGRAMS_H

#include "history.h"

#include <evpipe.h>

struct pending;
struct http_channel;
struct run;

/* What each capability had allocated when it was last said, to go on from after a reconnect to the same process. */
struct allocated {
  uint64_t *by_capability;
  uint32_t n;
};
enum { CAPABILITIES_MAX = 4096 };

struct program {
  struct program *next; /* in the order in which they were first seen */
  uint32_t id; /* from 1 on */
  struct budget *budget; /* that of all programs */
  char *key; /* source and labels, each with its NUL, sorted: what makes it this program */
  size_t key_size;
  const char *source;
  size_t node; /* number of the source among the nodes; describe_find_node() */
  struct evp_label *labels; /* in `key` */
  size_t n_labels;
  struct run *open; /* streams that are open, the newest first */
  uint32_t n_runs;
  uint64_t ended; /* grows with each that ends; 0: never */
  /* Of the newest run. */
  char *name, *rts;
  size_t name_size, rts_size; /* with their NUL; 0: there is none */
  uint32_t pid;
  bool live;
  enum evp_stream_state state;
  int64_t begin;
  enum evp_clock_state clock; /* by its metrics; NONE: not known by them */
  struct allocated allocated;
  struct history history;
  uint64_t sequence; /* of the last push */
  struct http_channel *channel; /* its visitors; NULL: nobody came yet */
  struct pending *pending; /* what they were not told yet; NULL: nobody listens */
  uint64_t told; /* hash of what visitors were told about the program itself */
};

struct programs {
  struct budget budget;
  struct program *first;
  uint32_t n, last_id;
  uint64_t last_ended, changes; /* grows when a program comes or goes */
  uint64_t thinned; /* how often */
  uint32_t max;
  void (*leaving)(void *owner, struct program *); /* before a program is freed */
  void *owner;
};

void programs_init(struct programs *, size_t max_size, uint32_t max_programs);
void programs_free(struct programs *);
struct program *programs_find(const struct programs *, uint32_t id); /* NULL: there is none */
/* The stream's program, made if it is new; then one that has ended may have to leave. NULL: all are live, or no memory. */
struct program *programs_get(struct programs *, const struct evp_stream *);
/* Takes over what the stream says about it by now. */
void program_learn(struct program *, const struct evp_stream *);
void program_ended(struct programs *, struct program *, const struct evp_stream *);
/* History begins anew, the same program. */
void program_forget_history(struct programs *, struct program *);
const char *program_label(const struct program *, const char *key); /* NULL: it has none */

#endif
