/* Plugins that are not as they should be: the one that ODD says. Each is a build of its own. */
#include <evpipe.h>

#if !defined ODD
#error "say which: -DODD=..."
#endif

enum odd {
  good,
  no_symbol,
  newer_abi,
  older_abi,
  larger_used,
  larger_unused,
  smaller,
  no_size,
  wrong_kind,
  unknown_kind,
  no_name,
  no_callback,
  both_ways,
  unknown_signal,
  unresolved,
  bad_default,
  bad_offset,
  bad_type,
  no_end,
  no_choices,
  bad_defaults,
  core_key,
  create_fails
};

struct instance {
  int64_t number;
};

static enum evp_status odd_write(void *self, const struct evp_batch *batch)
{
  (void)self;
  (void)batch;
  return EVP_OK;
}

static enum evp_status odd_encode(void *self, const struct evp_batch *batch, struct evp_buf *message)
{
  (void)self;
  (void)batch;
  (void)message;
  return EVP_OK;
}

extern void evp_of_a_later_version(void);

static enum evp_status odd_create(void *self, struct evp_ctx *ctx)
{
  struct instance *instance = self;
  if (ODD == create_fails && instance->number) evp_option_error(ctx, "number", "is not to my liking");
#if defined UNRESOLVED
  evp_of_a_later_version();
#endif
  return ODD == create_fails ? EVP_ERROR : EVP_OK;
}

static const struct evp_option options[] = {
  {ODD == core_key ? "queue" : "number",
    ODD == bad_type     ? 99
    : ODD == no_choices ? EVP_T_CHOICE
                        : EVP_T_INT,
    0, ODD == bad_offset ? 4096 : 0, ODD == bad_default ? "many" : "0", "A number.", NULL, NULL, NULL},
#if !defined NO_END
  EVP_OPTIONS_END,
#else
/* Enough of them that the reader gives up before it has left the array. */
#define FOUR(x) x, x, x, x
#define MORE \
  { \
    "more", EVP_T_INT, 0, 0, NULL, "More.", NULL, NULL, NULL \
  }
  FOUR(FOUR(FOUR(FOUR(MORE)))),
  FOUR(FOUR(FOUR(FOUR(MORE)))),
#endif
};

#if !defined NO_SYMBOL
/* A later contract's struct: what it has more lies behind ours. */
struct larger {
  struct evp_plugin plugin;
  void (*later)(void);
};

#define PLUGIN \
  { \
    .abi = ODD == newer_abi   ? EVP_ABI + 1 \
           : ODD == older_abi ? 0 \
                              : EVP_ABI, \
    .size = ODD == no_size                               ? 0 \
            : ODD == smaller                             ? offsetof(struct evp_plugin, encode) \
            : ODD == larger_used || ODD == larger_unused ? sizeof(struct larger) \
                                                         : sizeof(struct evp_plugin), \
    .kind = ODD == wrong_kind     ? EVP_FILTER \
            : ODD == unknown_kind ? 7 \
                                  : EVP_SINK, \
    .accepts = ODD == unknown_signal ? 1024 : EVP_EVENTS, .emits = ODD == wrong_kind ? EVP_EVENTS : 0, \
    .name = ODD == no_name ? NULL : "odd", .summary = "An odd one.", .options = options, \
    .instance_size = sizeof(struct instance), .defaults = ODD == bad_defaults ? "{queue: {max_size: much}}" : NULL, \
    .create = odd_create, .write = ODD == no_callback || ODD == wrong_kind ? NULL : odd_write, \
    .map = ODD == wrong_kind ? odd_map : NULL, .encode = ODD == both_ways ? odd_encode : NULL \
  }

static enum evp_status odd_map(void *self, const struct evp_batch *batch, struct evp_out *out)
{
  (void)out;
  return odd_write(self, batch);
}

static void later(void)
{
}

EVP_EXPORT extern const struct larger odd_entry __asm__("evp_plugin_entry");
const struct larger odd_entry = {.plugin = PLUGIN, .later = ODD == larger_used ? later : NULL};
#else
int nothing_here;
const void *const unused[] = {options, (const void *)odd_write, (const void *)odd_encode, (const void *)odd_create};
#endif
