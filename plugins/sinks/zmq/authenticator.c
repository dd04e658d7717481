#include "authenticator.h"
#include <errno.h>
#include <string.h>
#include <zmq.h>

/* version, request id, domain, address, identity, mechanism, credentials */
enum { FRAMES = 7, VERSION = 0, REQUEST_ID = 1, ADDRESS = 3, MECHANISM = 5, CREDENTIALS = 6, REQUESTS_AT_ONCE = 64 };

struct request {
  zmq_msg_t frames[FRAMES];
  unsigned n; /* those of another form have more or less */
};

static bool load_keys(struct authenticator *authenticator, const struct curve_settings *curve)
{
  for (size_t i = 0; i < curve->allowed_keys.n; i++)
    if (!key_list_add(&authenticator->allowed, curve->allowed_keys.items[i])) {
      evp_error(authenticator->ctx, "no memory");
      return false;
    }
  return !curve->allowed_keys_file ||
         key_list_read(&authenticator->allowed, curve->allowed_keys_file, authenticator->ctx);
}

bool authenticator_open(
  struct authenticator *authenticator, void *context, const struct curve_settings *curve, struct evp_ctx *ctx)
{
  authenticator->ctx = ctx;
  authenticator->allow_any = curve->allow_any;
  if (!load_keys(authenticator, curve)) return false;
  authenticator->socket = zmq_socket(context, ZMQ_REP);
  if (authenticator->socket && !zmq_bind(authenticator->socket, "inproc://zeromq.zap.01")) return true;
  evp_error(ctx, "curve: %s", zmq_strerror(errno));
  return false;
}

static bool is(zmq_msg_t *frame, const char *text)
{
  return zmq_msg_size(frame) == strlen(text) && !memcmp(zmq_msg_data(frame), text, strlen(text));
}

/* False: there is none. */
static bool receive(void *socket, struct request *request)
{
  request->n = 0;
  for (bool more = true; more;) {
    zmq_msg_t extra, *frame = request->n < FRAMES ? &request->frames[request->n] : &extra;
    zmq_msg_init(frame);
    if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(frame);
      return false;
    }
    more = zmq_msg_more(frame);
    if (frame == &extra) zmq_msg_close(frame);
    request->n++;
  }
  return true;
}

static bool may_come(const struct authenticator *authenticator, struct request *request)
{
  if (request->n != FRAMES || !is(&request->frames[VERSION], "1.0")) return false;
  zmq_msg_t *key = &request->frames[CREDENTIALS];
  if (!is(&request->frames[MECHANISM], "CURVE") || zmq_msg_size(key) != KEY_SIZE) return false;
  if (authenticator->allow_any || key_list_has(&authenticator->allowed, zmq_msg_data(key))) return true;
  char text[KEY_TEXT_SIZE + 1];
  evp_warn(authenticator->ctx, "refused %.*s with the public key %s, which is not among the allowed_keys",
    (int)zmq_msg_size(&request->frames[ADDRESS]), (const char *)zmq_msg_data(&request->frames[ADDRESS]),
    zmq_z85_encode(text, zmq_msg_data(key), KEY_SIZE) ? text : "?");
  return false;
}

static void answer(void *socket, struct request *request, bool may)
{
  zmq_msg_t *id = &request->frames[REQUEST_ID];
  const char *code = may ? "200" : "400", *text = may ? "OK" : "not allowed";
  zmq_send(socket, "1.0", 3, ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, request->n > REQUEST_ID ? zmq_msg_data(id) : "", request->n > REQUEST_ID ? zmq_msg_size(id) : 0,
    ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, code, strlen(code), ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, text, strlen(text), ZMQ_SNDMORE | ZMQ_DONTWAIT);
  zmq_send(socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT); /* user id */
  zmq_send(socket, "", 0, ZMQ_DONTWAIT); /* metadata */
}

void authenticator_serve(struct authenticator *authenticator)
{
  struct request request;
  for (int i = 0; authenticator->socket && i < REQUESTS_AT_ONCE && receive(authenticator->socket, &request); i++) {
    answer(authenticator->socket, &request, may_come(authenticator, &request));
    for (unsigned frame = 0; frame < request.n && frame < FRAMES; frame++) zmq_msg_close(&request.frames[frame]);
  }
}

void authenticator_close(struct authenticator *authenticator)
{
  if (authenticator->socket) zmq_close(authenticator->socket);
  authenticator->socket = NULL;
  key_list_free(&authenticator->allowed);
}
