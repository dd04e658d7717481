/* process.h: what the operating system knows of this process. Linux only (/proc). Threads  any; nothing is kept. */
#ifndef EVPIPE_COMMON_PROCESS_H
#define EVPIPE_COMMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Each false if it can not be known here. */
bool process_cpu_seconds(double *);
bool process_resident_bytes(int64_t *);
bool process_start_time(double *); /* Unix seconds */
bool process_open_fds(int64_t *);
bool process_max_fds(int64_t *); /* false, too: there is no limit */

#endif
