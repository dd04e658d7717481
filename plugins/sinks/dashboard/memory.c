#include "memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 64 << 10, PAGE = 4096 };

static size_t in_pages(size_t size)
{
  return (size + PAGE - 1) / PAGE * PAGE;
}

static void *get(size_t size)
{
  if (size < LARGE) return malloc(size);
  void *memory = mmap(NULL, in_pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static void give_back(void *memory, size_t size)
{
  if (size < LARGE)
    free(memory);
  else
    munmap(memory, in_pages(size));
}

void *memory_resize(void *memory, size_t before, size_t after)
{
  if (after == 0) {
    if (before) give_back(memory, before);
    return NULL;
  }
  if (before == 0) return get(after);
  if (before < LARGE && after < LARGE) return realloc(memory, after);
  if (before >= LARGE && after >= LARGE) {
    void *moved = mremap(memory, in_pages(before), in_pages(after), MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
  }
  void *other = get(after);
  if (!other) return NULL;
  memcpy(other, memory, before < after ? before : after);
  give_back(memory, before);
  return other;
}
