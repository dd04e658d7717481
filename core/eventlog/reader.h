/* reader.h: the inside of struct eventlog, shared by the files that read a stream; nobody else includes it.
 *
 *   eventlog.c    the modes a stream is in (looking for the header, records, skipping, after the end), the public calls
 *   header.c      collects and reads the header
 *   kinds.c       what the header and the catalogue say of each type, made ready for the walk
 *   walk.c        the hot loop over plain records
 *   records.c     one record at a time: everything that the loop leaves alone
 *   reached.c     how far the stream's clock has come
 *   heads.c       whether what lies at a place can be a record or a block
 *   resync.c      finds the next block after damage
 *   provenance.c  the true length of an info table record
 *   secrets.c     where arguments and environment lie, before they are decided, too
 *   definitions.c what is learnt on the way: clock, facts, prologue
 *
 * A record is handed out once the head of what follows it was seen to be right, or its block ended with it. So a capture
 * that was cut inside a record, with another one behind it, does not yield a record made of both; and because what is not
 * yet decided stays unconsumed, the result is the same however the input was cut.
 */
#ifndef EVPIPE_EVENTLOG_READER_H
#define EVPIPE_EVENTLOG_READER_H

#include "eventlog/eventlog.h"
#include "eventlog/header.h"
#include <evpipe/events.h>

enum {
  RECORD_HEAD = 10, /* type and time */
  LENGTH_FIELD = 2, /* of records of variable size */
  MARKER_PAYLOAD = 14, /* of a block marker, as every version has it */
  HEAD_BYTES = 24, /* enough to judge any head: a whole block marker */
  END_MARKER = 0xffff,
  VARIABLE_SIZE = 0xffff,
  MAGIC_SIZE = 8
};

#define NOWHERE SIZE_MAX
#define UNKNOWN_END UINT64_MAX
#define LATEST_TIME (UINT64_C(1) << 62) /* ns; later times would overflow a Unix time, and are 146 years away */

enum reader_mode {
  MODE_LEADING, /* looking for a header */
  MODE_HEADER,
  MODE_RECORDS,
  MODE_SKIP, /* to the end of a block, `skip_to` */
  MODE_SCAN, /* byte by byte for the next block */
  MODE_ENDED, /* the end marker was the last that came */
  MODE_TRAILING /* what follows it is no new header; looking for one */
};

/* The last four members of struct evp_event, so that they are written at once. */
struct event_tail {
  uint16_t size, type, cap, flags;
};
_Static_assert(sizeof(struct event_tail) == sizeof(uint64_t) && sizeof(struct evp_event) == 24, "one store");

struct record_kind {
  uint64_t tail; /* a struct event_tail: size (0 if variable), type, no cap, flags */
  uint32_t length; /* of the record: 10 + size; 12 if variable */
  uint16_t smallest; /* variable size: a shorter payload is malformed */
  bool declared, variable, wanted;
  bool special; /* to be read by records.c, not by the loop */
  bool defines; /* belongs to the prologue */
  uint8_t secret; /* enum evp_secret_kind, 0: none, or nobody asks */
};

struct block {
  bool inside;
  uint16_t cap;
  uint64_t begin; /* offset in the stream of its marker */
  uint64_t end; /* offset in the stream of what follows the block; UNKNOWN_END: until the next marker */
  uint64_t earliest, latest; /* event times between these are plausible */
};

struct eventlog {
  struct eventlog_state state;
  enum reader_mode mode;
  uint64_t offset; /* of the first byte that was not consumed, in the stream */
  uint64_t skip_to;
  bool skip_damaged; /* the bytes that are skipped are lost ones, not a block nobody wants to see */
  bool resync; /* the next event comes after a gap */
  bool clock_taken; /* the WALL_CLOCK_TIME that comes next was told already */
  bool outside_told; /* of these records outside of blocks */
  enum { READING_UNKNOWN, READING_HONEST, READING_LYING } provenance;

  struct eventlog_settings settings;
  struct header header;
  size_t header_consumed; /* bytes of it; a header that is not long stays unconsumed until it is complete */
  uint32_t marker_length; /* 24; 0: this stream has no blocks */
  struct block block;
  uint64_t last_time; /* of the record that was read last */
  uint64_t claimed; /* a time too late to be believed by itself; 0: there is none */
  char damage_text[160];
  struct evp_secret *secrets; /* of this step */
  size_t n_secrets, secrets_room;
  bool secrets_lost; /* some could not be kept: no memory */

  struct record_kind kinds[256];
  /* The same again for the hot loop, which a type's number indexes at once. */
  uint64_t tails[256];
  uint32_t lengths[256]; /* of plain records of fixed size; else 0 */
  uint32_t shortest[256]; /* payload of plain records of variable size; else more than there can be */
  uint8_t strides[256]; /* by how many bytes an event steps on: 0 if it is not wanted */
};

