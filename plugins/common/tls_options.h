/* tls_options.h: the group `tls` of every plugin that can speak TLS (DESIGN 5). The options only; no library.
 *
 *   struct mine { struct tls_options tls; };
 *   EVP_GROUP(struct mine, tls, tls_option_table, TLS_OPTIONS_HELP)
 */
#ifndef EVPIPE_COMMON_TLS_OPTIONS_H
#define EVPIPE_COMMON_TLS_OPTIONS_H

#include <evpipe.h>

struct tls_options {
  const char *ca_file, *cert_file, *key_file;
  bool verify;
};

#define TLS_OPTIONS_HELP "How to check the server, and who we are to it."

static const struct evp_option tls_option_table[] = {
  EVP_STRING(struct tls_options, ca_file, NULL, "Certificates of the authorities to trust (PEM); else the system's."),
  EVP_STRING(struct tls_options, cert_file, NULL, "Our own certificate (PEM), for servers that ask for one."),
  EVP_STRING(struct tls_options, key_file, NULL, "The key of cert_file (PEM), if it is not in there."),
  EVP_BOOL(struct tls_options, verify, "true", "Check the server's certificate and name."), EVP_OPTIONS_END};

#endif
