#include "outlet.h"
#include "monotonic.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* A subscription is short; more is not read from a peer at once. */
enum { INCOMING_MAX = 4096, NS_PER_MS = 1000000, PAUSE_MS = 2 };

static bool publishes(const struct outlet *outlet)
{
  return outlet->settings->pattern == PATTERN_PUB;
}

/* ---------------------------------------------------------------------------------------------------------- open, close */

static bool set(struct outlet *outlet, int option, int value)
{
  return !zmq_setsockopt(outlet->socket, option, &value, sizeof value);
}

static bool set_text(struct outlet *outlet, int option, const char *text)
{
  return !zmq_setsockopt(outlet->socket, option, text, strlen(text));
}

static bool secure(struct outlet *outlet)
{
  const struct curve_settings *curve = &outlet->settings->curve;
  char public_key[KEY_TEXT_SIZE + 1];
  if (!curve->secret_key) return true;
  if (outlet->settings->bind)
    return set(outlet, ZMQ_CURVE_SERVER, 1) && set_text(outlet, ZMQ_CURVE_SECRETKEY, curve->secret_key) &&
           set_text(outlet, ZMQ_ZAP_DOMAIN, AUTHENTICATOR_DOMAIN);
  return !zmq_curve_public(public_key, curve->secret_key) && set_text(outlet, ZMQ_CURVE_PUBLICKEY, public_key) &&
         set_text(outlet, ZMQ_CURVE_SECRETKEY, curve->secret_key) &&
         set_text(outlet, ZMQ_CURVE_SERVERKEY, curve->server_key);
}

static bool configure(struct outlet *outlet)
{
  const struct settings *settings = outlet->settings;
  const char *address = settings->bind ? settings->bind : settings->connect;
  bool good = set(outlet, ZMQ_SNDHWM, settings_messages(settings)) && set(outlet, ZMQ_TCP_KEEPALIVE, 1) &&
              set(outlet, ZMQ_IPV6, strchr(address, '[') != NULL) && set(outlet, ZMQ_LINGER, 0);
  if (good && publishes(outlet)) {
    int64_t incoming = INCOMING_MAX;
    good = set(outlet, ZMQ_XPUB_VERBOSER, 1) && set(outlet, ZMQ_XPUB_NODROP, 1) &&
           !zmq_setsockopt(outlet->socket, ZMQ_MAXMSGSIZE, &incoming, sizeof incoming);
  }
  return good && secure(outlet);
}

