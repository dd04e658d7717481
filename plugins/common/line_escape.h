/* line_escape.h: the escapes of InfluxDB's line protocol. Inside of line_protocol.c; by itself for its tests.
 *
 * Source   influxdb 1.x models/points.go: scanTags and scanMeasurement take a separator as escaped if the one byte before
 *          it is a backslash, scanLine skips any two bytes that begin with a backslash. Both agree only as long as
 *          no backslash of the text itself stands before a separator, escaped or not. Such a backslash is written as U+FF3C,
 *          which looks the same.
 * Errors   false: no memory.
 */
#ifndef EVPIPE_COMMON_LINE_ESCAPE_H
#define EVPIPE_COMMON_LINE_ESCAPE_H

#include <evpipe.h>

bool line_escape_measurement(struct evp_buf *, const char *name);
bool line_escape_tag(struct evp_buf *, const char *text); /* key or value */
/* A string field with its quotes, cut at a character to at most LINE_STRING_MAX bytes of text. */
enum { LINE_STRING_MAX = 32 * 1024 };
bool line_escape_string(struct evp_buf *, const char *text, size_t size);

#endif
