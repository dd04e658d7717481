/* units.h: numbers as people write them. Each returns false if the text is not one, and leaves *value alone. */
#ifndef EVPIPE_CONFIG_UNITS_H
#define EVPIPE_CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_bool(const char *text, bool *value); /* true, false, yes, no, on, off */
bool parse_int(const char *text, int64_t *value);
bool parse_double(const char *text, double *value); /* finite */
bool parse_size(const char *text, uint64_t *bytes); /* 65536, 64K, 64KiB, 2MiB, 1GiB; 10MB and 10kB are decimal */
bool parse_duration(const char *text, uint64_t *ns); /* 250ms, 1.5s, 2m, 1h, 100us, 10ns, 1d; none, never; 0 */

/* The units that are understood, by number; NULL behind the last. */
const char *size_unit(size_t);
const char *duration_unit(size_t);

#endif
