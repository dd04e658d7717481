/* line_protocol.h: metrics and logs as InfluxDB's line protocol, for the sinks `influxdb` and `print`.
 *
 *   measurement,tag=value,tag=value field=value,field=value time-in-ns
 *
 * The name of a series is the measurement, its labels are the tags, the field is `value`; a histogram has `count`, `sum`
 * and an integer for each bucket bound, cumulative; a log is a point of `ghc_log` (DESIGN 7). All is written so that
 * InfluxDB 1.x, whose parser is the strictest, reads back what was meant; where it can not (a tag that ends in a
 * backslash, a control character) the text is changed as little as possible.
 *
 * What a series begins with, escaped, is kept in a table of fixed size, by series->id.
 *
 * Owner    the instance. Threads  one at a time.
 * Errors   EVP_ERROR: no memory (reported). A value that InfluxDB has no form for (NaN, infinity) and a series without
 *          a name are left out, and counted by evp_drop().
 */
#ifndef EVPIPE_COMMON_LINE_PROTOCOL_H
#define EVPIPE_COMMON_LINE_PROTOCOL_H

#include <evpipe.h>

struct line_protocol;

struct line_protocol *line_protocol_new(struct evp_ctx *); /* NULL: no memory */
void line_protocol_free(struct line_protocol *); /* NULL is fine */

/* Appends the lines of a batch of metrics or logs. */
enum evp_status line_protocol_encode(struct line_protocol *, const struct evp_batch *, struct evp_buf *);

/* The end of the line that begins at data[from], behind its newline: strings may hold newlines of their own. */
size_t line_protocol_line_end(const uint8_t *data, size_t size, size_t from);
uint64_t line_protocol_lines(const uint8_t *data, size_t size);

#endif
