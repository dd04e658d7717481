#include "http_private.h"
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

enum { TOKEN_MIN = 8, TOKEN_MAX = 256 };

/* --------------------------------------------------------------------------------------------------------------- check */

static bool is_address(const char *host)
{
  struct in6_addr address;
  return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool check_listen(const struct http_options *options, struct evp_ctx *ctx)
{
  struct tcp_address address;
  const char *wrong = tcp_listen_parse(&address, options->listen ? options->listen : "");
  if (wrong) {
    evp_option_error(ctx, "listen", "%s", wrong);
    return false;
  }
  if (options->allow_remote || tcp_address_is_local(&address)) return true;
  evp_option_error(ctx, "listen",
    "is not an address of this machine alone; say allow_remote: true if others are to see this, and think of basic or "
    "token, and of tls");
  return false;
}

/* A port in it would never match: only names are compared. */
static bool check_hosts(const struct evp_strings *hosts, struct evp_ctx *ctx)
{
  for (size_t i = 0; i < hosts->n; i++) {
    const char *host = hosts->items[i];
    if (*host && !strpbrk(host, "/ ") && (!strchr(host, ':') || is_address(host))) continue;
    evp_option_error(ctx, "hosts", "'%s' must be a name or an address alone, without a port or http://", host);
    return false;
  }
  return true;
}

static bool check_token(const char *token, struct evp_ctx *ctx)
{
  static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  size_t size = token ? strlen(token) : TOKEN_MIN;
  if (size >= TOKEN_MIN && size <= TOKEN_MAX && (!token || strspn(token, LETTERS) == size)) return true;
  evp_option_error(ctx, "token", "must be %d to %d letters, digits and - . _ ~ as `openssl rand -hex 16` makes it",
    TOKEN_MIN, TOKEN_MAX);
  return false;
}

static bool check_basic(const struct http_basic *basic, struct evp_ctx *ctx)
{
  const char *user = basic->username, *password = basic->password;
  if (!user && !password) return true;
  if (!user || !*user || strchr(user, ':')) {
    evp_option_error(ctx, "basic.username", user && *user ? "must not have a colon in it" : "must not be empty");
    return false;
  }
  if (password && *password) return true;
  evp_option_error(ctx, "basic.password", "must not be empty");
  return false;
}

static bool check_tls(const struct tls_options *tls, struct evp_ctx *ctx)
{
  if (tls->cert_file && tls->ca_file && !tls->verify) {
    evp_option_error(
      ctx, "tls.verify", "does not go with ca_file: leave that out if clients need to show no certificate");
    return false;
  }
  if (tls->cert_file || (!tls->key_file && !tls->ca_file)) return true;
  evp_option_error(ctx, tls->key_file ? "tls.key_file" : "tls.ca_file", "needs cert_file, our own certificate");
  return false;
}

bool http_options_check(const struct http_options *options, struct evp_ctx *ctx)
{
  bool ok = check_listen(options, ctx);
  ok = check_hosts(&options->hosts, ctx) && ok;
  ok = check_token(options->token, ctx) && ok;
  ok = check_basic(&options->basic, ctx) && ok;
  ok = check_tls(&options->tls, ctx) && ok;
  if (options->max_connections >= 1 && options->max_connections <= 10000) return ok;
  evp_option_error(ctx, "max_connections", "must be from 1 to 10000");
  return false;
}

/* ---------------------------------------------------------------------------------------------------------------- init */

static bool put_base64(struct evp_buf *to, const char *text)
{
  static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t size = strlen(text);
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t bits = (uint32_t)(uint8_t)text[i] << 16;
    if (left > 1) bits |= (uint32_t)(uint8_t)text[i + 1] << 8;
    if (left > 2) bits |= (uint8_t)text[i + 2];
    char four[] = {DIGITS[bits >> 18], DIGITS[bits >> 12 & 63], left > 1 ? DIGITS[bits >> 6 & 63] : '=',
      left > 2 ? DIGITS[bits & 63] : '='};
    if (!text_put(to, four, sizeof four)) return false;
  }
  return true;
}

static char *basic_credentials(const struct http_basic *basic)
{
  char *plain = NULL;
  struct evp_buf coded = {0};
  if (asprintf(&plain, "%s:%s", basic->username, basic->password) < 0) return NULL;
  bool ok = put_base64(&coded, plain) && text_put_char(&coded, 0);
  explicit_bzero(plain, strlen(plain));
  free(plain);
  if (ok) return (char *)coded.data;
  text_free(&coded);
  return NULL;
}

