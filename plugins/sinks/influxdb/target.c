#include "target.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------- the checks */

static bool refuse(struct evp_ctx *ctx, const char *key, const char *why)
{
  evp_option_error(ctx, key, "%s", why);
  return false;
}

static const char *wrong_with_parsed_url(CURLU *handle, const char *url)
{
  char *part = NULL;
  if (curl_url_set(handle, CURLUPART_URL, url, 0)) return "is not an address like http://localhost:8086";
  if (!curl_url_get(handle, CURLUPART_QUERY, &part, 0) || !curl_url_get(handle, CURLUPART_FRAGMENT, &part, 0)) {
    curl_free(part);
    return "has a query or fragment; database, org and the like are options of their own";
  }
  if (curl_url_get(handle, CURLUPART_PATH, &part, 0)) return "is not an address like http://localhost:8086";
  size_t size = strlen(part);
  bool ends_in_write = size >= 6 && !strcmp(part + size - 6, "/write");
  curl_free(part);
  return ends_in_write ? "has the path of the write request in it; write the server's address only" : NULL;
}

static const char *wrong_with_url(const char *url)
{
  if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) return "must begin with http:// or https://";
  for (const char *at = url; *at; at++)
    if ((unsigned char)*at <= 0x20 || *at == 0x7f) return "has a blank or a control character in it";
  CURLU *handle = curl_url();
  const char *wrong = handle ? wrong_with_parsed_url(handle, url) : "can not be checked: no memory";
  curl_url_cleanup(handle);
  return wrong;
}

static bool check_url(const struct target_options *options, struct evp_ctx *ctx)
{
  if (strchr(options->url, '@'))
    return refuse(ctx, "url", "has a user or password in it; write them into username and password");
  const char *wrong = wrong_with_url(options->url);
  return !wrong || refuse(ctx, "url", wrong);
}

void target_forget_empty(struct target_options *options)
{
  const char **const texts[] = {&options->database, &options->retention_policy, &options->org, &options->bucket,
    &options->username, &options->password, &options->token, &options->tls.ca_file, &options->tls.cert_file,
    &options->tls.key_file};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (*texts[i] && !**texts[i]) *texts[i] = NULL;
}

static bool is_set(const char *text)
{
  return text && *text;
}

static bool check_api_1(const struct target_options *options, struct evp_ctx *ctx)
{
  if (!is_set(options->database)) return refuse(ctx, "database", "is missing: api: 1 writes into a database");
  if (options->org) return refuse(ctx, "org", "belongs to api: 2");
  if (options->bucket) return refuse(ctx, "bucket", "belongs to api: 2");
  return true;
}

static bool check_api_2(const struct target_options *options, struct evp_ctx *ctx)
{
  if (!is_set(options->bucket)) return refuse(ctx, "bucket", "is missing: api: 2 writes into a bucket of an org");
  if (!is_set(options->org)) return refuse(ctx, "org", "is missing: api: 2 writes into a bucket of an org");
  if (options->database) return refuse(ctx, "database", "belongs to api: 1; api: 2 has org and bucket");
  if (options->retention_policy) return refuse(ctx, "retention_policy", "belongs to api: 1; a bucket has its own");
  if (options->create_database) return refuse(ctx, "create_database", "belongs to api: 1; make the bucket by hand");
  if (options->username) return refuse(ctx, "username", "belongs to api: 1; api: 2 has token");
  return true;
}

/* What would end a header, or begin another one. */
static bool has_control(const char *secret)
{
  for (; *secret; secret++)
    if ((unsigned char)*secret < 0x20 || *secret == 0x7f) return true;
  return false;
}

static bool check_secrets(const struct target_options *options, struct evp_ctx *ctx)
{
  if (options->token && options->username) return refuse(ctx, "token", "does not go with username: choose one");
  if (options->password && !options->username) return refuse(ctx, "password", "needs a username");
  if (options->token && has_control(options->token))
    return refuse(ctx, "token", "has a control character or a newline in it");
  if (options->username && strchr(options->username, ':')) return refuse(ctx, "username", "can not have a colon in it");
  return true;
}

static bool check_tls(const struct target_options *options, struct evp_ctx *ctx)
{
  const struct tls_options *tls = &options->tls;
  bool https = !strncmp(options->url, "https://", 8);
  if (tls->key_file && !tls->cert_file) return refuse(ctx, "tls.key_file", "needs a cert_file");
  if (!https && tls->ca_file) return refuse(ctx, "tls.ca_file", "means nothing for an http:// url; write https://");
  if (!https && tls->cert_file) return refuse(ctx, "tls.cert_file", "means nothing for an http:// url; write https://");
  return true;
}

bool target_check(const struct target_options *options, struct evp_ctx *ctx)
{
  bool good = check_url(options, ctx);
  good = (options->api == API_2 ? check_api_2(options, ctx) : check_api_1(options, ctx)) && good;
  return check_secrets(options, ctx) && check_tls(options, ctx) && good;
}

/* -------------------------------------------------------------------------------------------------------- the addresses */

struct part {
  const char *name, *value;
};

/* BASE PATH ?name=value&..., the values percent-encoded; NULL: no memory. */
static char *make_url(const char *base, const char *path, const struct part *parts, size_t n)
{
  char *url = NULL;
  size_t size = 0, base_size = strlen(base);
  FILE *out = open_memstream(&url, &size);
  if (!out) return NULL;
  while (base_size && base[base_size - 1] == '/') base_size--;
  fprintf(out, "%.*s%s", (int)base_size, base, path);
  char separator = '?';
  bool good = true;
  for (size_t i = 0; i < n; i++) {
    if (!is_set(parts[i].value)) continue;
    char *value = curl_easy_escape(NULL, parts[i].value, 0);
    good = good && value;
    if (value) fprintf(out, "%c%s=%s", separator, parts[i].name, value);
    curl_free(value);
    separator = '&';
  }
  good = !fclose(out) && good;
  if (good) return url;
  free(url);
  return NULL;
}

/* InfluxQL: a quoted name, in which quotes and backslashes are escaped. */
static char *create_statement(const char *database)
{
  char *statement = malloc(sizeof "CREATE DATABASE \"\"" + 2 * strlen(database));
  if (!statement) return NULL;
  char *to = stpcpy(statement, "CREATE DATABASE \"");
  for (; *database; database++) {
    if (*database == '"' || *database == '\\') *to++ = '\\';
    *to++ = *database;
  }
  strcpy(to, "\"");
  return statement;
}

static bool make_create_url(struct target *target, const struct target_options *options)
{
  char *statement = create_statement(options->database);
  if (!statement) return false;
  const struct part parts[] = {{"q", statement}};
  target->create_url = make_url(options->url, "/query", parts, 1);
  free(statement);
  return target->create_url != NULL;
}

bool target_make(struct target *target, const struct target_options *options)
{
  const struct part parts_1[] = {{"db", options->database}, {"rp", options->retention_policy}, {"precision", "ns"}};
  const struct part parts_2[] = {{"org", options->org}, {"bucket", options->bucket}, {"precision", "ns"}};
  target->write_url = options->api == API_2 ? make_url(options->url, "/api/v2/write", parts_2, 3)
                                            : make_url(options->url, "/write", parts_1, 3);
  return target->write_url && (!options->create_database || make_create_url(target, options));
}

void target_free(struct target *target)
{
  free(target->write_url);
  free(target->create_url);
  *target = (struct target){0};
}
