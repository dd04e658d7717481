/* each.h: the sources of a node with `each`: one for each path that its glob matches, made when the path appears, let go
 * when it is gone and nothing is connected to it any more.
 *
 * Owner    the node. The sources sit in lanes; those that leave come back here.
 * Threads  main, all of it. Making a source costs some tens of microseconds; no thread of its own is needed for that.
 */
#ifndef EVPIPE_EACH_H
#define EVPIPE_EACH_H

#include "engine/node.h"

struct each;

/* At most so many sources at a time, of one node; what is beyond waits until others have gone. */
enum { MOST_INSTANCES = 10000 };

struct each *each_new(struct node *); /* NULL: no memory */
void each_free(struct each *); /* and its sources: after the lanes */

int each_fd(const struct each *); /* readable: something to look at; -1: there is none */
uint64_t each_deadline(const struct each *); /* monotonic: when to look at the latest */
bool each_has_sources(const struct each *); /* that have not been taken back */
/* Looks at what is there now, if it is time to. */
void each_look(struct each *);
/* One of its sources has left its lane: frees it, and makes it anew if its path is there again. */
void each_take_back(struct each *, struct source *);

#endif
