#include "resolver.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Belongs to the thread that asks until it is `done`, then to the resolver; if that is gone, to the thread for good. */
struct question {
  pthread_mutex_t lock;
  pthread_cond_t answered;
  bool done, abandoned; /* under the lock */
  struct tcp_address address;
  int error;
  struct addrinfo *found;
};

static void question_free(struct question *question)
{
  pthread_cond_destroy(&question->answered);
  pthread_mutex_destroy(&question->lock);
  if (question->found) freeaddrinfo(question->found);
  free(question);
}

static int look_up(const struct tcp_address *address, int flags, struct addrinfo **found)
{
  const struct addrinfo hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
  int error = getaddrinfo(address->host, address->port, &hints, found);
  if (error) *found = NULL;
  return error;
}

/* The core unloads no plugin that has run: this may outlive the instance. */
static void *ask(void *argument)
{
  struct question *question = argument;
  question->error = look_up(&question->address, 0, &question->found);
  pthread_mutex_lock(&question->lock);
  question->done = true;
  bool abandoned = question->abandoned;
  pthread_cond_signal(&question->answered);
  pthread_mutex_unlock(&question->lock);
  if (abandoned) question_free(question);
  return NULL;
}

static struct question *question_new(const struct tcp_address *address)
{
  struct question *question = calloc(1, sizeof *question);
  if (!question) return NULL;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&question->answered, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&question->lock, NULL);
  question->address = *address;
  return question;
}

/* Signals are for the main thread. */
static bool start_asking(struct resolver *resolver)
{
  struct question *question = question_new(resolver->address);
  if (!question) return false;
  sigset_t all, before;
  pthread_t thread;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, ask, question);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    question_free(question);
    return false;
  }
  pthread_detach(thread);
  resolver->question = question;
  return true;
}

static bool wait_for_answer(struct question *question, unsigned wait_ms)
{
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += wait_ms / 1000;
  until.tv_nsec += wait_ms % 1000 * 1000000L;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&question->lock);
  while (
    wait_ms && !question->done && pthread_cond_timedwait(&question->answered, &question->lock, &until) != ETIMEDOUT)
    continue;
  bool done = question->done;
  pthread_mutex_unlock(&question->lock);
  return done;
}

enum resolver_state resolver_ask(struct resolver *resolver, unsigned wait_ms, const char **why)
{
  if (resolver->found || (!resolver->question && !look_up(resolver->address, AI_NUMERICHOST, &resolver->found)))
    return RESOLVER_FOUND;
  if (!resolver->question && !start_asking(resolver)) {
    *why = "no memory for a thread to resolve the name with";
    return RESOLVER_FAILED;
  }
  struct question *question = resolver->question;
  if (!wait_for_answer(question, wait_ms)) return RESOLVER_WAITING;
  resolver->question = NULL;
  resolver->found = question->found;
  question->found = NULL;
  *why = gai_strerror(question->error);
  question_free(question);
  return resolver->found ? RESOLVER_FOUND : RESOLVER_FAILED;
}

void resolver_forget(struct resolver *resolver)
{
  if (resolver->found) freeaddrinfo(resolver->found);
  resolver->found = NULL;
}

void resolver_free(struct resolver *resolver)
{
  struct question *question = resolver->question;
  if (question) {
    pthread_mutex_lock(&question->lock);
    question->abandoned = true;
    bool done = question->done;
    pthread_mutex_unlock(&question->lock);
    if (done) question_free(question);
  }
  resolver->question = NULL;
  resolver_forget(resolver);
}
