#include <stdio.h>
#include <string.h>
#include <zmq.h>

int main(int argc, char **argv)
{
  if (argc != 3) return 2;
  void *socket = zmq_socket(zmq_ctx_new(), ZMQ_SUB);
  zmq_setsockopt(socket, ZMQ_SUBSCRIBE, argv[2], strlen(argv[2]));
  if (zmq_connect(socket, argv[1])) return 1;
  for (;;) {
    zmq_msg_t part;
    unsigned char header[72] = {0};
    int frame = 0, more = 1;
    for (; more && !zmq_msg_init(&part) && zmq_msg_recv(&part, socket, 0) >= 0; frame++, zmq_msg_close(&part)) {
      if (frame == 1 && zmq_msg_size(&part) == sizeof header) memcpy(header, zmq_msg_data(&part), sizeof header);
      if (frame >= 2) printf("%.*s\n", (int)zmq_msg_size(&part), (const char *)zmq_msg_data(&part)); /* one object */
      more = zmq_msg_more(&part);
    }
    fflush(stdout);
    if (more || header[7] & 4) return more; /* an error, or the end of the stream */
  }
}
