#include "http_private.h"
#include "monotonic.h"
#include <sys/epoll.h>

static const uint64_t BEAT = 15 * HTTP_NS_PER_S;
enum { PART = 16 * 1024 /* of the stream that libmicrohttpd asks for at once */ };

struct http_event {
  uint32_t references;
  size_t size;
  uint8_t bytes[];
};

/* Who reads. It lives as long as its response: libmicrohttpd frees it. */
struct http_reader {
  struct http_reader *next, **link; /* in its channel, or among the server's leavers */
  struct http_channel *channel; /* NULL: is gone, and what waits is the rest */
  struct http_server *server;
  struct MHD_Connection *connection;
  int fd;
  bool suspended, left; /* left: the client has hung up */
  uint64_t served; /* monotonic: when it was last given something */
  struct http_event **events; /* a ring of `room` (a power of two) */
  size_t head, n, room;
  size_t sent; /* of the first */
  size_t backlog; /* bytes of all */
};

struct http_channel {
  struct http_channel *next, **link;
  struct http_server *server;
  struct http_reader *readers;
  unsigned n_readers, max_readers;
  size_t max_backlog;
  uint64_t lost;
};

/* -------------------------------------------------------------------------------------------------------------- events */

static bool put_field(struct evp_buf *text, const char *name, const void *data, size_t size)
{
  return text_put_string(text, name) && text_put(text, data, size) && text_put_char(text, '\n');
}

/* A line feed or carriage return would end the field: each line is one of its own. */
static bool put_data(struct evp_buf *text, const char *data, size_t size)
{
  for (const char *end = data + size;;) {
    const char *at = data;
    while (at < end && *at != '\n' && *at != '\r') at++;
    if (!put_field(text, "data: ", data, (size_t)(at - data))) return false;
    if (at == end) return true;
    data = at + 1 + (*at == '\r' && at + 1 < end && at[1] == '\n');
  }
}

/* Encodes behind room for the struct, so that nothing is copied. */
struct http_event *http_event_new(uint64_t id, const char *name, const void *data, size_t size)
{
  struct evp_buf text = {0};
  bool ok = evp_buf_grow(&text, sizeof(struct http_event) + size + 64);
  text.size = sizeof(struct http_event);
  if (ok && id) ok = text_printf(&text, "id: %llu\n", (unsigned long long)id);
  if (ok && name) ok = put_field(&text, "event: ", name, strlen(name));
  ok = ok && put_data(&text, data, size) && text_put_char(&text, '\n');
  if (!ok) {
    text_free(&text);
    return NULL;
  }
  struct http_event *event = (struct http_event *)(void *)text.data;
  *event = (struct http_event){.references = 1, .size = text.size - sizeof *event};
  return event;
}

/* Sent as it is. */
static struct http_event *raw_event(const char *text)
{
  size_t size = strlen(text);
  struct http_event *event = malloc(sizeof *event + size);
  if (!event) return NULL;
  *event = (struct http_event){.references = 1, .size = size};
  memcpy(event->bytes, text, size);
  return event;
}

void http_event_unref(struct http_event *event)
{
  if (event && !--event->references) free(event);
}

/* ---------------------------------------------------------------------------------------------------------- one reader */

static struct http_event **place(const struct http_reader *reader, size_t i)
{
  return &reader->events[(reader->head + i) & (reader->room - 1)];
}

static bool grow(struct http_reader *reader)
{
  size_t room = reader->room ? reader->room * 2 : 16;
  struct http_event **events = reallocarray(NULL, room, sizeof *events);
  if (!events) return false;
  for (size_t i = 0; i < reader->n; i++) events[i] = *place(reader, i);
  free(reader->events);
  reader->events = events;
  reader->room = room;
  reader->head = 0;
  return true;
}

static bool append(struct http_reader *reader, struct http_event *event)
{
  if (reader->n == reader->room && !grow(reader)) return false;
  *place(reader, reader->n++) = event;
  event->references++;
  reader->backlog += event->size;
  return true;
}

