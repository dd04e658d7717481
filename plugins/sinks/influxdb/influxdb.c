/* influxdb: writes metrics and logs into an InfluxDB, 1.x or 2.x, as line protocol over HTTP. */
#include "deliver.h"
#include "line_protocol.h"

/* The version of what encode() and seal() write: lines, plain or packed as gzip, which the message itself tells. deliver()
   may see messages of an earlier process, with another `compression`. */
enum { FORMAT_LINES = 1 };

/* More lines than this stay plain: what is unpacked is bounded, whatever a spool holds. */
enum { PACKED_LINES_MAX = 64 * 1024 * 1024 };

struct influxdb {
  struct target_options options; /* first: the option table is one of struct target_options */
  struct evp_ctx *ctx;
  struct line_protocol *lines; /* of encode() */
  struct gzip *gzip; /* of seal(); NULL: messages stay plain */
  struct courier courier; /* of deliver() */
};

static enum evp_status influxdb_create(void *self, struct evp_ctx *ctx)
{
  struct influxdb *influxdb = self;
  influxdb->ctx = ctx;
  influxdb->courier.ctx = ctx;
  influxdb->courier.options = &influxdb->options;
  target_forget_empty(&influxdb->options);
  if (!target_check(&influxdb->options, ctx)) return EVP_ERROR;
  bool packs = influxdb->options.compression == COMPRESSION_GZIP;
  influxdb->lines = line_protocol_new(ctx);
  influxdb->gzip = packs ? gzip_new() : NULL;
  if (influxdb->lines && !packs == !influxdb->gzip && target_make(&influxdb->courier.target, &influxdb->options))
    return EVP_OK;
  evp_error(ctx, "no memory");
  return EVP_ERROR;
}

static enum evp_status influxdb_start(void *self)
{
  struct influxdb *influxdb = self;
  return courier_start(&influxdb->courier) ? EVP_OK : EVP_ERROR;
}

static void influxdb_stop(void *self)
{
  courier_stop(&((struct influxdb *)self)->courier);
}

static void influxdb_destroy(void *self)
{
  struct influxdb *influxdb = self;
  line_protocol_free(influxdb->lines);
  gzip_free(influxdb->gzip);
  target_free(&influxdb->courier.target);
}

static enum evp_status influxdb_encode(void *self, const struct evp_batch *batch, struct evp_buf *message)
{
  return line_protocol_encode(((struct influxdb *)self)->lines, batch, message);
}

/* Here, on the sink's thread, so that the next message is packed while the server has the one before. Without memory it
   stays plain. */
static enum evp_status influxdb_seal(void *self, struct evp_buf *message)
{
  struct influxdb *influxdb = self;
  const uint8_t *packed;
  size_t plain_size = message->size;
  if (!influxdb->gzip || plain_size > PACKED_LINES_MAX) return EVP_OK;
  size_t size = gzip_pack(influxdb->gzip, message->data, plain_size, &packed);
  if (!size) return EVP_OK;
  message->size = 0;
  if (!evp_buf_append(message, packed, size)) message->size = plain_size;
  return EVP_OK;
}

static enum evp_status influxdb_unseal(void *self, const struct evp_message *message, struct evp_buf *plain)
{
  (void)self;
  bool packed = gzip_is_packed(message->data, message->size);
  bool good = packed ? gzip_unpack(message->data, message->size, PACKED_LINES_MAX, plain)
                     : evp_buf_append(plain, message->data, message->size);
  return good && !gzip_is_packed(plain->data, plain->size) ? EVP_OK : EVP_REJECT;
}

static enum evp_status influxdb_deliver(void *self, const struct evp_message *message, struct evp_delivery *result)
{
  return courier_deliver(&((struct influxdb *)self)->courier, message, result);
}

static const char *const apis[] = {"1", "2", NULL};
static const char *const compressions[] = {"gzip", "none", NULL};

static const struct evp_option options[] = {
  EVP_STRING_REQUIRED(
    struct target_options, url, "The server's address: http://HOST:8086 or https://HOST:8086; a path may follow."),
  EVP_CHOICE(struct target_options, api, "1", "1: InfluxDB 1.x, database; 2: InfluxDB 2.x, org, bucket, token.", apis),
  EVP_STRING(struct target_options, database, NULL, "api 1, required: the database to write into."),
  EVP_STRING(struct target_options, retention_policy, NULL, "api 1: its retention policy; else its default one."),
  EVP_BOOL(struct target_options, create_database, "false", "api 1: create the database when the server has none."),
  EVP_STRING(struct target_options, org, NULL, "api 2, required: name or id of the organisation."),
  EVP_STRING(struct target_options, bucket, NULL, "api 2, required: name or id of the bucket."),
  EVP_STRING(struct target_options, username, NULL, "api 1: for a server that wants a login."),
  EVP_SECRET(struct target_options, password, "api 1: of username."),
  EVP_SECRET(struct target_options, token, "api 2: the token; api 1 (1.8 and later): USERNAME:PASSWORD."),
  EVP_CHOICE(
    struct target_options, compression, "gzip", "Of messages, while they wait and as they are sent.", compressions),
  EVP_GROUP(struct target_options, tls, tls_option_table, TLS_OPTIONS_HELP), EVP_OPTIONS_END};

_Static_assert(offsetof(struct influxdb, options) == 0, "the option table's offsets begin at the instance");

EVP_PLUGIN(.kind = EVP_SINK, .name = "influxdb", .summary = "Writes metrics and logs into an InfluxDB, 1.x or 2.x.",
  .accepts = EVP_METRICS | EVP_LOGS, .message_format = FORMAT_LINES, .options = options,
  .instance_size = sizeof(struct influxdb), .defaults = "{batch: {max_items: 5000, max_delay: 1s}}",
  .create = influxdb_create, .start = influxdb_start, .stop = influxdb_stop, .destroy = influxdb_destroy,
  .encode = influxdb_encode, .seal = influxdb_seal, .unseal = influxdb_unseal, .deliver = influxdb_deliver);
