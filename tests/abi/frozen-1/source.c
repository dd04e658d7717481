/* A source of bytes: a file, a few bytes at a time. */
#include <evpipe.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct source {
  const char *path;
  int64_t chunk;
  struct evp_ctx *ctx;
  int fd;
  bool over;
};

static enum evp_status source_create(void *self, struct evp_ctx *ctx)
{
  struct source *source = self;
  source->ctx = ctx;
  source->fd = -1;
  if (source->chunk >= 1) return EVP_OK;
  evp_option_error(ctx, "chunk", "must be 1 or more");
  return EVP_ERROR;
}

static enum evp_status source_connect(void *self, int *fd)
{
  struct source *source = self;
  *fd = -1;
  if (source->over) return EVP_END;
  source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
  if (source->fd < 0) {
    evp_error(source->ctx, "%s: %s", source->path, strerror(errno));
    return EVP_ERROR;
  }
  evp_source_can_wait(source->ctx, true);
  evp_source_recorded(source->ctx, 0);
  return EVP_OK;
}

static enum evp_status source_read(void *self, uint8_t *buffer, size_t *size)
{
  struct source *source = self;
  size_t wanted = *size < (size_t)source->chunk ? *size : (size_t)source->chunk;
  ssize_t got = read(source->fd, buffer, wanted);
  if (got < 0) return EVP_ERROR;
  if (got == 0) return EVP_END;
  *size = (size_t)got;
  return EVP_OK;
}

static void source_disconnect(void *self)
{
  struct source *source = self;
  close(source->fd);
  source->fd = -1;
  source->over = true;
}

static const struct evp_option options[] = {
  EVP_STRING_REQUIRED(struct source, path, "A recorded eventlog."),
  EVP_INT(struct source, chunk, "1000", "Bytes at a time."),
  EVP_OPTIONS_END,
};

EVP_PLUGIN(.kind = EVP_SOURCE, .name = "frozen", .summary = "Reads a file in pieces.", .emits = EVP_BYTES | EVP_EVENTS,
  .options = options, .instance_size = sizeof(struct source), .create = source_create, .connect = source_connect,
  .read = source_read, .disconnect = source_disconnect);
