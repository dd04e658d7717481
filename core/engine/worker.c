#include "engine/worker.h"
#include "engine/time.h"

void condition_init(pthread_cond_t *condition)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

void condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline)
{
  struct timespec until = {.tv_sec = (time_t)(deadline / NS_PER_S), .tv_nsec = (long)(deadline % NS_PER_S)};
  if (deadline == UINT64_MAX)
    pthread_cond_wait(condition, lock);
  else
    pthread_cond_timedwait(condition, lock, &until);
}

void worker_init(struct worker *worker)
{
  *worker = (struct worker){.running = false};
  pthread_mutex_init(&worker->lock, NULL);
  condition_init(&worker->ended);
}

void worker_free(struct worker *worker)
{
  pthread_cond_destroy(&worker->ended);
  pthread_mutex_destroy(&worker->lock);
}

static void *worker_main(void *argument)
{
  struct worker *worker = argument;
  worker->run(worker->argument);
  pthread_mutex_lock(&worker->lock);
  worker->over = true;
  pthread_cond_signal(&worker->ended);
  pthread_mutex_unlock(&worker->lock);
  return NULL;
}

bool worker_start(struct worker *worker, void (*run)(void *), void *argument)
{
  worker->run = run;
  worker->argument = argument;
  worker->over = false;
  worker->running = !pthread_create(&worker->thread, NULL, worker_main, worker);
  return worker->running;
}

bool worker_join(struct worker *worker, uint64_t deadline)
{
  if (!worker->running) return true;
  pthread_mutex_lock(&worker->lock);
  while (!worker->over && time_monotonic() < deadline) condition_wait(&worker->ended, &worker->lock, deadline);
  bool over = worker->over;
  pthread_mutex_unlock(&worker->lock);
  if (!over) return false;
  pthread_join(worker->thread, NULL);
  worker->running = false;
  return true;
}
