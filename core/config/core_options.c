#include "config/core_options.h"

static const char *const when_full_choices[] = {"auto", "drop_oldest", "drop_newest", "wait", NULL};
static const char *const clock_choices[] = {"recorded", "now", NULL};

static const struct evp_option control_options[] = {
  {"unix", EVP_T_STRING, 0, offsetof(struct control_keys, unix_path), NULL,
    "Path of the socket that `evpipe ctl` talks to, for the user that runs evpipe; none: nobody may.", NULL, NULL,
    NULL},
  EVP_OPTIONS_END};

const struct evp_option top_options[] = {
  EVP_INT(struct top_keys, lanes, "0",
    "Threads that read and decode; 0: as many as cores, without `each` at most as many as sources."),
  EVP_DURATION(struct top_keys, shutdown_timeout, "10s", "How long queues may drain after a signal."),
  EVP_GROUP(struct top_keys, control, control_options, "Talking to a running evpipe."), EVP_OPTIONS_END};

const struct evp_option source_node_options[] = {
  EVP_STRING_REQUIRED(struct node_keys, plugin, "A name, or a path with a slash in it."), EVP_OPTIONS_END};

const struct evp_option consumer_node_options[] = {
  EVP_STRING_REQUIRED(struct node_keys, plugin, "A name, or a path with a slash in it."),
  {"from", EVP_T_STRINGS, EVP_REQUIRED, offsetof(struct node_keys, from), NULL,
    "The nodes it takes from: one name or a list.", NULL, NULL, NULL},
  EVP_STRINGS(struct node_keys, signals, "What to take of them: bytes, events, metrics, logs."), EVP_OPTIONS_END};

static const struct evp_option reconnect_options[] = {
  EVP_DURATION(struct reconnect_settings, initial, "100ms", "The first delay; it doubles with each failure."),
  EVP_DURATION(struct reconnect_settings, max, "10s", "The longest delay."), EVP_OPTIONS_END};

static const struct evp_option hold_options[] = {
  EVP_SIZE(struct hold_settings, max_size, "16MiB", "Memory for items that wait for the stream's wall clock."),
  EVP_DURATION(struct hold_settings, max_delay, "2s", "How long they wait in a live stream."), EVP_OPTIONS_END};

static const struct evp_option prologue_options[] = {
  EVP_SIZE(struct prologue_settings, max_memory, "4MiB", "Definitions kept in memory; more go to a temporary file."),
  EVP_SIZE(struct prologue_settings, max_size, "1GiB", "Definitions kept in all."), EVP_OPTIONS_END};

const struct evp_option source_options[] = {
  EVP_MAP(struct source_settings, labels, "Labels of all its series; `service` is the node's name if not given."),
  EVP_OPTIONS_END};

const struct evp_option reading_options[] = {
  EVP_STRING(struct source_settings, each, NULL, "A glob: one source for each path that it matches, now or later."),
  EVP_GROUP(struct source_settings, reconnect, reconnect_options, "When to try again."),
  EVP_DURATION(struct source_settings, silence, "10s",
    "How long a program that is connected may be silent before a warning says why; never: there is none."),
  EVP_GROUP(struct source_settings, hold, hold_options, "Waiting for the wall clock."),
  EVP_GROUP(struct source_settings, prologue, prologue_options, "What late readers are given."),
  {"pace", EVP_T_STRING, 0, offsetof(struct source_settings, pace_text), "max",
    "How fast a recording is read: max, realtime, or a factor such as 2x.", NULL, NULL, NULL},
  EVP_CHOICE(struct source_settings, clock, "recorded", "Times of a recording: as they were, or as if it happened now.",
    clock_choices),
  EVP_BOOL(struct source_settings, controllable, "false",
    "Commands may be sent to the program, which must be built with eventlog-socket's control."),
  EVP_OPTIONS_END};

static const struct evp_option queue_options[] = {
  EVP_SIZE(struct queue_settings, max_size, "64MiB", "Memory that waits for this sink."),
  EVP_CHOICE(struct queue_settings, when_full, "auto",
    "auto: wait if the producer can wait harmlessly (a file), else drop the oldest.", when_full_choices),
  EVP_OPTIONS_END};

static const struct evp_option batch_options[] = {
  EVP_INT(struct batch_settings, max_items, "1000", "Items of a message."),
  EVP_SIZE(struct batch_settings, max_size, "4MiB", "Bytes of a message, before compression."),
  EVP_DURATION(struct batch_settings, max_delay, "1s", "Age of a message's first item when it is sealed."),
  EVP_OPTIONS_END};

static const struct evp_option retry_options[] = {
  EVP_DURATION(struct retry_settings, initial, "1s", "The first delay; it doubles with each failure."),
  EVP_DURATION(struct retry_settings, max, "30s", "The longest delay."),
  EVP_REAL(struct retry_settings, jitter, "0.2", "Part of a delay by which it may be shorter or longer."),
  EVP_DURATION(struct retry_settings, give_up, "never", "When a message is dropped, since its first attempt."),
  EVP_OPTIONS_END};

static const struct evp_option spool_options[] = {
  EVP_STRING_REQUIRED(struct spool_settings, path, "The file that it is; its folder is there already."),
  EVP_SIZE(struct spool_settings, max_size, "1GiB", "Of the file and its log, PATH-wal, together."), EVP_OPTIONS_END};

const struct evp_option sink_options[] = {
  EVP_GROUP(struct sink_settings, queue, queue_options, "What waits for this sink."), EVP_OPTIONS_END};

const struct evp_option delivering_options[] = {
  EVP_GROUP(struct sink_settings, batch, batch_options, "When a message is sealed."),
  EVP_GROUP(struct sink_settings, retry, retry_options, "When a delivery is tried again."),
  EVP_DURATION(struct sink_settings, timeout, "10s", "How long one attempt may take."),
  EVP_GROUP(struct sink_settings, spool, spool_options, "Messages on disk until they are delivered."),
  EVP_STRING(struct sink_settings, dead_letter, NULL, "A file for messages that are refused for good or given up."),
  EVP_OPTIONS_END};

bool core_reads(const struct evp_plugin *plugin)
{
  return !plugin || (plugin->kind == EVP_SOURCE && !plugin->emit);
}

bool core_delivers(const struct evp_plugin *plugin)
{
  return !plugin || plugin->deliver;
}

size_t core_tables(
  enum evp_kind kind, const struct evp_plugin *plugin, const struct evp_option *tables[MAX_CORE_TABLES])
{
  size_t n = 0;
  tables[n++] = kind == EVP_SOURCE ? source_node_options : consumer_node_options;
  if (kind == EVP_SOURCE) tables[n++] = source_options;
  if (kind == EVP_SOURCE && core_reads(plugin)) tables[n++] = reading_options;
  if (kind == EVP_SINK) tables[n++] = sink_options;
  if (kind == EVP_SINK && core_delivers(plugin)) tables[n++] = delivering_options;
  return n;
}
