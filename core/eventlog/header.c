#include "eventlog/header.h"
#include "eventlog/catalogue.h"
#include "text.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

enum {
  MARK = 4,
  ITEM_TEXT = 12, /* of an item: its mark, number, size, length of the description */
  DESCRIPTION_MAX = 65536,
  EXTENSION_MAX = 65536,
  HEADER_MAX = 1 << 20
};

static bool is_mark(const uint8_t *data, const char *mark)
{
  return !memcmp(data, mark, MARK);
}

/* How long the item that begins at data[0] is, as far as its first `have` bytes tell: as much as they need at least. */
static size_t item_length(const uint8_t *data, size_t have)
{
  if (have < MARK) return MARK;
  if (is_mark(data, "hete")) return sizeof "hetehdredatb" - 1;
  if (have < ITEM_TEXT) return ITEM_TEXT;
  size_t length = ITEM_TEXT + (size_t)evp_u32(data + 8) + 4;
  if (have < length) return length;
  return length + evp_u32(data + length - 4) + MARK;
}

static const char *item_problem(const uint8_t *data, size_t have)
{
  if (have < MARK) return NULL;
  if (is_mark(data, "hete")) {
    if (have >= 8 && !is_mark(data + 4, "hdre")) return "the header's end is damaged";
    if (have >= 12 && !is_mark(data + 8, "datb")) return "the mark between header and data is damaged";
    return NULL;
  }
  if (!is_mark(data, "etb")) return "the header's table of event types is damaged";
  if (have < ITEM_TEXT) return NULL;
  size_t length = evp_u32(data + 8);
  if (length > DESCRIPTION_MAX) return "the header has a description of impossible length";
  length += ITEM_TEXT + 4;
  if (have < length) return NULL;
  size_t extension = evp_u32(data + length - 4);
  if (extension > EXTENSION_MAX) return "the header has an extension of impossible length";
  length += extension + MARK;
  if (have >= length && !is_mark(data + length - MARK, "ete")) return "the header's table of event types is damaged";
  return NULL;
}

static bool reserve(struct header *header, size_t size)
{
  if (size <= header->capacity) return true;
  size_t capacity = header->capacity ? header->capacity : 4096;
  while (capacity < size) capacity *= 2;
  uint8_t *data = realloc(header->data, capacity);
  if (!data) return false;
  header->data = data;
  header->capacity = capacity;
  return true;
}

/* Text for people: UTF-8 without control characters. */
static char *clean_description(const uint8_t *text, size_t size)
{
  char *description = text_make_utf8((const char *)text, size, NULL);
  for (char *c = description; c && *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
  return description;
}

static bool add_type(struct header *header, const uint8_t *item)
{
  if (!header->index && !(header->index = calloc(65536, sizeof *header->index))) return false;
  if (header->n == header->types_capacity) {
    size_t capacity = header->types_capacity ? header->types_capacity * 2 : 128;
    struct evp_event_type *types = reallocarray(header->types, capacity, sizeof *types);
    if (!types) return false;
    header->types = types;
    header->types_capacity = capacity;
  }
  struct evp_event_type type = {.number = evp_u16(item + 4), .size = evp_u16(item + 6)};
  const struct catalogue_entry *known = catalogue_find(type.number);
  type.name = known ? known->name : NULL;
  type.description = clean_description(item + ITEM_TEXT, evp_u32(item + 8));
  if (!type.description) return false;
  header->types[header->n++] = type;
  header->index[type.number] = (uint16_t)header->n; /* 24 bytes an item in 1 MiB: below 65536 */
  return true;
}

enum header_verdict header_feed(
  struct header *header, const uint8_t *data, size_t size, size_t *taken, const char **problem)
{
  *taken = 0;
  if (header->item == 0) header->item = sizeof "hdrbhetb" - 1;
  for (;;) {
    const uint8_t *item = header->data + header->item;
    size_t have = header->size > header->item ? header->size - header->item : 0;
    if (have && (*problem = item_problem(item, have))) return HEADER_DAMAGED;
    size_t wanted = item_length(item, have);
    if (have == wanted) {
      if (is_mark(item, "hete")) return HEADER_DONE;
      if (!add_type(header, item)) return HEADER_NO_MEMORY;
      header->item = header->size;
      continue;
    }
    size_t more = header->item + wanted - header->size;
    *problem = "the header is longer than 1 MiB";
    if (header->size + more > HEADER_MAX) return HEADER_DAMAGED;
    if (more > size - *taken) more = size - *taken;
    if (more == 0) return HEADER_MORE;
    if (!reserve(header, header->size + more)) return HEADER_NO_MEMORY;
    memcpy(header->data + header->size, data + *taken, more);
    header->size += more;
    *taken += more;
  }
}

const struct evp_event_type *header_type(const struct header *header, uint16_t number)
{
  if (!header->index || !header->index[number]) return NULL;
  return &header->types[header->index[number] - 1];
}

void header_free(struct header *header)
{
  for (size_t i = 0; i < header->n; i++) free((char *)header->types[i].description);
  free(header->types);
  free(header->index);
  free(header->data);
  *header = (struct header){0};
}
