#include "settings.h"
#include "key_list.h"
#include "redact.h"
#include <stdlib.h>
#include <string.h>

#define HIGH_WATER_MARK_MIN (UINT64_C(16) * 1024)
#define HIGH_WATER_MARK_MAX (UINT64_C(64) * 1024 * 1024 * 1024)
#define LINGER_MAX (UINT64_C(3600) * 1000000000)
enum { MESSAGE_SIZE_MIN = 4 * 1024, MESSAGE_SIZE_MAX = 64 * 1024, MESSAGES_MIN = 4 };

static const char *const patterns[] = {"pub", "push", NULL};

static const struct evp_option curve_table[] = {
  EVP_SECRET(struct curve_settings, secret_key, "Our own secret key (z85, 40 characters); turns CURVE on."),
  EVP_STRINGS(struct curve_settings, allowed_keys, "bind: public keys (z85) that may connect; no others."),
  EVP_STRING(
    struct curve_settings, allowed_keys_file, NULL, "bind: a file with such keys, one a line; # begins a comment."),
  EVP_BOOL(struct curve_settings, allow_any, "false", "bind: let every key in: encrypted, but for everybody."),
  EVP_STRING(struct curve_settings, server_key, NULL, "connect: the public key (z85) of who listens there."),
  EVP_OPTIONS_END};

const struct evp_option settings_table[] = {
  EVP_STRING(struct settings, bind, NULL, "Where to listen: tcp://127.0.0.1:5556, ipc:///run/evpipe.ipc."),
  EVP_STRING(struct settings, connect, NULL, "Or whom to connect to: tcp://HOST:PORT, ipc://PATH."),
  EVP_CHOICE(struct settings, pattern, "pub",
    "pub: every subscriber gets what it subscribed to; push: each message goes to one of those that pull.", patterns),
  EVP_SIZE(
    struct settings, high_water_mark, "64MiB", "What may wait for one subscriber; what is beyond, it does not get."),
  EVP_DURATION(struct settings, linger, "1s", "At the end: how long to wait until all of it has gone out."),
  EVP_BOOL(struct settings, allow_remote, "false", "Let bind name an address that other machines reach."),
  REDACT_OPTION(struct settings, redact),
  EVP_GROUP(struct settings, curve, curve_table, "Encryption, and who may connect."), EVP_OPTIONS_END};

static bool refuse(struct evp_ctx *ctx, const char *key, const char *why)
{
  evp_option_error(ctx, key, "%s", why);
  return false;
}

static void forget_empty(struct settings *settings)
{
  const char **const texts[] = {&settings->bind, &settings->connect, &settings->curve.secret_key,
    &settings->curve.server_key, &settings->curve.allowed_keys_file};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (*texts[i] && !**texts[i]) *texts[i] = NULL;
}

/* ----------------------------------------------------------------------------------------------------------- addresses */

static bool begins(const char *text, const char *with)
{
  return !strncmp(text, with, strlen(with));
}

/* libzmq itself takes any number, of which it keeps 16 bits. To listen, * is a port that is free. */
static bool is_port(const char *text, bool bind)
{
  if (bind && !strcmp(text, "*")) return true;
  size_t digits = strspn(text, "0123456789");
  long number = digits && digits < 6 && !text[digits] ? strtol(text, NULL, 10) : 0;
  return number >= 1 && number <= 65535;
}

static const char *wrong_with_address(const char *address, bool bind)
{
  if (begins(address, "ipc://")) return address[6] ? NULL : "has no path; write ipc:///run/evpipe.ipc";
  if (!begins(address, "tcp://")) return "is not an address like tcp://127.0.0.1:5556 or ipc:///run/evpipe.ipc";
  const char *colon = strrchr(address + 6, ':');
  if (!colon || colon == address + 6 || !colon[1]) return "has no port; write tcp://HOST:PORT";
  if (!is_port(colon + 1, bind)) return "has no port from 1 to 65535 behind its last colon";
  return NULL;
}

/* libzmq takes numbers and the names of interfaces. */
static bool is_loopback(const char *address)
{
  if (begins(address, "ipc://")) return true;
  const char *host = address + 6;
  return begins(host, "127.") || begins(host, "[::1]:") || begins(host, "lo:");
}

