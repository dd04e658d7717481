/* What lies where in ABI 1, as the first release has it: C and C++, gcc and clang. Compiled, not run. */
#include <evpipe.h>
#include <evpipe.h> /* twice does no harm */

#ifdef __cplusplus
#define CHECK(what) static_assert(what, #what)
#else
#define CHECK(what) _Static_assert(what, #what)
#endif
#define AT(type, member, offset) CHECK(offsetof(struct type, member) == (offset))

CHECK(EVP_ABI == 1);
CHECK(sizeof(void *) != 8 || sizeof(struct evp_event) == 24);
AT(evp_event, time, 0);

#if UINTPTR_MAX == 0xffffffffffffffffu
AT(evp_event, data, 8);
AT(evp_event, size, 16);
AT(evp_event, type, 18);
AT(evp_event, cap, 20);
AT(evp_event, flags, 22);
AT(evp_metric, series, 8);
AT(evp_metric, value, 16);
AT(evp_metric, flags, 24);
AT(evp_log, body, 16);
AT(evp_log, body_size, 24);
AT(evp_log, attributes, 32);
AT(evp_log, thread, 48);
AT(evp_label, value, 8);
AT(evp_event_type, description, 8);
AT(evp_event_type, name, 16);
AT(evp_option, type, 8);
AT(evp_option, offset, 16);
AT(evp_option, value, 24);
AT(evp_option, help, 32);
AT(evp_option, choices, 40);
AT(evp_option, group, 48);
CHECK(sizeof(struct evp_strings) == 16 && sizeof(struct evp_map) == 16 && sizeof(struct evp_buf) == 24);
CHECK(sizeof(struct evp_drop_count) == 16);

/* These grow at the end: what is here stays where it is. */
AT(evp_series, name, 8);
AT(evp_series, kind, 32);
AT(evp_series, labels, 40);
AT(evp_series, start, 48);
AT(evp_series, bounds, 64);
AT(evp_buckets, counts, 16);
AT(evp_batch, stream, 8);
AT(evp_batch, items, 24);
AT(evp_batch, sel, 32);
AT(evp_batch, n, 40);
AT(evp_batch, epoch, 64);
AT(evp_batch, secrets, 72);
AT(evp_batch, whole, 88);
AT(evp_batch, block, 96);
AT(evp_batch, prologue_end, 104);
AT(evp_secret, size, 8);
AT(evp_gap, items, 16);
AT(evp_message, id, 16);
AT(evp_message, last_time, 48);
AT(evp_delivery, delivered, 16);
AT(evp_delivery, unseal, 32);
AT(evp_node_statistics, name, 8);
AT(evp_node_statistics, n_drops, 28);
AT(evp_node_statistics, in, 32);
AT(evp_node_statistics, drops, 128);
AT(evp_node_statistics, delivered, 384);
AT(evp_node_statistics, lag, 456);
AT(evp_node_statistics, late, 520);
AT(evp_plugin, abi, 0);
AT(evp_plugin, size, 4);
AT(evp_plugin, kind, 8);
AT(evp_plugin, name, 24);
AT(evp_plugin, options, 40);
AT(evp_plugin, defaults, 64);
AT(evp_plugin, create, 72);
AT(evp_plugin, ready, 112);
AT(evp_plugin, connect, 120);
AT(evp_plugin, emit, 152);
AT(evp_plugin, select, 160);
AT(evp_plugin, more, 184);
AT(evp_plugin, stream_begin, 192);
AT(evp_plugin, unseal, 248);
AT(evp_plugin, deliver, 256);
AT(evp_plugin, interrupt, 264);
CHECK(sizeof(struct evp_plugin) == 272);
#endif

struct mine {
  bool truth;
  const char *word;
};
static const struct evp_option options[] = {
  EVP_BOOL(struct mine, truth, "true", "A truth."), EVP_STRING(struct mine, word, NULL, "A word."), EVP_OPTIONS_END};

static enum evp_status mine_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  return evp_unix_time(batch, 0) ? EVP_OK : EVP_END;
}

#ifdef __cplusplus
EVP_PLUGIN(p.kind = EVP_SINK; p.name = "mine"; p.summary = "Mine."; p.accepts = EVP_EVENTS; p.options = options;
           p.instance_size = sizeof(struct mine); p.write = mine_write;);
#else
EVP_PLUGIN(.kind = EVP_SINK, .name = "mine", .summary = "Mine.", .accepts = EVP_EVENTS, .options = options,
  .instance_size = sizeof(struct mine), .write = mine_write);
#endif
