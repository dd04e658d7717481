#include "engine/slab.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* How many free slabs are kept for the next read: as many as lie in a queue whose producer waits, so that they are used in
   turn and not fetched from the kernel anew. More of them are only in use while a queue is long. */
enum { KEPT_FREE = 8 };

struct slab_pool {
  pthread_mutex_t lock;
  struct slab *free;
  unsigned n_free;
  atomic_uint in_use;
};

struct slab_pool *slab_pool_new(void)
{
  struct slab_pool *pool = calloc(1, sizeof *pool);
  if (pool) pthread_mutex_init(&pool->lock, NULL);
  return pool;
}

void slab_pool_free(struct slab_pool *pool)
{
  if (!pool) return;
  assert(!atomic_load(&pool->in_use));
  for (struct slab *slab = pool->free, *next; slab; slab = next) {
    next = slab->next_free;
    free(slab);
  }
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

static struct slab *take_free(struct slab_pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  struct slab *slab = pool->free;
  if (slab) {
    pool->free = slab->next_free;
    pool->n_free--;
  }
  pthread_mutex_unlock(&pool->lock);
  return slab;
}

struct slab *slab_get(struct slab_pool *pool)
{
  struct slab *slab = take_free(pool);
  if (!slab) slab = malloc(sizeof *slab);
  if (!slab) return NULL;
  atomic_init(&slab->refs, 1);
  slab->pool = pool;
  slab->next_free = NULL;
  atomic_fetch_add_explicit(&pool->in_use, 1, memory_order_relaxed);
  return slab;
}

void slab_ref(struct slab *slab)
{
  atomic_fetch_add_explicit(&slab->refs, 1, memory_order_relaxed);
}

static void give_back(struct slab *slab)
{
  struct slab_pool *pool = slab->pool;
  pthread_mutex_lock(&pool->lock);
  if (pool->n_free < KEPT_FREE) {
    slab->next_free = pool->free;
    pool->free = slab;
    pool->n_free++;
    slab = NULL;
  }
  pthread_mutex_unlock(&pool->lock);
  free(slab);
  atomic_fetch_sub_explicit(&pool->in_use, 1, memory_order_release);
}

void slab_unref(struct slab *slab)
{
  if (slab && atomic_fetch_sub_explicit(&slab->refs, 1, memory_order_acq_rel) == 1) give_back(slab);
}