static bool check_address(const struct settings *settings, struct evp_ctx *ctx)
{
  if (settings->bind && settings->connect) return refuse(ctx, "connect", "does not go with bind: choose one");
  if (!settings->bind && !settings->connect)
    return refuse(ctx, "bind", "is missing: where to listen (bind), or whom to connect to (connect)");
  const char *key = settings->bind ? "bind" : "connect", *address = settings->bind ? settings->bind : settings->connect;
  const char *wrong = wrong_with_address(address, settings->bind);
  if (wrong) return refuse(ctx, key, wrong);
  if (!settings->bind) return !settings->allow_remote || refuse(ctx, "allow_remote", "is about bind");
  if (begins(address, "tcp://localhost:")) return refuse(ctx, "bind", "needs a number: write tcp://127.0.0.1:PORT");
  if (is_loopback(address) || settings->allow_remote) return true;
  return refuse(ctx, "bind", "is open to other machines; add allow_remote: true if it is meant, best with curve");
}

/* --------------------------------------------------------------------------------------------------------------- curve */

static bool check_server(const struct curve_settings *curve, struct evp_ctx *ctx)
{
  bool listed = curve->allowed_keys.n || curve->allowed_keys_file;
  if (curve->server_key) return refuse(ctx, "curve.server_key", "is for connect");
  if (curve->allow_any && listed) return refuse(ctx, "curve.allow_any", "makes the list of keys useless: choose one");
  if (!curve->allow_any && !listed)
    return refuse(ctx, "curve", "has no allowed_keys: nobody could connect; allow_any: true lets every key in");
  for (size_t i = 0; i < curve->allowed_keys.n; i++)
    if (!key_is_good(curve->allowed_keys.items[i]))
      return refuse(ctx, "curve.allowed_keys", "has something in it that is no public key (z85, 40 characters)");
  return true;
}

static bool check_client(const struct curve_settings *curve, struct evp_ctx *ctx)
{
  if (curve->allow_any) return refuse(ctx, "curve.allow_any", "is for bind");
  if (curve->allowed_keys.n) return refuse(ctx, "curve.allowed_keys", "is for bind; with connect, name the server_key");
  if (curve->allowed_keys_file) return refuse(ctx, "curve.allowed_keys_file", "is for bind; name the server_key");
  if (!curve->server_key) return refuse(ctx, "curve", "has no server_key: the public key of who listens there");
  if (!key_is_good(curve->server_key)) return refuse(ctx, "curve.server_key", "is no key (z85, 40 characters)");
  return true;
}

static bool check_curve(const struct settings *settings, struct evp_ctx *ctx)
{
  const struct curve_settings *curve = &settings->curve;
  bool more = curve->server_key || curve->allowed_keys.n || curve->allowed_keys_file || curve->allow_any;
  if (!curve->secret_key) return !more || refuse(ctx, "curve", "has no secret_key: nothing would be encrypted");
  if (!key_is_good(curve->secret_key)) return refuse(ctx, "curve.secret_key", "is no key (z85, 40 characters)");
  return settings->bind ? check_server(curve, ctx) : check_client(curve, ctx);
}

bool settings_check(struct settings *settings, struct evp_ctx *ctx)
{
  forget_empty(settings);
  if (!check_address(settings, ctx) || !check_curve(settings, ctx)) return false;
  if (settings->high_water_mark < HIGH_WATER_MARK_MIN || settings->high_water_mark > HIGH_WATER_MARK_MAX)
    return refuse(ctx, "high_water_mark", "must be 16KiB to 64GiB");
  if (settings->linger > LINGER_MAX) return refuse(ctx, "linger", "must end: at most 1h");
  return true;
}

/* --------------------------------------------------------------------------------------------------------------- sizes */

size_t settings_message_size(const struct settings *settings)
{
  uint64_t size = settings->high_water_mark / MESSAGES_MIN;
  if (size < MESSAGE_SIZE_MIN) return MESSAGE_SIZE_MIN;
  return size > MESSAGE_SIZE_MAX ? MESSAGE_SIZE_MAX : (size_t)size;
}

int settings_messages(const struct settings *settings)
{
  return (int)(settings->high_water_mark / settings_message_size(settings));
}
