/* log_words.h: the words for a log record's kind and severity that all our sinks use. Threads  any. */
#ifndef EVPIPE_COMMON_LOG_WORDS_H
#define EVPIPE_COMMON_LOG_WORDS_H

#include <evpipe.h>
#include <string.h>

/* As in the page of the filter `logs`; of what another plugin says it is the name. */
static inline const char *log_kind_word(const char *name)
{
  if (!strcmp(name, "user_marker")) return "marker";
  if (!strcmp(name, "user_message")) return "message";
  if (!strcmp(name, "thread_label")) return "label";
  if (!strcmp(name, "rts_log")) return "rts";
  return name;
}

static inline const char *log_severity_word(uint16_t severity)
{
  if (severity < EVP_DEBUG) return "trace";
  if (severity < EVP_INFO) return "debug";
  if (severity < EVP_WARN) return "info";
  return severity < EVP_FAILURE ? "warning" : "error";
}

#endif
