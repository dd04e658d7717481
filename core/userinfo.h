/* userinfo.h: the user and password within an address (scheme://USER:PASSWORD@host), which nobody is to see: not in an
 * excerpt of the configuration, not in a log line, not in what a back end answered.
 *
 * Threads  any; no state.
 */
#ifndef EVPIPE_USERINFO_H
#define EVPIPE_USERINFO_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes from behind the first "://" up to the last '@': a password may have any character in it, and rather too much
   is hidden than too little. False: there are none. */
bool userinfo_find(const char *text, size_t size, size_t *begin, size_t *end);
/* In every word of the text, as stars; it does not get longer. */
void userinfo_hide(char *text);

#endif
