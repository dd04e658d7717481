#include "eventlog/catalogue.h"

#include <evpipe/events.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE 0xffffu
#define NOT_DECLARED UINT32_MAX

const struct catalogue_entry *catalogue_find(uint16_t number)
{
  if (number >= catalogue_n_entries || !catalogue_entries[number].name) return NULL;
  return &catalogue_entries[number];
}

static int compare_name(const void *name, const void *number)
{
  return strcmp(name, catalogue_entries[*(const uint16_t *)number].name);
}

const struct catalogue_entry *catalogue_find_name(const char *name)
{
  const uint16_t *number = bsearch(name, catalogue_by_name, catalogue_n_names, sizeof *catalogue_by_name, compare_name);
  return number ? &catalogue_entries[*number] : NULL;
}

/* The sizes that 6.12 really writes, read off its logs: the RTS computed the declared ones from C types. */
uint16_t catalogue_true_size(uint32_t dialect, uint16_t type, uint16_t size)
{
  if (!(dialect & EVP_DIALECT_GHC_6_12)) return size;
  switch (type) {
  case EVP_CREATE_THREAD:
  case EVP_RUN_THREAD:
  case EVP_THREAD_RUNNABLE:
  case EVP_RUN_SPARK:
  case EVP_CREATE_SPARK_THREAD:
    return 4;
  case EVP_STOP_THREAD:
  case EVP_MIGRATE_THREAD:
  case EVP_STEAL_SPARK:
  case EVP_THREAD_WAKEUP:
    return 6;
  case EVP_STARTUP:
    return 2;
  default:
    return size;
  }
}

/* A number that is declared twice counts as its last declaration, as for the records. */
static uint32_t declared(const struct evp_event_type *types, size_t n, uint16_t number)
{
  while (n--)
    if (types[n].number == number) return types[n].size;
  return NOT_DECLARED;
}

static bool is_mercury(const struct evp_event_type *types, size_t n)
{
  if (declared(types, n, EVP_SPARK_STEAL) == VARIABLE) return true;
  if (declared(types, n, EVP_CREATE_THREAD) == 4 && declared(types, n, EVP_RUN_SPARK) == 8) return true;
  return declared(types, n, EVP_MER_CALLING_MAIN) != NOT_DECLARED ||
         declared(types, n, EVP_MER_START_PAR_CONJUNCTION) != NOT_DECLARED;
}

static uint32_t stop_coding(const struct evp_event_type *types, size_t n, bool ghc_6_12)
{
  if (ghc_6_12 || declared(types, n, EVP_STOP_THREAD) == 6) return EVP_DIALECT_STOP_A;
  if (declared(types, n, EVP_USER_MARKER) == NOT_DECLARED) return EVP_DIALECT_STOP_B;
  if (declared(types, n, EVP_HACK_BUG_T9003) == NOT_DECLARED) return EVP_DIALECT_STOP_C;
  return EVP_DIALECT_STOP_D;
}

uint32_t catalogue_dialect(const struct evp_event_type *types, size_t n)
{
  bool ghc_6_12 = declared(types, n, EVP_CREATE_THREAD) == 8;
  uint32_t dialect = stop_coding(types, n, ghc_6_12);
  if (ghc_6_12) dialect |= EVP_DIALECT_GHC_6_12;
  if (is_mercury(types, n)) dialect |= EVP_DIALECT_MERCURY;
  return dialect;
}
