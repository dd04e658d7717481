#include "censuses.h"

#include <stdlib.h>
#include <string.h>

void censuses_init(struct censuses *censuses, struct budget *budget)
{
  column_init(&censuses->column, budget, sizeof(struct census));
  bands_init(&censuses->bands, budget);
  censuses->store = (struct census_store){.budget = budget};
}

size_t censuses_memory(const struct censuses *censuses)
{
  return column_memory(&censuses->column) + censuses->store.memory + censuses->bands.memory;
}

/* -------------------------------------------------------------------------------------------------------------- packing */

/* Seven bits a byte, the lowest first; the last byte is the one without the highest bit. */
static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
  for (; value >= 0x80; value >>= 7) *to++ = (uint8_t)(value | 0x80);
  *to++ = (uint8_t)value;
  return to;
}

static uint64_t take_varint(struct census_reader *reader)
{
  uint64_t value = 0;
  for (unsigned shift = 0; reader->at < reader->end; shift += 7) {
    uint8_t byte = *reader->at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

static size_t varint_size(uint64_t value)
{
  size_t size = 1;
  while (value >>= 7) size++;
  return size;
}

struct census_reader census_read(const struct census *census)
{
  const uint8_t *bytes = piece_bytes(&census->packed);
  return (struct census_reader){.at = bytes, .end = bytes + census->packed.size};
}

/* Numbers are written as what they are more than the one before. */
bool census_next(struct census_reader *reader, struct census_row *row)
{
  if (reader->at == reader->end) return false;
  reader->band += (uint32_t)take_varint(reader);
  row->band = reader->band;
  row->bytes = take_varint(reader);
  return true;
}

static int by_band(const void *left, const void *right)
{
  const struct census_row *a = left, *b = right;
  return a->band < b->band ? -1 : a->band > b->band;
}

static size_t packed_size(const struct census_row *rows, uint32_t n)
{
  size_t size = 0;
  uint32_t band = 0;
  for (uint32_t i = 0; i < n; i++) {
    size += varint_size(rows[i].band - band) + varint_size(rows[i].bytes);
    band = rows[i].band;
  }
  return size;
}

static void pack(uint8_t *to, const struct census_row *rows, uint32_t n)
{
  uint32_t band = 0;
  for (uint32_t i = 0; i < n; i++) {
    to = put_varint(to, rows[i].band - band);
    to = put_varint(to, rows[i].bytes);
    band = rows[i].band;
  }
}

/* --------------------------------------------------------------------------------------------------- coming and going */

static void gone(void *owner, void *row)
{
  struct censuses *censuses = owner;
  struct census *census = row;
  struct census_reader reader = census_read(census);
  struct census_row item;
  while (census_next(&reader, &item)) band_release(&censuses->bands, item.band);
  census_store_remove(&censuses->store, &census->packed);
}

static void release(struct censuses *censuses, const struct census_row *rows, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) band_release(&censuses->bands, rows[i].band);
  bands_sweep(&censuses->bands);
}

static void raise_peaks(struct bands *bands, const struct census_row *rows, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].bytes > bands->items[rows[i].band].peak) bands->items[rows[i].band].peak = rows[i].bytes;
}

const struct census *censuses_add(
  struct censuses *censuses, int64_t time, uint8_t breakdown, uint64_t total, struct census_row *rows, uint32_t n)
{
  if (n) qsort(rows, n, sizeof *rows, by_band);
  struct piece packed;
  if (!census_store_put(&censuses->store, packed_size(rows, n), false, &packed)) {
    release(censuses, rows, n);
    return NULL;
  }
  if (n) pack(piece_bytes(&packed), rows, n);
  struct census *census = column_insert(&censuses->column, time);
  if (!census) {
    census_store_remove(&censuses->store, &packed);
    release(censuses, rows, n);
    return NULL;
  }
  raise_peaks(&censuses->bands, rows, n);
  *census = (struct census){time, total, packed, n, breakdown};
  return census;
}

void censuses_free(struct censuses *censuses)
{
  column_drop_first(&censuses->column, censuses->column.n, gone, censuses);
  column_free(&censuses->column);
  census_store_close(&censuses->store);
  bands_free(&censuses->bands);
}

void censuses_trim(struct censuses *censuses, int64_t oldest)
{
  column_trim(&censuses->column, oldest, gone, censuses);
  bands_sweep(&censuses->bands);
}

size_t censuses_cut(struct censuses *censuses, int64_t latest)
{
  size_t n = column_cut(&censuses->column, latest, gone, censuses);
  bands_sweep(&censuses->bands);
  return n;
}

static void keep_larger(void *owner, void *first, void *second)
{
  struct census *a = first, *b = second;
  if (a->total >= b->total) {
    gone(owner, b);
    return;
  }
  gone(owner, a);
  *a = *b;
}

/* The first n are put together anew, so that the chunks in which they lay are freed. */
static void move_together(struct censuses *censuses, size_t n)
{
  struct census_store *store = &censuses->store;
  struct chunk *open = store->open;
  if (open) open->pieces++; /* so that it stays */
  store->open = NULL;
  for (size_t i = 0; i < n; i++) {
    struct census *census = column_at(&censuses->column, i);
    struct piece piece, old = census->packed;
    if (!census_store_put(store, old.size, true, &piece)) break;
    if (old.size) memcpy(piece_bytes(&piece), piece_bytes(&old), old.size);
    census->packed = piece;
    census_store_remove(store, &old);
  }
  census_store_close(store);
  store->open = open;
  if (open) open->pieces--;
}

bool censuses_thin(struct censuses *censuses)
{
  size_t before = censuses->column.n;
  if (!column_thin(&censuses->column, keep_larger, censuses)) return false;
  move_together(censuses, before - censuses->column.n);
  bands_sweep(&censuses->bands);
  return true;
}
