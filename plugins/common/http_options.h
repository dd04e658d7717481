/* http_options.h: the options of every plugin that is an HTTP server, and what can be said about them before it starts.
 *
 *   struct mine { struct http_options http; ... };
 *   HTTP_OPTIONS(struct mine, http, "127.0.0.1:9464"),      in the option table
 *   http_options_check(&mine->http, ctx)                    in create
 */
#ifndef EVPIPE_COMMON_HTTP_OPTIONS_H
#define EVPIPE_COMMON_HTTP_OPTIONS_H

#include "tls_options.h"

struct http_basic {
  const char *username, *password;
};

struct http_options {
  const char *listen, *token;
  bool allow_remote;
  struct evp_strings hosts;
  int64_t max_connections;
  struct http_basic basic;
  struct tls_options tls;
};

static const struct evp_option http_basic_table[] = {EVP_STRING(struct http_basic, username, NULL, "Who may look."),
  EVP_SECRET(struct http_basic, password, "With which password."), EVP_OPTIONS_END};

/* The same group as of clients (tls_options.h), seen from the other end. */
static const struct evp_option http_tls_table[] = {
  EVP_STRING(struct tls_options, cert_file, NULL, "Our certificate, and those between it and an authority (PEM)."),
  EVP_STRING(struct tls_options, key_file, NULL, "The key of cert_file (PEM), if it is not in there."),
  EVP_STRING(struct tls_options, ca_file, NULL, "Certificates of authorities (PEM): clients must show one of theirs."),
  EVP_BOOL(struct tls_options, verify, "true", "Check the certificates of clients; off does not go with ca_file."),
  EVP_OPTIONS_END};

#define HTTP_OPTION_(o, m, member, type, value, help, group) \
  { \
#member, type, 0, offsetof(o, m) + offsetof(struct http_options, member), value, help, NULL, group, NULL \
  }

#define HTTP_OPTIONS(o, m, default_listen) \
  HTTP_OPTION_(o, m, listen, EVP_T_STRING, default_listen, \
    "HOST:PORT to listen on; [::1]:PORT for IPv6; port 0: any, which the log then names.", NULL), \
    HTTP_OPTION_( \
      o, m, allow_remote, EVP_T_BOOL, "false", "listen: HOST may be an address that other machines can reach.", NULL), \
    HTTP_OPTION_(o, m, hosts, EVP_T_STRINGS, NULL, \
      "Further names by which a client may call us (header Host), besides localhost and the host of listen.", NULL), \
    HTTP_OPTION_( \
      o, m, basic, EVP_T_GROUP, NULL, "Ask for this user name and password (HTTP basic auth).", http_basic_table), \
    HTTP_OPTION_(o, m, token, EVP_T_SECRET, NULL, \
      "Ask for this token: Authorization: Bearer TOKEN, or open /?token=TOKEN in a browser.", NULL), \
    HTTP_OPTION_(o, m, tls, EVP_T_GROUP, NULL, "Speak HTTPS.", http_tls_table), \
    HTTP_OPTION_(o, m, max_connections, EVP_T_INT, "64", "Open at once; more are refused.", NULL)

/* False: something is wrong with them (said). */
bool http_options_check(const struct http_options *, struct evp_ctx *);

#endif
