// A sink that delivers, in C++: a message is lines of "NAME VALUE", delivered by appending it to a file. Its first attempt
// at each message fails, so that the second is seen.
#include <evpipe.h>
#include <cstdio>
#include <string>

namespace {

struct Sink {
  const char *path;
  evp_ctx *ctx;
};

evp_status create(void *self, evp_ctx *ctx)
{
  static_cast<Sink *>(self)->ctx = ctx;
  return EVP_OK;
}

evp_status encode(void *, const evp_batch *batch, evp_buf *message)
{
  for (uint32_t i = 0; i < batch->n; i++) {
    const evp_metric &metric = batch->metrics[batch->sel[i]];
    const std::string line = std::string(metric.series->name) + " " + std::to_string(metric.value.i) + "\n";
    if (!evp_buf_append(message, line.data(), line.size())) return EVP_ERROR;
  }
  return EVP_OK;
}

evp_status seal(void *, evp_buf *message)
{
  static const char end[] = "sealed\n";
  return evp_buf_append(message, end, sizeof end - 1) ? EVP_OK : EVP_ERROR;
}

evp_status deliver(void *self, const evp_message *message, evp_delivery *delivery)
{
  const Sink *sink = static_cast<const Sink *>(self);
  if (message->attempt == 0) {
    delivery->retry_after = 1000000;
    return EVP_AGAIN;
  }
  FILE *file = std::fopen(sink->path, "ab");
  if (!file) {
    evp_error(sink->ctx, "%s: can not be opened", sink->path);
    return EVP_ERROR;
  }
  const bool written = std::fwrite(message->data, 1, message->size, file) == message->size;
  return std::fclose(file) == 0 && written ? EVP_OK : EVP_ERROR;
}

const evp_option options[] = {
  EVP_STRING_REQUIRED(Sink, path, "The file."),
  EVP_OPTIONS_END,
};

} // namespace

EVP_PLUGIN(p.kind = EVP_SINK; p.name = "frozen_delivering"; p.summary = "Appends to a file."; p.accepts = EVP_METRICS;
           p.message_format = 1; p.options = options; p.instance_size = sizeof(Sink);
           p.defaults = "{batch: {max_items: 2, max_delay: 10ms}, retry: {initial: 1ms}}"; p.create = create;
           p.encode = encode; p.seal = seal; p.deliver = deliver;);
