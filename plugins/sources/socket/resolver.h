/* resolver.h: the addresses of a host, without ever waiting for a name server in a lane's thread.
 *
 * A lane serves many sources and must not stop for one of them, but getaddrinfo() waits for as long as the name servers
 * take. So a thread is made for each question, and left to itself if nobody wants the answer any more. (Not glibc's
 * getaddrinfo_a(): ThreadSanitizer does not survive the threads that it makes.) A name is asked again after every round
 * of failures: in Docker and Kubernetes a restarted program comes back at another address.
 *
 * Owner    the instance. Threads  one at a time.
 */
#ifndef EVPIPE_SOCKET_RESOLVER_H
#define EVPIPE_SOCKET_RESOLVER_H

#include "socket_address.h"
#include <netdb.h>

struct question; /* what we share with the thread that asks */

struct resolver {
  const struct tcp_address *address;
  struct question *question; /* under way */
  struct addrinfo *found;
};

enum resolver_state { RESOLVER_FOUND, RESOLVER_WAITING, RESOLVER_FAILED };

/* Begins to ask if nothing is known or under way; waits at most so many milliseconds. If it failed, *why says why. */
enum resolver_state resolver_ask(struct resolver *, unsigned wait_ms, const char **why);
void resolver_forget(struct resolver *); /* what was found */
void resolver_free(struct resolver *);

#endif
