/* event_format.h: the event catalogue as tables that tell how to take any payload apart and how to print it, for what
 * treats all events alike (text, JSON, options that name events). Who wants one certain event uses <evpipe/events.h>.
 *
 * Constant tables made from core/eventlog/catalogue.txt; any thread.
 */
#ifndef EVPIPE_COMMON_EVENT_FORMAT_H
#define EVPIPE_COMMON_EVENT_FORMAT_H

#include <evpipe.h>

enum { EVENT_FIELDS_MAX = 10 };

enum event_field_type {
  EVENT_U8,
  EVENT_U16,
  EVENT_U32,
  EVENT_U64,
  EVENT_POWER8, /* u8: the value is 2 to the power of it */
  EVENT_STRING, /* ends with a NUL */
  EVENT_TEXT,
  EVENT_LATIN1,
  EVENT_BYTES,
  EVENT_STRINGS, /* strings that each end with a NUL */
  EVENT_IDS, /* a count, then as many u32 */
};

struct event_word {
  uint32_t number;
  const char *word;
};

struct event_words {
  const char *other; /* for numbers without a word; NULL: the number */
  size_t n;
  const struct event_word *items;
};

struct event_field {
  const char *name;
  const char *word_name; /* "breakdown_name": what the word for its number is called; NULL: there are none */
  const struct event_words *words; /* NULL: a plain value */
  bool stop; /* the status of STOP_THREAD */
};

struct event_slot {
  uint8_t field; /* index into the format's fields */
  uint8_t type;
  bool optional;
};

struct event_layout {
  bool variable; /* for types that the stream declares as of variable size; else for those of a fixed one */
  bool shown; /* has a show form */
  uint16_t smallest;
  uint16_t n_slots;
  const struct event_slot *slots;
};

enum event_piece_kind {
  EVENT_LITERAL,
  EVENT_FIELD,
  EVENT_GROUP, /* the next `skip` pieces only if the field is there */
};

enum event_form {
  EVENT_AS_PLAIN,
  EVENT_AS_HEX,
  EVENT_AS_LIST,
  EVENT_AS_PRINTABLE,
  EVENT_AS_LOW16,
  EVENT_AS_SUCCESSOR,
  EVENT_AS_CAF,
  EVENT_AS_FILTERS,
  EVENT_AS_STOP,
  EVENT_AS_WORDS,
};

struct event_piece {
  uint8_t kind, form, field, skip;
  uint16_t size;
  const char *text;
};

struct event_format {
  const char *name; /* "HEAP_LIVE"; NULL: a hole in the table */
  size_t n_fields;
  const struct event_field *fields;
  size_t n_layouts;
  const struct event_layout *layouts; /* the first that fits holds */
  size_t n_pieces;
  const struct event_piece *pieces;
};

struct event_stop { /* by enum evp_stop_reason */
  const char *name; /* "black_hole" */
  const char *text; /* of the show form; NULL: it has none */
  bool with_info; /* the info follows the text */
};

extern const struct event_format event_formats[]; /* by number */
extern const size_t event_n_formats;
extern const struct event_stop event_stops[];
extern const size_t event_n_stops;

/* NULL: not in the catalogue. */
static inline const struct event_format *event_format_find(uint16_t number)
{
  return number < event_n_formats && event_formats[number].name ? &event_formats[number] : NULL;
}

/* The word for a number, NULL if there is none. */
static inline const char *event_word(const struct event_words *words, uint64_t number)
{
  for (size_t i = 0; i < words->n; i++)
    if (words->items[i].number == number) return words->items[i].word;
  return NULL;
}

/* A payload taken apart. Values point into the event's data. */
struct event_value {
  uint8_t type;
  bool there;
  uint64_t number; /* of the integer types */
  const uint8_t *data; /* of the others */
  size_t size; /* bytes; of ids their number */
};

struct event_payload {
  const struct event_format *format;
  const struct event_layout *layout;
  struct event_value values[EVENT_FIELDS_MAX]; /* by field of the format */
};

/* False: the event is not in the catalogue, none of its layouts fits, or its inner sizes lie. */
bool event_payload_read(struct event_payload *, const struct evp_event *);

struct unicode_range {
  uint32_t first, last;
};
extern const struct unicode_range unicode_printable[]; /* ascending: what Haskell's isPrint takes for printable */
extern const size_t unicode_n_printable;

#endif
