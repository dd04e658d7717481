/* log.h: evpipe's own log: stderr, one line each, with the node and its place in the YAML.
 *
 *   text   2026-11-24T01:48:59.123Z warning influx (pipeline.yaml:12): connection refused; trying again in 2 s
 *   json   {"time":"2026-11-24T01:48:59.123Z","level":"warning","node":"influx","place":"pipeline.yaml:12","message":"..."}
 *
 * Threads  any; a line is written by one write(2). Control characters in a message are escaped, so that what came from
 *          a stream or a back end can not forge a line. Nobody passes a secret in here.
 */
#ifndef EVPIPE_LOG_H
#define EVPIPE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_configure(enum log_level, enum log_format);
bool log_level_parse(const char *word, enum log_level *); /* "error", "warning", "info", "debug" */
bool log_enabled(enum log_level);

/* `node` and `place` may be NULL. */
void log_line(enum log_level, const char *node, const char *place, const char *format, ...)
  __attribute__((format(printf, 4, 5)));
void log_line_v(enum log_level, const char *node, const char *place, const char *format, va_list)
  __attribute__((format(printf, 4, 0)));

#endif