/* One call of eventlog_step() or eventlog_finish(). */
struct cursor {
  const uint8_t *data;
  size_t size;
  bool final; /* nothing will follow */
  size_t at; /* index of the next record */
  size_t previous; /* of the record before it, as long as that may still be taken back; NOWHERE */
  struct evp_event *events;
  uint32_t n, room;
  uint32_t resync_at; /* event to be flagged, if eventlog.resync */
  struct eventlog_step *step;
};

static inline uint64_t place(const struct eventlog *log, size_t at)
{
  return log->offset + at;
}

static inline bool at_block_end(const struct eventlog *log, size_t at)
{
  return log->block.inside && place(log, at) == log->block.end;
}

/* eventlog.c. These end a step when they return false. */
bool step_ends(struct cursor *, enum eventlog_reason);
bool step_waits(struct eventlog *, struct cursor *); /* for more bytes; what is at `at` is incomplete */
bool step_restarts(struct eventlog *, struct cursor *, size_t at);
void skip_bytes(struct eventlog *, struct cursor *, size_t n);
void set_mode(struct eventlog *, enum reader_mode);
void damage_found(struct eventlog *, uint64_t offset, const char *format, ...) __attribute__((format(printf, 3, 4)));
void gap_begins(struct eventlog *, struct cursor *); /* the next event gets EVP_EVENT_RESYNC */
void gap_flush(struct eventlog *, struct cursor *);

/* kinds.c */
void kinds_make(struct eventlog *);
struct record_kind kind_of(const struct eventlog *, uint16_t type);

/* walk.c */
void walk_plain_records(struct eventlog *, struct cursor *);

/* records.c */
bool read_records(struct eventlog *, struct cursor *);
void block_leave(struct eventlog *);

/* heads.c */
enum head_verdict {
  HEAD_WAIT, /* not enough bytes */
  HEAD_FINE,
  HEAD_END, /* the end marker */
  HEAD_RESTART, /* a header */
  HEAD_STRAY_END, /* an end marker in the middle of a block */
  HEAD_UNDECLARED,
  HEAD_STRAY_MARKER, /* something like a block marker in the middle of a block */
  HEAD_OVERRUN, /* reaches past the end of its block */
  HEAD_EARLY,
  HEAD_LATE /* its time is not that of its block */
};

struct record {
  uint16_t type;
  struct record_kind kind;
  uint64_t time;
  uint32_t head; /* bytes before the payload */
  uint32_t length; /* of the whole record, as declared */
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_WAIT };

enum head_verdict head_judge(const struct eventlog *, const struct cursor *, size_t at, struct record *);
/* The same for what comes after a record: the block's end is right, too. */
bool head_is_good(const struct eventlog *, const struct cursor *, size_t at);
/* Are these the first bytes of the magic? */
bool magic_begins(const uint8_t *data, size_t size);
enum answer magic_at(const struct cursor *, size_t at);
/* Is there what may follow a block: a block, the end marker, a header, the end of input? */
enum answer boundary_at(const struct eventlog *, const struct cursor *, size_t at);

struct marker {
  uint64_t begin, end;
  uint32_t size;
  uint16_t cap;
};
struct marker marker_read(const uint8_t *record);
bool marker_is_sane(const struct eventlog *, const struct marker *);
bool cap_is_sane(uint16_t cap);
void block_enter(struct eventlog *, const struct marker *, uint64_t at);

/* reached.c */
void reached_block(struct eventlog *, const struct marker *);
void reached_record(struct eventlog *, uint64_t time); /* the last one of a block */

/* resync.c */
void resync_begin(struct eventlog *, struct cursor *);
bool resync_skip(struct eventlog *, struct cursor *);
bool resync_scan(struct eventlog *, struct cursor *);
/* Index of the magic in data[from..to), NOWHERE if it is not there. */
size_t magic_find(const struct cursor *, size_t from, size_t to);

/* provenance.c */
enum answer provenance_length(
  struct eventlog *, const struct cursor *, size_t at, const struct record *, uint32_t *length);

/* secrets.c */
struct evp_secret secret_in(uint16_t type, uint64_t payload, uint64_t size); /* its size is 0 if there is none */
uint8_t secret_kind(uint16_t type); /* enum evp_secret_kind, 0: none */
void secret_found(struct eventlog *, uint16_t type, uint64_t payload, uint64_t size);
void secrets_foresee(struct eventlog *, const struct cursor *); /* in the bytes that wait */

/* definitions.c */
bool is_fact(uint16_t type);
bool is_introduction(uint16_t type); /* what the RTS says of itself and of the program, also without +RTS -l */
bool clock_read(struct eventlog *, const struct evp_event *); /* true: a new epoch */
bool fact_read(struct eventlog *, const struct evp_event *); /* true: a new fact */
void definition_keep(struct eventlog *, const struct evp_event *, const uint8_t *record, size_t size);
uint64_t definitions_seal(struct eventlog *); /* the prologue's length so far */

#endif
