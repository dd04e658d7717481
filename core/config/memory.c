#include "config/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
  struct piece *next;
  _Alignas(max_align_t) char data[];
};

struct config_memory {
  struct piece *pieces;
};

static void *must(void *memory)
{
  if (memory) return memory;
  fputs("evpipe: no memory for the configuration\n", stderr);
  exit(2);
}

struct config_memory *config_memory_new(void)
{
  return must(calloc(1, sizeof(struct config_memory)));
}

void config_memory_free(struct config_memory *memory)
{
  if (!memory) return;
  for (struct piece *piece = memory->pieces, *next; piece; piece = next) {
    next = piece->next;
    free(piece);
  }
  free(memory);
}

void *config_alloc(struct config_memory *memory, size_t size)
{
  struct piece *piece = must(calloc(1, sizeof *piece + size));
  piece->next = memory->pieces;
  memory->pieces = piece;
  return piece->data;
}

char *config_string(struct config_memory *memory, const char *text, size_t size)
{
  char *copy = config_alloc(memory, size + 1);
  memcpy(copy, text, size);
  return copy;
}

char *config_format(struct config_memory *memory, const char *format, ...)
{
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int size = vsnprintf(NULL, 0, format, arguments);
  char *text = config_alloc(memory, size < 0 ? 1 : (size_t)size + 1);
  if (size > 0) vsnprintf(text, (size_t)size + 1, format, again);
  va_end(again);
  va_end(arguments);
  return text;
}
