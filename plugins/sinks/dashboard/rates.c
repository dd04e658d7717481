#include "rates.h"

void rates_init(struct rates *rates, struct budget *budget)
{
  *rates = (struct rates){0};
  column_init(&rates->allocated, budget, sizeof(struct allocation));
  column_init(&rates->events, budget, sizeof(struct event_counts));
}

void rates_free(struct rates *rates)
{
  column_free(&rates->allocated);
  column_free(&rates->events);
}

/* Begin of the tenth of a second that the time lies in. */
static int64_t slot_of(int64_t time)
{
  int64_t rest = time % RATE_SLOT;
  return time - (rest < 0 ? rest + RATE_SLOT : rest);
}

/* The row of its tenth of a second, whose time is not before this one then. NULL: no room. */
static void *row_of(struct column *column, int64_t time)
{
  int64_t slot = slot_of(time), next = slot > INT64_MAX - RATE_SLOT ? INT64_MAX : slot + RATE_SLOT;
  size_t i = column->n;
  if (i && column_time(column, i - 1) >= next) i = column_find(column, next);
  if (i == 0 || column_time(column, i - 1) < slot) return column_insert(column, time);
  int64_t *row = column_at(column, i - 1);
  if (time > *row) *row = time;
  return row;
}

bool rates_allocate(struct rates *rates, int64_t time, uint64_t bytes)
{
  rates->allocated_total += bytes;
  struct allocation *row = row_of(&rates->allocated, time);
  if (!row) return false;
  row->bytes += bytes;
  return true;
}

bool rates_count(struct rates *rates, const struct evp_batch *batch, int64_t *last)
{
  struct event_counts *row = NULL;
  int64_t slot = 0;
  bool room = true;
  for (uint32_t i = 0; i < batch->n; i++) {
    const struct evp_event *event = &batch->events[batch->sel[i]];
    int64_t time = evp_unix_time(batch, event->time);
    if (!row || time < slot || time - slot >= RATE_SLOT) {
      row = row_of(&rates->events, time);
      slot = slot_of(time);
      room = room && row;
    }
    unsigned class = evp_event_class(event->type);
    rates->events_total[class]++;
    if (row) {
      row->counts[class]++;
      if (time > row->time) row->time = time;
    }
    if (time > *last) *last = time;
  }
  return room;
}

bool rates_add(struct rates *rates, int64_t time, const uint64_t counts[EVP_CLASS_COUNT])
{
  struct event_counts *row = row_of(&rates->events, time);
  for (unsigned i = 0; i < EVP_CLASS_COUNT; i++) {
    rates->events_total[i] += counts[i];
    if (row) row->counts[i] += counts[i];
  }
  return row != NULL;
}

void allocation_add(void *owner, void *first, void *second)
{
  (void)owner;
  struct allocation *a = first, *b = second;
  a->time = b->time;
  a->bytes += b->bytes;
}

void event_counts_add(void *owner, void *first, void *second)
{
  (void)owner;
  struct event_counts *a = first, *b = second;
  a->time = b->time;
  for (unsigned i = 0; i < EVP_CLASS_COUNT; i++) a->counts[i] += b->counts[i];
}