bool http_guard_init(struct http_guard *guard, struct evp_ctx *ctx, const struct http_options *options, unsigned port)
{
  guard->options = options;
  guard->tls = options->tls.cert_file != NULL;
  guard->client_certificates = options->tls.ca_file != NULL;
  guard->token = options->token;
  bool ok = true;
  if (options->basic.username) ok = (guard->basic = basic_credentials(&options->basic)) != NULL;
  /* Cookies do not tell ports apart: another evpipe on this host has another name for its own. */
  if (guard->token && asprintf(&guard->cookie, "evpipe_%u", port) < 0) {
    guard->cookie = NULL;
    ok = false;
  }
  if (!ok) evp_error(ctx, "no memory for the HTTP server");
  return ok;
}

void http_guard_free(struct http_guard *guard)
{
  if (guard->basic) explicit_bzero(guard->basic, strlen(guard->basic));
  free(guard->basic);
  free(guard->cookie);
}

/* ---------------------------------------------------------------------------------------------------------------- host */

/* The host of "HOST:PORT" or "[ADDRESS]:PORT", without a dot at its end. */
static bool host_of(const char *header, char *host, size_t room)
{
  bool brackets = *header == '[';
  const char *begin = header + brackets;
  size_t size = strcspn(begin, brackets ? "]" : ":");
  const char *behind = begin + size;
  if (brackets && *behind++ != ']') return false;
  if (*behind && (*behind != ':' || strspn(behind + 1, "0123456789") != strlen(behind + 1))) return false;
  if (size > 1 && begin[size - 1] == '.') size--;
  if (!size || size >= room) return false;
  memcpy(host, begin, size);
  host[size] = 0;
  return true;
}

static bool host_is_ours(const struct http_guard *guard, const char *host)
{
  struct tcp_address asked = {0};
  snprintf(asked.host, sizeof asked.host, "%s", host);
  if (!strcasecmp(host, "localhost") || tcp_address_is_local(&asked)) return true;
  if (!strcasecmp(host, guard->address.host)) return true;
  if (guard->options->allow_remote && is_address(host)) return true;
  for (size_t i = 0; i < guard->options->hosts.n; i++)
    if (!strcasecmp(host, guard->options->hosts.items[i])) return true;
  return false;
}

/* A page of a stranger can have its name resolve to our address; its browser then calls us by that name. Only browsers do that,
   and they always send Host: HTTP/1.0 without one may pass (libmicrohttpd refuses HTTP/1.1 without). */
static bool host_may_pass(struct http_request *request)
{
  struct http_server *server = request->server;
  const char *header = http_request_header(request, "Host");
  char host[ADDRESS_HOST_MAX];
  uint64_t unsaid;
  if (!header) return true;
  if (!host_of(header, host, sizeof host)) {
    http_answer_text(request, MHD_HTTP_BAD_REQUEST, "the header Host is malformed");
    return false;
  }
  if (host_is_ours(&server->guard, host)) return true;
  http_answer_text(request, MHD_HTTP_MISDIRECTED_REQUEST,
    "this server does not go by that name; add it to `hosts` of the node, or ask for localhost");
  if (complaint_is_due(&server->stranger, "host", &unsaid))
    evp_warn(
      server->ctx, "a request for the host '%s' is refused; if that is a name of this server, add it to hosts", host);
  return false;
}

/* What changes something may not come from a page that is not ours. */
static bool origin_may_pass(struct http_request *request)
{
  const char *origin = http_request_header(request, "Origin"), *host = http_request_header(request, "Host");
  if (!origin || !strcmp(request->method, "GET")) return true;
  size_t scheme = !strncmp(origin, "http://", 7) ? 7 : !strncmp(origin, "https://", 8) ? 8 : 0;
  if (scheme && host && !strcasecmp(origin + scheme, host)) return true;
  http_answer_text(request, MHD_HTTP_FORBIDDEN, "the request comes from a page of another origin");
  return false;
}

static bool header_is(const struct http_request *request, const char *name, const char *value)
{
  const char *header = http_request_header(request, name);
  return header && !strcmp(header, value);
}

/* A page of another site can not read an answer, but could have us make large ones all the time. Browsers say who asks (to hosts
   that they trust: by TLS, or on the same machine); what is no browser does not. A link that somebody follows is fine. */
static bool site_may_pass(struct http_request *request)
{
  uint32_t flags = request->route ? request->route->flags : 0;
  if (!header_is(request, "Sec-Fetch-Site", "cross-site") && !header_is(request, "Sec-Fetch-Site", "same-site"))
    return true;
  bool followed = header_is(request, "Sec-Fetch-Mode", "navigate") && header_is(request, "Sec-Fetch-Dest", "document");
  if (flags & HTTP_PUBLIC || (flags & HTTP_LINKED && followed)) return true;
  http_answer_text(request, MHD_HTTP_FORBIDDEN, "the request comes from a page of another site");
  return false;
}

