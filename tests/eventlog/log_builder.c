#include "log_builder.h"

#include <stdlib.h>
#include <string.h>

struct log_builder *log_new(void)
{
  struct log_builder *log = calloc(1, sizeof *log);
  if (!log) abort();
  log->block = SIZE_MAX;
  return log;
}

void log_free(struct log_builder *log)
{
  free(log->data);
  free(log);
}

void log_bytes(struct log_builder *log, const void *data, size_t size)
{
  if (log->size + size > log->capacity) {
    log->capacity = 2 * (log->size + size);
    log->data = realloc(log->data, log->capacity);
    if (!log->data) abort();
  }
  if (size) memcpy(log->data + log->size, data, size);
  log->size += size;
}

static void put(struct log_builder *log, uint64_t value, unsigned bytes)
{
  while (bytes--) log_bytes(log, &(uint8_t){(uint8_t)(value >> 8 * bytes)}, 1);
}

void log_u16(struct log_builder *log, uint16_t value)
{
  put(log, value, 2);
}

void log_u32(struct log_builder *log, uint32_t value)
{
  put(log, value, 4);
}

void log_u64(struct log_builder *log, uint64_t value)
{
  put(log, value, 8);
}

void log_header_begin(struct log_builder *log)
{
  log_bytes(log, "hdrbhetb", 8);
}

void log_type(struct log_builder *log, uint16_t number, uint16_t size, const char *description, size_t description_size)
{
  log->sizes[number] = size;
  log_bytes(log, "etb", 4);
  log_u16(log, number);
  log_u16(log, size);
  log_u32(log, (uint32_t)description_size);
  log_bytes(log, description, description_size);
  log_u32(log, 0);
  log_bytes(log, "ete", 4);
}

void log_header_end(struct log_builder *log)
{
  log_bytes(log, "hetehdredatb", 12);
}

void log_header(struct log_builder *log, const struct log_type *types, size_t n)
{
  log_header_begin(log);
  for (size_t i = 0; i < n; i++) log_type(log, types[i].number, types[i].size, "A type", 6);
  log_header_end(log);
}

void log_usual_header(struct log_builder *log)
{
  static const struct log_type types[] = {{0, 4}, {1, 4}, {2, 10}, {3, 4}, {4, 6}, {8, 6}, {9, 0}, {10, 0}, {18, 14},
    {19, 0xffff}, {29, 0xffff}, {30, 0xffff}, {32, 8}, {43, 16}, {58, 0xffff}, {59, 0}, {164, 0xffff}, {169, 0xffff}};
  log_header(log, types, sizeof types / sizeof *types);
}

void log_block(struct log_builder *log, uint64_t begin, uint64_t end, uint16_t cap)
{
  log->block = log->size;
  log_u16(log, 18);
  log_u64(log, begin);
  log_u32(log, 0);
  log_u64(log, end);
  log_u16(log, cap);
}

void log_block_size(struct log_builder *log, uint32_t size)
{
  for (unsigned i = 0; i < 4; i++) log->data[log->block + 10 + i] = (uint8_t)(size >> 8 * (3 - i));
  log->block = SIZE_MAX;
}

void log_block_end(struct log_builder *log)
{
  log_block_size(log, (uint32_t)(log->size - log->block));
}

void log_record(struct log_builder *log, uint16_t type, uint64_t time, const void *payload, size_t size)
{
  log_u16(log, type);
  log_u64(log, time);
  if (log->sizes[type] == 0xffff) log_u16(log, (uint16_t)size);
  log_bytes(log, payload, size);
}

void log_record_u32(struct log_builder *log, uint16_t type, uint64_t time, uint32_t value)
{
  log_u16(log, type);
  log_u64(log, time);
  log_u32(log, value);
}

void log_provenance(struct log_builder *log, uint64_t time, uint64_t address, const char *name, int lie)
{
  static const char rest[] = "1\0Type\0label\0Module\0file.hs:1:1";
  size_t size = 8 + strlen(name) + 1 + sizeof rest;
  log_u16(log, 169);
  log_u64(log, time);
  log_u16(log, (uint16_t)((int)size + lie));
  log_u64(log, address);
  log_bytes(log, name, strlen(name) + 1);
  log_bytes(log, rest, sizeof rest);
}

void log_end(struct log_builder *log)
{
  log_u16(log, 0xffff);
}
