/* ends.h: what the other ends of the benchmarks share: a Unix socket's address, and writing all of something. */
#ifndef EVPIPE_BENCH_ENDS_H
#define EVPIPE_BENCH_ENDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

void die(const char *what); /* with errno's text; exit status 1 */
/* A stream socket, and the address of that path to bind or connect it to. */
int open_socket(const char *path, struct sockaddr_un *address);
/* All of it, in pieces of at most 64 KiB, as GHC's run-time system and eventlog-socket write. */
void send_all(int fd, const uint8_t *data, size_t size);

#endif
