/* dead_letter.h: the file for messages that a back end refuses for good, so that a user can look at them, mend them and
 * send them again. Each is a line of JSON, then as many bytes as that line's `size` says, plain, then a line feed:
 *
 *   {"time":"2026-11-24T01:48:59Z","node":"influx","plugin":"influxdb","format":1,"id":17,"reason":"rejected","items":3,"size":120}
 *
 * Owner    the outbox; calls are made by the thread that delivers. The file may be shared, also between processes.
 */
#ifndef EVPIPE_DEAD_LETTER_H
#define EVPIPE_DEAD_LETTER_H

#include "engine/node.h"

/* Opens the file that the configuration names, or makes it with mode 0600. False: reported. `file` is -1 if none is
   named. */
bool dead_letter_open(struct node *, int *file);
/* `sealed`: it could not be unsealed, and is written as it is; the line says so, and the log. `reason` has no characters that
   JSON would escape. What can not be written is said and counted as an error. */
void dead_letter_write(struct node *, int file, const struct evp_message *, bool sealed, const char *reason);

#endif
