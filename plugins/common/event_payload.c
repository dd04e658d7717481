#include "event_format.h"

#include <evpipe/events.h>

static const uint8_t integer_sizes[] = {
  [EVENT_U8] = 1, [EVENT_U16] = 2, [EVENT_U32] = 4, [EVENT_U64] = 8, [EVENT_POWER8] = 1};

static bool is_integer(uint8_t type)
{
  return type <= EVENT_POWER8;
}

static uint64_t load(uint8_t type, const uint8_t *data)
{
  switch (type) {
  case EVENT_U8:
    return data[0];
  case EVENT_U16:
    return evp_u16(data);
  case EVENT_U32:
    return evp_u32(data);
  case EVENT_U64:
    return evp_u64(data);
  default: /* 16 bits, as ghc-events has it: larger powers are 0 */
    return data[0] < 16 ? UINT64_C(1) << data[0] : 0;
  }
}

/* What the fields behind a text that takes the rest need. */
static size_t size_behind(const struct event_layout *layout, uint16_t slot)
{
  size_t size = 0;
  while (++slot < layout->n_slots)
    if (is_integer(layout->slots[slot].type)) size += integer_sizes[layout->slots[slot].type];
  return size;
}

static bool take_string(struct evp_rest_ *rest, struct event_value *value)
{
  struct evp_text text;
  if (!evp_take_string_(rest, &text)) return false;
  value->data = (const uint8_t *)text.data;
  value->size = text.size;
  return true;
}

static bool take_ids(struct evp_rest_ *rest, struct event_value *value)
{
  struct evp_ids ids;
  if (!evp_take_ids_(rest, &ids)) return false;
  value->data = ids.data;
  value->size = ids.n;
  return true;
}

static bool take(const struct event_layout *layout, uint16_t slot, struct evp_rest_ *rest, struct event_value *value)
{
  uint8_t type = layout->slots[slot].type;
  if (is_integer(type)) {
    const uint8_t *data;
    if (!evp_take_(rest, integer_sizes[type], &data)) return false;
    value->number = load(type, data);
    return true;
  }
  if (type == EVENT_STRING) return take_string(rest, value);
  if (type == EVENT_IDS) return take_ids(rest, value);
  size_t behind = size_behind(layout, slot);
  if (rest->size < behind) return false;
  value->size = rest->size - behind;
  return evp_take_(rest, value->size, &value->data);
}

static const struct event_layout *choose_layout(const struct event_format *format, const struct evp_event *event)
{
  bool variable = event->flags & EVP_EVENT_VARIABLE;
  for (size_t i = 0; i < format->n_layouts; i++)
    if (format->layouts[i].variable == variable && event->size >= format->layouts[i].smallest)
      return &format->layouts[i];
  return NULL;
}

bool event_payload_read(struct event_payload *payload, const struct evp_event *event)
{
  payload->format = event_format_find(event->type);
  payload->layout = payload->format ? choose_layout(payload->format, event) : NULL;
  if (!payload->layout) return false;
  for (size_t i = 0; i < payload->format->n_fields; i++) payload->values[i] = (struct event_value){0};
  struct evp_rest_ rest = {event->data, event->size};
  for (uint16_t i = 0; i < payload->layout->n_slots; i++) {
    const struct event_slot *slot = &payload->layout->slots[i];
    struct event_value *value = &payload->values[slot->field];
    value->type = slot->type;
    value->there = take(payload->layout, i, &rest, value);
    if (!value->there) return slot->optional; /* nor are those behind it */
  }
  return true;
}
