#include "resolver.h"
#include <stdlib.h>
#include <string.h>

struct question {
  struct gaicb request;
  struct tcp_address address;
  struct addrinfo hints;
};

static const struct addrinfo numeric_hints = {
  .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};

static bool ask(struct resolver *resolver)
{
  struct question *question = calloc(1, sizeof *question);
  if (!question) return false;
  question->address = *resolver->address;
  question->hints = (struct addrinfo){.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  question->request = (struct gaicb){
    .ar_name = question->address.host, .ar_service = question->address.port, .ar_request = &question->hints};
  struct gaicb *list[] = {&question->request};
  if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL)) {
    free(question);
    return false;
  }
  resolver->question = question;
  return true;
}

static enum resolver_state collect(struct resolver *resolver, const char **why)
{
  struct question *question = resolver->question;
  int error = gai_error(&question->request);
  if (error == EAI_INPROGRESS) return RESOLVER_WAITING;
  resolver->found = error ? NULL : question->request.ar_result;
  resolver->question = NULL;
  free(question);
  if (resolver->found) return RESOLVER_FOUND;
  *why = gai_strerror(error);
  return RESOLVER_FAILED;
}

enum resolver_state resolver_ask(struct resolver *resolver, int wait_ms, const char **why)
{
  if (resolver->found) return RESOLVER_FOUND;
  if (!resolver->question) {
    const struct tcp_address *address = resolver->address;
    if (!getaddrinfo(address->host, address->port, &numeric_hints, &resolver->found)) return RESOLVER_FOUND;
    resolver->found = NULL;
    if (!ask(resolver)) {
      *why = "no memory to resolve the name with";
      return RESOLVER_FAILED;
    }
  }
  if (wait_ms) {
    const struct gaicb *const list[] = {&resolver->question->request};
    const struct timespec timeout = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};
    gai_suspend(list, 1, &timeout);
  }
  return collect(resolver, why);
}

void resolver_forget(struct resolver *resolver)
{
  if (resolver->found) freeaddrinfo(resolver->found);
  resolver->found = NULL;
}

/* A question that is being asked can not be taken back: glibc's thread still reads and writes it, and keeps it. */
void resolver_free(struct resolver *resolver)
{
  const char *why;
  if (resolver->question && gai_cancel(&resolver->question->request) != EAI_NOTCANCELED) collect(resolver, &why);
  resolver->question = NULL;
  resolver_forget(resolver);
}