static void forget_first(struct http_reader *reader)
{
  struct http_event *event = *place(reader, 0);
  reader->head = (reader->head + 1) & (reader->room - 1);
  reader->n--;
  reader->backlog -= event->size;
  reader->sent = 0;
  http_event_unref(event);
}

/* All that waits but what is half sent, which has to be finished. How many events. */
static uint64_t forget_backlog(struct http_reader *reader)
{
  uint64_t forgotten = 0;
  while (reader->n > (reader->sent > 0)) {
    struct http_event *event = *place(reader, --reader->n);
    reader->backlog -= event->size;
    http_event_unref(event);
    forgotten++;
  }
  return forgotten;
}

static void wake(struct http_reader *reader)
{
  if (!reader->suspended) return;
  reader->suspended = false;
  MHD_resume_connection(reader->connection);
  http_server_wake(reader->server);
}

/* It is too slow: what it can still follow is that it has to begin again. */
static void overflow(struct http_reader *reader)
{
  struct http_event *lost = http_event_new(0, "lost", "{}", 2);
  reader->channel->lost += forget_backlog(reader);
  if (lost) append(reader, lost);
  http_event_unref(lost);
}

static void give(struct http_reader *reader, struct http_event *event)
{
  bool fits = reader->backlog + event->size <= reader->channel->max_backlog || !reader->n;
  if (!fits || !append(reader, event)) {
    reader->channel->lost++;
    overflow(reader);
  }
  wake(reader);
}

static ssize_t read_stream(void *context, uint64_t at, char *buffer, size_t room)
{
  struct http_reader *reader = context;
  size_t size = 0;
  (void)at;
  if (reader->left) return MHD_CONTENT_READER_END_WITH_ERROR;
  while (reader->n && size < room) {
    const struct http_event *event = *place(reader, 0);
    size_t left = event->size - reader->sent, part = left < room - size ? left : room - size;
    memcpy(buffer + size, event->bytes + reader->sent, part);
    size += part;
    reader->sent += part;
    if (part == left) forget_first(reader);
  }
  if (size) {
    reader->served = monotonic();
    return (ssize_t)size;
  }
  if (!reader->channel) return MHD_CONTENT_READER_END_OF_STREAM;
  reader->suspended = true;
  MHD_suspend_connection(reader->connection);
  return 0;
}

static void link_reader(struct http_reader *reader, struct http_reader **list)
{
  reader->next = *list;
  reader->link = list;
  if (reader->next) reader->next->link = &reader->next;
  *list = reader;
}

static void unlink_reader(struct http_reader *reader)
{
  *reader->link = reader->next;
  if (reader->next) reader->next->link = reader->link;
}

static void free_reader(void *context)
{
  struct http_reader *reader = context;
  if (reader->fd >= 0) epoll_ctl(reader->server->fd, EPOLL_CTL_DEL, reader->fd, NULL);
  if (reader->channel) reader->channel->n_readers--;
  unlink_reader(reader);
  while (reader->n) forget_first(reader);
  free(reader->events);
  free(reader);
}

/* libmicrohttpd does not look at a connection that is suspended: we do, so that a client that has left makes room. */
static void watch_for_end(struct http_reader *reader)
{
  struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = reader};
  reader->fd = http_connection_of(reader->connection)->fd;
  if (epoll_ctl(reader->server->fd, EPOLL_CTL_ADD, reader->fd, &event)) reader->fd = -1;
}

void http_channels_hang_up(struct http_server *server, void *context)
{
  struct http_reader *reader = context;
  epoll_ctl(server->fd, EPOLL_CTL_DEL, reader->fd, NULL);
  reader->fd = -1;
  reader->left = true;
  wake(reader);
}

/* ------------------------------------------------------------------------------------------------------------- channels */

