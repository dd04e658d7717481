/* eventlog.h: one eventlog, from bytes to events. The framer (header, blocks, resync) and the decoder (records) behind
 * one function that is called with whatever bytes are there.
 *
 * Owner    the lane of the source; one `struct eventlog` for each stream.
 * Threads  one at a time, but for eventlog_types() and the facts, which other threads read through struct stream.
 * Knows    the event catalogue; nothing of the engine, of slabs, of batches.
 *
 * The result does not depend on how the input was cut: the same bytes give the same events, the same spans, the same
 * counts, for every way of feeding them.
 */
#ifndef EVPIPE_EVENTLOG_H
#define EVPIPE_EVENTLOG_H

#include <evpipe.h>

/* A set of event type numbers; every 16-bit number has its bit. */
struct event_set {
  uint64_t bits[1024];
};

static inline void event_set_add(struct event_set *set, uint16_t type)
{
  set->bits[type >> 6] |= UINT64_C(1) << (type & 63);
}

static inline bool event_set_has(const struct event_set *set, uint16_t type)
{
  return set->bits[type >> 6] >> (type & 63) & 1;
}

struct prologue; /* prologue.h */
struct eventlog;

/* Why eventlog_step() came back. */
enum eventlog_reason {
  EVENTLOG_MORE, /* all is read but an incomplete item at the end: call again with it and what follows */
  EVENTLOG_FULL, /* the room for events is used up: call again */
  EVENTLOG_HEADER, /* the header is complete: types and dialect are known; it was consumed */
  EVENTLOG_CLOCK, /* a WALL_CLOCK_TIME was read: `epoch` holds for what follows, not for this step's events; the record
                     itself is the first event of the next step, if wanted */
  EVENTLOG_FACTS, /* program, rts or pid was learnt; the record itself is among this step's events, if wanted */
  EVENTLOG_RESTART, /* a new header begins at the first byte that was not consumed: end this stream, begin another */
};

struct eventlog_step {
  enum eventlog_reason reason;
  size_t consumed; /* bytes of `data` that are done with */
  uint32_t n; /* events written; all lie within the consumed bytes */
  size_t sync; /* index into `data` of the first place in the consumed bytes a reader may begin at: a block marker, or
                  the header; SIZE_MAX if there is none */
  uint64_t prologue_at_sync; /* length of the prologue before data[sync], or after this step if there is none */
  uint64_t prologue; /* length of the prologue before the first event of this step */
  uint64_t block; /* offset in the stream of the marker of the block that is open after the consumed bytes; UINT64_MAX:
                     none. They end with a whole record, if records are walked */
  uint64_t prologue_after; /* its length after this step */
  size_t leading; /* of the consumed bytes, how many at their begin lie before the header */
  bool framed; /* the framing was known for all of the consumed bytes; with `secrets`: and is for those that wait */
  /* Where secrets lie (offset: index into `data`): in the consumed bytes, and at EVENTLOG_MORE, as far as one can see, in
     those that wait. Not in order, may overlap; valid until the next call. */
  const struct evp_secret *secrets;
  size_t n_secrets;
};

/* Running counts, and what is known, of one stream. All but grow. */
struct eventlog_state {
  bool header; /* seen */
  bool ended; /* the end marker was seen */
  uint64_t events; /* records walked, block markers included, wanted or not (0 when `walk` is off) */
  uint64_t blocks;
  uint64_t introductions; /* of these, what only says who logs; it comes even if no event is logged (no +RTS -l) */
  uint64_t skipped_bytes; /* resync, leading, trailing bytes */
  uint64_t leading_bytes, trailing_bytes; /* of these, before the header and after the end marker */
  uint64_t damages; /* places where something was skipped or malformed */
  uint64_t first_damage; /* offset in the stream of the first, UINT64_MAX: none */
  const char *first_damage_text; /* what was wrong there, "event type 4711 is not declared" */
  uint64_t cut_bytes; /* after eventlog_finish: bytes of an incomplete item at the end */
  uint64_t newest_time; /* greatest event time seen, and be it a damaged one */
  uint64_t reached; /* event time that the stream has come to, as far as it is to be believed (reached.c) */
  uint64_t newest_block_end; /* greatest end time of a block that is to be believed, 0: none yet */
  uint64_t last_block_end; /* of the newest block, believed or not; 0: none yet */
  bool epoch_exact;
  int64_t epoch; /* Unix ns of event time 0, once epoch_exact */
  uint32_t dialect; /* of <evpipe/events.h> */
  uint32_t pid; /* 0: not known */
  char *program; /* base name of the first program argument, as sanitised UTF-8, NULL: not known */
  char *rts; /* "GHC-9.6.6 rts_thr", NULL: not known */
};

struct eventlog_settings {
  const struct event_set *wanted; /* event types to deliver; borrowed, must live as long; NULL: none */
  struct prologue *prologue; /* where to keep the definitions; NULL: nowhere */
  bool secrets; /* say where arguments and environment lie; needs `walk` */
  bool walk; /* visit every record. If false (nobody wants events or the prologue), blocks are jumped over */
};

struct eventlog *eventlog_new(const struct eventlog_settings *settings); /* NULL: no memory */
void eventlog_free(struct eventlog *);

/* Reads data[0..size), of which data[0] is the first byte not consumed yet, and writes up to `room` (>= 1) events that
   point into `data`. Call it until the reason is EVENTLOG_MORE or EVENTLOG_RESTART. An incomplete item never needs
   more than EVENTLOG_LONGEST bytes to become complete (a header may be longer: it is consumed as it comes). After
   EVENTLOG_RESTART only this stream's state is to be read; the bytes that were not consumed belong to the next one. */
#define EVENTLOG_LONGEST ((size_t)66 * 1024) /* 12 + 65535 bytes, and what resync looks ahead */
void eventlog_step(
  struct eventlog *, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room, struct eventlog_step *);

/* The input has ended with data[0..size) not consumed: makes the last counts, and the events (a last record that is not
   followed by anything, a last IPE record whose length lies) that only the end can decide. As with eventlog_step() any
   reason may come; call it, with what is not consumed, until it says EVENTLOG_MORE (all is over) or EVENTLOG_RESTART. */
void eventlog_finish(
  struct eventlog *, const uint8_t *data, size_t size, struct evp_event *events, uint32_t room, struct eventlog_step *);

const struct eventlog_state *eventlog_state(const struct eventlog *);
/* The types that the header declares, in its order; NULL and 0 before EVENTLOG_HEADER. Frozen once there. */
const struct evp_event_type *eventlog_types(const struct eventlog *, size_t *n);
const struct evp_event_type *eventlog_type(const struct eventlog *, uint16_t number);
/* How damaged or foreign input looks to a user, for a message: "gzip data", "a git-LFS pointer", "text", "an eventlog
   that went through a text-mode transfer"; NULL if nothing is recognised. `data` is the begin of the input. */
const char *eventlog_guess(const uint8_t *data, size_t size);
/* GHC 9.0 sends the marker of its first block, which belongs to no capability, in front of the header that it speaks of: 24
   bytes that mean nothing. Is this such a begin? */
enum { EVENTLOG_STRAY_MARKER = 24 };
bool eventlog_begins_with_stray_marker(const uint8_t *data, size_t size);

#endif
