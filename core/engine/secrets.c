#include "engine/secrets.h"
#include <stdlib.h>

void secrets_free(struct secrets *secrets)
{
  free(secrets->found);
  free(secrets->part);
  *secrets = (struct secrets){0};
}

void secrets_clear(struct secrets *secrets)
{
  secrets->n = 0;
}

static bool reserve(struct evp_secret **items, size_t *room, size_t n)
{
  if (n <= *room) return true;
  struct evp_secret *larger = reallocarray(*items, n * 2, sizeof *larger);
  if (!larger) return false;
  *items = larger;
  *room = n * 2;
  return true;
}

bool secrets_add(struct secrets *secrets, const struct eventlog_step *step, size_t begin)
{
  if (!reserve(&secrets->found, &secrets->room, secrets->n + step->n_secrets)) return false;
  for (size_t i = 0; i < step->n_secrets; i++) {
    struct evp_secret *secret = &secrets->found[secrets->n++];
    *secret = step->secrets[i];
    secret->offset += begin;
  }
  return true;
}

static int compare(const void *a, const void *b)
{
  const struct evp_secret *one = a, *other = b;
  return one->offset < other->offset ? -1 : one->offset > other->offset;
}

bool secrets_within(struct secrets *secrets, size_t begin, size_t end, struct evp_batch *batch)
{
  uint32_t n = 0;
  if (!reserve(&secrets->part, &secrets->part_room, secrets->n)) return false;
  for (size_t i = 0; i < secrets->n; i++) {
    const struct evp_secret *secret = &secrets->found[i];
    uint64_t from = secret->offset > begin ? secret->offset : begin, to = secret->offset + secret->size;
    if (to > end) to = end;
    if (from < to) secrets->part[n++] = (struct evp_secret){from - begin, (uint32_t)(to - from), secret->kind};
  }
  if (n) qsort(secrets->part, n, sizeof *secrets->part, compare);
  batch->secrets = n ? secrets->part : NULL;
  batch->n_secrets = n;
  return true;
}