struct http_channel *http_channel_new(struct http_server *server, unsigned max_readers, size_t max_backlog)
{
  struct http_channel *channel = calloc(1, sizeof *channel);
  if (!channel) {
    evp_error(server->ctx, "no memory for a stream of events");
    return NULL;
  }
  channel->server = server;
  channel->max_readers = max_readers;
  channel->max_backlog = max_backlog;
  channel->next = server->channels;
  channel->link = &server->channels;
  if (channel->next) channel->next->link = &channel->next;
  server->channels = channel;
  return channel;
}

void http_channel_free(struct http_channel *channel)
{
  if (!channel) return;
  for (struct http_reader *reader = channel->readers, *next; reader; reader = next) {
    next = reader->next;
    unlink_reader(reader);
    link_reader(reader, &channel->server->leavers);
    reader->channel = NULL;
    wake(reader);
  }
  *channel->link = channel->next;
  if (channel->next) channel->next->link = channel->link;
  free(channel);
}

static struct http_reader *new_reader(struct http_channel *channel, struct http_request *request)
{
  struct http_reader *reader = calloc(1, sizeof *reader);
  struct http_event *retry = reader ? raw_event("retry: 2000\n\n") : NULL;
  bool ok = retry && append(reader, retry);
  http_event_unref(retry);
  if (!ok) {
    free(reader);
    return NULL;
  }
  reader->server = channel->server;
  reader->connection = request->connection;
  reader->channel = channel;
  reader->served = monotonic();
  link_reader(reader, &channel->readers);
  channel->n_readers++;
  watch_for_end(reader);
  return reader;
}

void http_channel_join(struct http_channel *channel, struct http_request *request, uint64_t id, const char *name,
  const void *data, size_t size)
{
  if (channel->n_readers >= channel->max_readers) {
    http_answer_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "as many read as may: close another page");
    return;
  }
  struct http_reader *reader = new_reader(channel, request);
  if (!reader) return; /* 500 */
  struct http_event *first = name ? http_event_new(id, name, data, size) : NULL;
  if (first) append(reader, first);
  http_event_unref(first);
  struct MHD_Response *response =
    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART, read_stream, reader, free_reader);
  if (!response) {
    free_reader(reader);
    return;
  }
  MHD_add_response_header(response, "Content-Type", "text/event-stream; charset=utf-8");
  MHD_add_response_header(response, "Cache-Control", "no-store");
  MHD_add_response_header(response, "X-Accel-Buffering", "no");
  http_answer_queue(request, MHD_HTTP_OK, response);
  if (request->answered) http_connection_phase(request->connection, HTTP_STREAMING);
}

void http_channel_put(struct http_channel *channel, struct http_event *event)
{
  for (struct http_reader *reader = channel->readers; reader; reader = reader->next) give(reader, event);
}

bool http_channel_send(struct http_channel *channel, uint64_t id, const char *name, const void *data, size_t size)
{
  if (!channel->readers) return true;
  struct http_event *event = http_event_new(id, name, data, size);
  if (!event) {
    evp_error(channel->server->ctx, "no memory for an event of the page");
    for (struct http_reader *reader = channel->readers; reader; reader = reader->next) overflow(reader);
    return false;
  }
  http_channel_put(channel, event);
  http_event_unref(event);
  return true;
}

unsigned http_channel_readers(const struct http_channel *channel)
{
  return channel->n_readers;
}

uint64_t http_channel_lost(const struct http_channel *channel)
{
  return channel->lost;
}

/* ----------------------------------------------------------------------------------------------------- of the server */

/* A comment, to those that had nothing for a while. */
void http_channels_beat(struct http_server *server, uint64_t now)
{
  struct http_event *beat = raw_event(":\n\n");
  if (!beat) return;
  for (struct http_channel *channel = server->channels; channel; channel = channel->next)
    for (struct http_reader *reader = channel->readers; reader; reader = reader->next)
      if (!reader->n && now - reader->served >= BEAT) give(reader, beat);
  http_event_unref(beat);
}

void http_channels_stop(struct http_server *server)
{
  while (server->channels) http_channel_free(server->channels);
}
