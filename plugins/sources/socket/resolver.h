/* resolver.h: the addresses of a host, without ever waiting for a name server in a lane's thread.
 *
 * A lane serves many sources and must not stop for one of them, but getaddrinfo() waits for as long as the name servers
 * take. getaddrinfo_a() of glibc asks in a thread of its own, and calls nothing of ours there. A name is asked again after
 * every round of failures: in Docker and Kubernetes a restarted program comes back at another address.
 *
 * Owner    the instance. Threads  one at a time.
 */
#ifndef EVPIPE_SOCKET_RESOLVER_H
#define EVPIPE_SOCKET_RESOLVER_H

#include "address.h"
#include <netdb.h>

struct question; /* all that glibc's thread reads and writes */

struct resolver {
  const struct tcp_address *address;
  struct question *question; /* under way */
  struct addrinfo *found;
};

enum resolver_state { RESOLVER_FOUND, RESOLVER_WAITING, RESOLVER_FAILED };

/* Begins to ask if nothing is known or under way; waits at most so many milliseconds. If it failed, *why says why. */
enum resolver_state resolver_ask(struct resolver *, int wait_ms, const char **why);
void resolver_forget(struct resolver *); /* what was found */
void resolver_free(struct resolver *);

#endif
