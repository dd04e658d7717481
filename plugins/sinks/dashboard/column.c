#include "column.h"

#include "memory.h"

#include <string.h>

enum { FIRST_CAPACITY = 16, SMALL = 64 };

void column_init(struct column *column, struct budget *budget, size_t row_size)
{
  *column = (struct column){.budget = budget, .row_size = row_size};
}

void column_free(struct column *column)
{
  budget_give(column->budget, column_memory(column));
  memory_resize(column->rows, column_memory(column), 0);
  column_init(column, column->budget, column->row_size);
}

size_t column_find(const struct column *column, int64_t time)
{
  size_t low = 0, high = column->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (column_time(column, middle) < time)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void close_gap(struct column *column)
{
  memmove(column->rows, column_at(column, 0), column->n * column->row_size);
  column->begin = 0;
}

static bool resize(struct column *column, size_t capacity)
{
  uint8_t *rows = memory_resize(column->rows, column_memory(column), capacity * column->row_size);
  if (!rows) return false;
  column->rows = rows;
  column->capacity = capacity;
  return true;
}

/* Making room may thin this column, too: then there is nothing to grow any more. */
static bool reserve(struct column *column)
{
  while (column->begin + column->n == column->capacity) {
    if (column->begin > column->capacity / 8) {
      close_gap(column);
      continue;
    }
    size_t more = column->capacity / 4 > FIRST_CAPACITY ? column->capacity / 4 : FIRST_CAPACITY;
    if (!budget_take(column->budget, more * column->row_size)) return false;
    if (column->begin + column->n == column->capacity && resize(column, column->capacity + more)) return true;
    budget_give(column->budget, more * column->row_size);
    if (column->begin + column->n == column->capacity) return false;
  }
  return true;
}

/* New rows mostly go to the end, others near it. */
static size_t place_for(const struct column *column, int64_t time)
{
  size_t i = column->n;
  while (i > 0 && column_time(column, i - 1) > time) {
    if (column->n - i == 8) return time == INT64_MAX ? column->n : column_find(column, time + 1);
    i--;
  }
  return i;
}

void *column_insert(struct column *column, int64_t time)
{
  if (!reserve(column)) return NULL;
  size_t i = place_for(column, time);
  uint8_t *row = column_at(column, i);
  memmove(row + column->row_size, row, (column->n - i) * column->row_size);
  memset(row, 0, column->row_size);
  memcpy(row, &time, sizeof time);
  column->n++;
  return row;
}

void column_remove(struct column *column, size_t i)
{
  uint8_t *row = column_at(column, i);
  memmove(row, row + column->row_size, (column->n - i - 1) * column->row_size);
  column->n--;
}

/* Gives back what is not needed now, but for an eighth. */
static void shrink(struct column *column)
{
  close_gap(column);
  size_t capacity = column->n + column->n / 8 + 1, before = column->capacity;
  if (capacity < before && resize(column, capacity))
    budget_give(column->budget, (before - capacity) * column->row_size);
}

void column_drop_first(struct column *column, size_t n, column_gone *gone, void *owner)
{
  for (size_t i = 0; gone && i < n; i++) gone(owner, column_at(column, i));
  column->begin += n;
  column->n -= n;
  if (column->n == 0) column->begin = 0;
  if (column->capacity > SMALL && column->n < column->capacity / 4) shrink(column);
}

void column_trim(struct column *column, int64_t oldest, column_gone *gone, void *owner)
{
  size_t n = 0;
  while (n < column->n && column_time(column, n) < oldest) n++;
  if (n) column_drop_first(column, n, gone, owner);
}

size_t column_cut(struct column *column, int64_t latest, column_gone *gone, void *owner)
{
  size_t n = 0;
  while (column->n && column_time(column, column->n - 1) > latest) {
    column->n--;
    n++;
    if (gone) gone(owner, column_at(column, column->n));
  }
  return n;
}

bool column_thin(struct column *column, column_join *join, void *owner)
{
  if (column->n < 2) return false;
  size_t pairs = column->n < 4 ? 1 : column->n / 4;
  for (size_t i = 0; i < pairs; i++) {
    join(owner, column_at(column, 2 * i), column_at(column, 2 * i + 1));
    if (i) memcpy(column_at(column, i), column_at(column, 2 * i), column->row_size);
  }
  size_t rest = column->n - 2 * pairs;
  memmove(column_at(column, pairs), column_at(column, 2 * pairs), rest * column->row_size);
  column->n = pairs + rest;
  shrink(column);
  return true;
}