static bool watch(struct outlet *outlet, void *socket)
{
  int fd;
  size_t size = sizeof fd;
  struct epoll_event event = {.events = EPOLLIN};
  return !zmq_getsockopt(socket, ZMQ_FD, &fd, &size) && !epoll_ctl(outlet->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Where the socket's file will be; NULL: it has none. */
static const char *file_of(const char *address)
{
  return strncmp(address, "ipc://", 6) || address[6] == '@' ? NULL : address + 6;
}

/* libzmq itself would delete whatever is there, and leave its own behind. */
static const char *bind_file(struct outlet *outlet, const char *path)
{
  const char *taken = socket_file_taken(path);
  if (taken) return taken;
  bool good = !zmq_bind(outlet->socket, outlet->settings->bind) && socket_file_bound(&outlet->file, path) &&
              !chmod(path, S_IRUSR | S_IWUSR); /* as every socket in the file system that we make: for our own user */
  if (good) return NULL;
  return errno == ENOENT ? "no such folder; make it first" : zmq_strerror(errno);
}

/* NULL, or what is wrong. */
static const char *attach(struct outlet *outlet)
{
  const char *address = outlet->settings->bind, *path = address ? file_of(address) : NULL;
  char endpoint[512] = "";
  size_t size = sizeof endpoint;
  if (!address) return zmq_connect(outlet->socket, outlet->settings->connect) ? zmq_strerror(errno) : NULL;
  const char *wrong = path ? bind_file(outlet, path) : zmq_bind(outlet->socket, address) ? zmq_strerror(errno) : NULL;
  if (wrong) return wrong;
  zmq_getsockopt(outlet->socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
  evp_info(outlet->ctx, "listening on %s", endpoint);
  return NULL;
}

static bool open_socket(struct outlet *outlet)
{
  outlet->context = zmq_ctx_new();
  outlet->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!outlet->context || outlet->epoll < 0) return false;
  outlet->socket = zmq_socket(outlet->context, publishes(outlet) ? ZMQ_XPUB : ZMQ_PUSH);
  return outlet->socket && configure(outlet) && watch(outlet, outlet->socket);
}

bool outlet_open(struct outlet *outlet, const struct settings *settings, struct evp_ctx *ctx)
{
  const struct curve_settings *curve = &settings->curve;
  outlet->settings = settings;
  outlet->ctx = ctx;
  if (!open_socket(outlet)) {
    evp_error(ctx, "no ZeroMQ socket: %s", zmq_strerror(errno));
    return false;
  }
  if (settings->bind && curve->secret_key) {
    if (!authenticator_open(&outlet->authenticator, outlet->context, curve, ctx)) return false;
    if (!watch(outlet, outlet->authenticator.socket)) return false;
  }
  const char *wrong = attach(outlet);
  if (wrong) evp_error(ctx, "%s: %s", settings->bind ? settings->bind : settings->connect, wrong);
  return !wrong;
}

/* What libzmq's own thread has to say to the socket: sending alone looks at it only now and then. */
static void take_commands(struct outlet *outlet)
{
  int events;
  size_t size = sizeof events;
  zmq_getsockopt(outlet->socket, ZMQ_EVENTS, &events, &size);
}

static void linger(struct outlet *outlet)
{
  uint64_t begin = monotonic(), span = outlet->settings->linger;
  struct pollfd stop = {.fd = evp_stop_fd(outlet->ctx), .events = POLLIN};
  while (in_flight_messages(&outlet->in_flight) && monotonic() - begin < span && !stop.revents) {
    take_commands(outlet);
    authenticator_serve(&outlet->authenticator);
    poll(&stop, 1, PAUSE_MS);
  }
  uint64_t left = atomic_load(&outlet->in_flight.items), used = monotonic() - begin;
  if (left > outlet->counted) evp_drop(outlet->ctx, left - outlet->counted, "linger");
  bool in_time = used < span && !stop.revents;
  set(outlet, ZMQ_LINGER, in_time ? (int)((span - used) / NS_PER_MS) : 0); /* what the I/O thread has begun with */
}

void outlet_close(struct outlet *outlet)
{
  socket_file_remove(&outlet->file);
  if (outlet->socket) {
    linger(outlet);
    zmq_close(outlet->socket);
  }
  authenticator_close(&outlet->authenticator);
  if (outlet->context) zmq_ctx_term(outlet->context);
  if (outlet->epoll >= 0) close(outlet->epoll);
  subscriptions_free(&outlet->subscriptions);
  outlet->socket = outlet->context = NULL;
  outlet->epoll = -1;
}

/* ------------------------------------------------------------------------------------------------------------- receive */

static bool receive(void *socket, zmq_msg_t *message)
{
  zmq_msg_init(message);
  if (zmq_msg_recv(message, socket, ZMQ_DONTWAIT) >= 0) return true;
  zmq_msg_close(message);
  return false;
}

bool outlet_receive(struct outlet *outlet, zmq_msg_t *prefix, bool *subscribes)
{
  while (publishes(outlet) && receive(outlet->socket, prefix)) {
    const uint8_t *data = zmq_msg_data(prefix);
    size_t size = zmq_msg_size(prefix);
    if (size && data[0] <= 1) { /* else it is a word of the peer's, which means nothing here */
      *subscribes = data[0];
      if (*subscribes)
        subscriptions_add(&outlet->subscriptions, data + 1, size - 1);
      else
        subscriptions_remove(&outlet->subscriptions, data + 1, size - 1);
      return true;
    }
    zmq_msg_close(prefix);
  }
  return false;
}

/* ---------------------------------------------------------------------------------------------------------------- send */

static uint64_t payload_size(const struct payload *payload)
{
  return payload->n ? payload->ends[payload->n - 1] : 0;
}

static bool send_parts(struct outlet *outlet, const struct payload *payload)
{
  uint32_t begin = 0;
  for (size_t i = 0; i < payload->n; i++) {
    int more = i + 1 < payload->n ? ZMQ_SNDMORE : 0;
    if (zmq_send(outlet->socket, payload->data + begin, payload->ends[i] - begin, ZMQ_DONTWAIT | more) < 0)
      return false;
    begin = payload->ends[i];
  }
  return true;
}

/* libzmq decides at the first part whether it takes a message. */
static bool try_send(
  struct outlet *outlet, const struct topic *topic, const struct header *header, const struct payload *payload)
{
  zmq_msg_t part;
  if (!in_flight_header(&outlet->in_flight, header, payload_size(payload), header->items, &part)) return false;
  bool good = zmq_send(outlet->socket, topic->name, topic->size, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
              zmq_msg_send(&part, outlet->socket, ZMQ_DONTWAIT | (payload->n ? ZMQ_SNDMORE : 0)) >= 0 &&
              send_parts(outlet, payload);
  zmq_msg_close(&part); /* nothing, if it was sent */
  return good;
}

/* To those who have room; libzmq leaves the others out. */
static bool send_to_the_rest(
  struct outlet *outlet, const struct topic *topic, const struct header *header, const struct payload *payload)
{
  set(outlet, ZMQ_XPUB_NODROP, 0);
  bool good = try_send(outlet, topic, header, payload);
  set(outlet, ZMQ_XPUB_NODROP, 1);
  return good;
}

/* libzmq goes on with a subscriber once it has read half of what waits for it, and has told us so. */
bool outlet_caught_up(struct outlet *outlet)
{
  uint64_t half = (uint64_t)settings_messages(outlet->settings) / 2;
  if (!outlet->stuck || in_flight_older(&outlet->in_flight) > half) return false;
  take_commands(outlet);
  outlet->stuck = NULL;
  return true;
}

static bool too_much(const struct outlet *outlet, uint64_t size)
{
  return size > settings_message_size(outlet->settings) &&
         atomic_load(&outlet->in_flight.bytes) + size > outlet->settings->high_water_mark;
}

static enum sent drop(struct outlet *outlet, struct topic *topic, const struct header *header)
{
  topic->missed = true;
  if (header->items) evp_drop(outlet->ctx, header->items, "high_water_mark");
  return SENT_PARTLY;
}

static enum sent publish(
  struct outlet *outlet, struct topic *topic, const struct header *header, const struct payload *payload)
{
  const struct subscriptions *subscriptions = &outlet->subscriptions;
  if (!subscriptions_match(subscriptions, topic->name, topic->size)) return SENT;
  if (too_much(outlet, payload_size(payload))) return drop(outlet, topic, header);
  if (try_send(outlet, topic, header, payload)) {
    const struct topic *stuck = outlet->stuck;
    bool missed = stuck && subscriptions_match_both(subscriptions, stuck->name, stuck->size, topic->name, topic->size);
    return missed ? drop(outlet, topic, header) : SENT;
  }
  in_flight_new_wave(&outlet->in_flight);
  outlet->stuck = topic;
  send_to_the_rest(outlet, topic, header, payload);
  return drop(outlet, topic, header);
}

enum sent outlet_send(
  struct outlet *outlet, struct topic *topic, const struct header *header, const struct payload *payload)
{
  if (publishes(outlet)) return publish(outlet, topic, header, payload);
  return try_send(outlet, topic, header, payload) ? SENT : REFUSED;
}

enum sent outlet_send_snapshot(
  struct outlet *outlet, struct topic *topic, const struct header *header, const struct payload *payload, bool insist)
{
  if (try_send(outlet, topic, header, payload)) return SENT;
  if (!insist) return REFUSED;
  in_flight_new_wave(&outlet->in_flight);
  if (!outlet->stuck) outlet->stuck = topic;
  send_to_the_rest(outlet, topic, header, payload);
  return SENT;
}

/* Those that stand still hold older waves, and are nobody's measure. */
bool outlet_is_crowded(const struct outlet *outlet)
{
  const struct in_flight *in_flight = &outlet->in_flight;
  uint64_t messages = in_flight_messages(in_flight) - (outlet->stuck ? in_flight_older(in_flight) : 0);
  return messages >= (uint64_t)settings_messages(outlet->settings) / 4;
}

bool outlet_wait(struct outlet *outlet)
{
  zmq_pollitem_t items[] = {
    {.socket = outlet->socket, .events = ZMQ_POLLOUT}, {.fd = evp_stop_fd(outlet->ctx), .events = ZMQ_POLLIN}};
  int n = items[1].fd >= 0 ? 2 : 1;
  return zmq_poll(items, n, (long)(outlet->settings->linger / NS_PER_MS)) > 0 && items[0].revents & ZMQ_POLLOUT;
}
