/* metric_host.h: enough of evpipe to run one instance of a filter that makes metrics or logs, feed it events and see what
 * it does. (fake_host.h is for filters that pass events on.)
 *
 * What it emits, drops and says is kept as text, a line each, in order:
 *
 *   100 ghc_heap_census_bytes{band=THUNK,breakdown=closure_type} 8     a metric: event time, series, value
 *   100 ghc_gc_pause_seconds{generation=0} count=2 sum=0.7 <=0.5:1 <=1:1
 *                                                                      a histogram: the buckets that are not empty
 *   100 user_message info cap=0 thread=7 "hello"                       a log
 *   --                                                                 the end of a group
 *   end ghc_heap_census_bytes{...}                                     evp_series_end()
 *   drop 3 malformed
 *   warn the text / error the text / info the text / option top: the text
 *
 * The test links the plugin's own files, and so has its `evp_plugin_entry`.
 */
#ifndef EVPIPE_METRIC_HOST_H
#define EVPIPE_METRIC_HOST_H

#include <evpipe.h>

struct metric_host;

/* An instance with its defaults; `options`: "key=value key=value", a group's as "info_tables.max_size=1000". NULL if
   create() failed, and then *said (unless NULL) is what was said; to be freed. */
struct metric_host *metric_host_new(const char *options, char **said);
void metric_host_free(struct metric_host *); /* destroys the instance */

bool metric_host_wants(const struct metric_host *, uint16_t type);
/* What the stream's header declares; everything, if this is never called. */
void metric_host_declare(struct metric_host *, uint16_t type);
void metric_host_facts(
  struct metric_host *, const char *program, uint32_t pid, const char *rts); /* NULL, 0: not known */

/* The payload of the next event is put together by these, and sent by metric_host_event(). */
void metric_host_put_number(struct metric_host *, size_t bytes, uint64_t number);
void metric_host_put_string(struct metric_host *, const char *text); /* with its NUL */
void metric_host_put_bytes(struct metric_host *, const void *data, size_t size);
/* Given to map() as a batch of its own, if the filter wants the type. The type is of variable size if `variable`. */
enum evp_status metric_host_event(struct metric_host *, uint16_t type, uint64_t time, uint16_t cap, bool variable);
enum evp_status metric_host_end(struct metric_host *);

const char *metric_host_output(const struct metric_host *); /* all lines so far */
void metric_host_clear(struct metric_host *); /* forget them */
void metric_host_count_only(struct metric_host *); /* from now on metrics are counted, not written: for big tests */
uint64_t metric_host_metrics(const struct metric_host *);
size_t metric_host_open_series(const struct metric_host *); /* series that were got and not ended */

#endif
