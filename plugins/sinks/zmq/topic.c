#include "topic.h"
#include "text.h"

static bool append_escaped(struct evp_buf *out, const char *text)
{
  bool good = true;
  for (; good && *text; text++) {
    unsigned char byte = (unsigned char)*text;
    bool plain = byte > ' ' && byte != 0x7f && byte != '/' && byte != '%';
    good = plain ? text_put_char(out, *text) : text_printf(out, "%%%02X", byte);
  }
  return good;
}

bool topic_name_append(struct evp_buf *out, uint32_t signal, const char *service, const char *node)
{
  return text_put_string(out, evp_signal_name(signal)) && text_put_char(out, '/') && append_escaped(out, service) &&
         text_put_char(out, '/') && append_escaped(out, node) && text_put_char(out, '/');
}

struct topic *topic_get(struct topic **all, uint32_t signal, const struct evp_stream *stream, const char *origin)
{
  const char *service = evp_stream_label(stream, "service");
  struct evp_buf name = {0};
  if (!topic_name_append(&name, signal, service ? service : evp_stream_source(stream), origin)) {
    text_free(&name);
    return NULL;
  }
  struct topic *topic = *all;
  while (topic && (topic->size != name.size || memcmp(topic->name, name.data, name.size))) topic = topic->next;
  if (topic || !(topic = calloc(1, sizeof *topic))) {
    text_free(&name);
    return topic;
  }
  topic->signal = signal;
  topic->name = (char *)name.data;
  topic->size = name.size;
  topic->next = *all;
  return *all = topic;
}

void topics_free(struct topic *all)
{
  for (struct topic *next; all; all = next) {
    next = all->next;
    free(all->name);
    free(all);
  }
}
