#include "log_ring.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_COST = 16 }; /* of malloc() */

void log_ring_init(struct log_ring *ring, struct budget *budget)
{
  *ring = (struct log_ring){0};
  column_init(&ring->column, budget, sizeof(struct log_entry));
}

static size_t cost_of(const struct log_entry *entry)
{
  return entry->name_size + entry->body_size + PIECE_COST;
}

static void gone(void *owner, void *row)
{
  struct log_ring *ring = owner;
  struct log_entry *entry = row;
  ring->text_memory -= cost_of(entry);
  budget_give(ring->column.budget, cost_of(entry));
  free(entry->text);
}

void log_ring_free(struct log_ring *ring)
{
  column_drop_first(&ring->column, ring->column.n, gone, ring);
  column_free(&ring->column);
}

size_t log_ring_memory(const struct log_ring *ring)
{
  return column_memory(&ring->column) + ring->text_memory;
}

static bool is_full(const struct log_ring *ring, size_t more)
{
  return ring->column.n >= LOGS_MAX || (ring->column.n && ring->text_memory + more > LOGS_MAX_BYTES);
}

const struct log_entry *log_ring_add(struct log_ring *ring, const struct evp_log *log)
{
  struct log_entry entry = {.time = log->time,
    .id = ring->last_id + 1,
    .thread = log->thread,
    .name_size = (uint32_t)strlen(log->name) + 1,
    .body_size = log->body_size,
    .severity = log->severity,
    .cap = log->cap};
  size_t cost = cost_of(&entry);
  while (is_full(ring, cost)) column_drop_first(&ring->column, 1, gone, ring);
  if (!budget_take(ring->column.budget, cost)) return NULL;
  entry.text = malloc((size_t)entry.name_size + entry.body_size);
  struct log_entry *row = entry.text ? column_insert(&ring->column, entry.time) : NULL;
  if (!row) {
    budget_give(ring->column.budget, cost);
    free(entry.text);
    return NULL;
  }
  memcpy(entry.text, log->name, entry.name_size);
  if (entry.body_size) memcpy(entry.text + entry.name_size, log->body, entry.body_size);
  ring->text_memory += cost;
  ring->last_id++;
  *row = entry;
  return row;
}

void log_ring_trim(struct log_ring *ring, int64_t oldest)
{
  column_trim(&ring->column, oldest, gone, ring);
}

size_t log_ring_cut(struct log_ring *ring, int64_t latest)
{
  return column_cut(&ring->column, latest, gone, ring);
}

bool log_ring_thin(struct log_ring *ring)
{
  if (ring->column.n < 2) return false;
  column_drop_first(&ring->column, ring->column.n / 2, gone, ring);
  return true;
}
