#include "collections.h"

#include <stdlib.h>

void collections_free(struct collections *collections)
{
  free(collections->items);
}

struct collection *collections_of(struct collections *collections, uint16_t capability)
{
  if (capability >= collections->n) {
    uint32_t n = capability + 1u;
    struct collection *items = realloc(collections->items, n * sizeof *items);
    if (!items) return NULL;
    for (uint32_t i = collections->n; i < n; i++) items[i] = (struct collection){0};
    collections->items = items;
    collections->n = n;
  }
  return &collections->items[capability];
}

/* Whatever comes next is of another collection. What was a helper's is forgotten. */
static void leave(struct collections *collections, struct collection *collection)
{
  if (collection->led) collections->unpaired++;
  *collection = (struct collection){.requested = collection->requested};
}

void collection_request(struct collection *collection)
{
  collection->requested = true;
}

void collection_begin(struct collections *collections, struct collection *collection, uint64_t time)
{
  leave(collections, collection);
  collection->begun = true;
  collection->begin = time;
  collection->led = !collections->tells_leader && (collection->requested || collections->single);
  collection->requested = false;
}

void collection_end(struct collections *collections, struct collection *collection, uint64_t time)
{
  if (collection->ended) leave(collections, collection);
  collection->ended = true;
  collection->end = time;
}

void collection_lead(struct collections *collections, struct collection *collection, uint16_t generation)
{
  if (collection->led) leave(collections, collection);
  collection->led = true;
  collection->generation = generation;
}

bool collection_take(struct collections *collections, struct collection *collection, struct pause *pause)
{
  if (!collection->begun || !collection->ended || !collection->led) return false;
  *pause = (struct pause){collection->begin, collection->end, collection->generation};
  bool sound = pause->begin <= pause->end; /* else a time is damaged */
  if (sound) collection->led = false;
  leave(collections, collection);
  return sound;
}

void collections_finish(struct collections *collections)
{
  for (uint32_t i = 0; i < collections->n; i++) leave(collections, &collections->items[i]);
}