/* ---------------------------------------------------------------------------------------------------------- credentials */

/* Takes as long whichever byte is wrong. */
static bool same_secret(const char *given, size_t size, const char *secret)
{
  size_t length = strlen(secret);
  unsigned different = size != length;
  for (size_t i = 0; i < size; i++) different |= (unsigned)(uint8_t)given[i] ^ (uint8_t)secret[i % (length + 1)];
  return !different;
}

/* What follows the scheme in Authorization; NULL: another one. */
static const char *credentials_of(const struct http_request *request, const char *scheme)
{
  const char *header = http_request_header(request, "Authorization");
  size_t size = strlen(scheme);
  if (!header || strncasecmp(header, scheme, size) || header[size] != ' ') return NULL;
  return header + size + strspn(header + size, " ");
}

static bool token_is_shown(const struct http_request *request)
{
  const struct http_guard *guard = &request->server->guard;
  if (!guard->token) return false;
  const char *bearer = credentials_of(request, "Bearer");
  const char *cookie = MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, guard->cookie);
  return (bearer && same_secret(bearer, strlen(bearer), guard->token)) ||
         (cookie && same_secret(cookie, strlen(cookie), guard->token));
}

static bool basic_is_shown(const struct http_request *request)
{
  const char *wanted = request->server->guard.basic, *basic = wanted ? credentials_of(request, "Basic") : NULL;
  return basic && same_secret(basic, strlen(basic), wanted);
}

bool http_guard_knows(const struct http_request *request)
{
  const struct http_guard *guard = &request->server->guard;
  if (!guard->token && !guard->basic) return true;
  return token_is_shown(request) || basic_is_shown(request);
}

static bool certificate_is_good(const struct http_request *request)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  unsigned wrong = 1;
  return info && !gnutls_certificate_verify_peers2((gnutls_session_t)info->tls_session, &wrong) && !wrong;
}

/* The token moves from the address, which is shown and kept everywhere, into a cookie. True: it was answered. */
static bool take_token_of_address(struct http_request *request)
{
  const struct http_guard *guard = &request->server->guard;
  const char *given = guard->token ? http_request_query(request, "token") : NULL;
  char cookie[TOKEN_MAX + 128];
  if (!given || strcmp(request->path, "/") != 0 || !same_secret(given, strlen(given), guard->token)) return false;
  snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", guard->cookie, guard->token,
    guard->tls ? "; Secure" : "");
  struct http_header headers[] = {{"Location", "/"}, {"Set-Cookie", cookie}};
  http_answer(
    request, &(struct http_answer){.status = MHD_HTTP_SEE_OTHER, .headers = headers, .n_headers = 2, .data = ""});
  explicit_bzero(cookie, sizeof cookie);
  return true;
}

static const char *what_is_needed(const struct http_guard *guard)
{
  if (!guard->token) return "credentials are needed: user name and password\n";
  return guard->basic ? "credentials are needed: user name and password, or a token\n"
                      : "a token is needed: Authorization: Bearer TOKEN, or in a browser /?token=TOKEN\n";
}

static void ask_for_credentials(struct http_request *request)
{
  struct http_server *server = request->server;
  const char *text = what_is_needed(&server->guard);
  uint64_t unsaid;
  const char *scheme = server->guard.basic ? "Basic realm=\"evpipe\", charset=\"UTF-8\"" : "Bearer realm=\"evpipe\"";
  http_answer(request, &(struct http_answer){.status = MHD_HTTP_UNAUTHORIZED,
                         .type = "text/plain; charset=utf-8",
                         .data = text,
                         .size = strlen(text),
                         .headers = &(struct http_header){"WWW-Authenticate", scheme},
                         .n_headers = 1});
  bool wrong = http_request_header(request, "Authorization") || http_request_query(request, "token");
  if (wrong && complaint_is_due(&server->denied, "credentials", &unsaid))
    evp_warn(server->ctx, "a request with wrong credentials is refused");
}

bool http_guard_admits(struct http_request *request)
{
  const struct http_guard *guard = &request->server->guard;
  if (guard->client_certificates && !certificate_is_good(request)) {
    http_answer_text(request, MHD_HTTP_FORBIDDEN, "a client certificate of an authority in tls.ca_file is needed");
    return false;
  }
  if (!host_may_pass(request) || !origin_may_pass(request) || !site_may_pass(request)) return false;
  request->authorised = http_guard_knows(request);
  if (take_token_of_address(request)) return false;
  if (request->authorised || (request->route && request->route->flags & HTTP_PUBLIC)) return true;
  ask_for_credentials(request);
  return false;
}
