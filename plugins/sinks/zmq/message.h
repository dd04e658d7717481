/* message.h: the second frame of every message: what its payload is, and where it belongs. Big-endian, HEADER_SIZE bytes;
 * the page has the same table for subscribers.
 *
 *    0  magic      4  "EVPZ"
 *    4  version    2  1; another one means another layout
 *    6  flags      2  enum message_flag
 *    8  publisher  8  Unix ns at which the publisher began: another one is another publisher, or it was restarted
 *   16  sequence   8  number of the message within its topic, from 0: what is missing was lost
 *   24  stream     8  one run of one program
 *   32  offset     8  bytes, events: place of the payload in the stream, of a snapshot: in the prologue; else items before
 *   40  prologue   8  bytes, events: length of the prologue that a reader needs who begins at `sync`;
 *                     of a snapshot: what a reader has with it
 *   48  sync       4  bytes, events: where in the payload a reader can begin; NO_SYNC: nowhere
 *   52  items      4  bytes, or items of metrics and logs, in the payload
 *   56  epoch      8  Unix ns of event time 0; 0: not known yet
 *   64  lost       8  with MESSAGE_GAP: bytes or items that the sink did not get before this message
 *
 * Threads  any; nothing is kept.
 */
#ifndef EVPIPE_ZMQ_MESSAGE_H
#define EVPIPE_ZMQ_MESSAGE_H

#include <stdint.h>

enum { HEADER_SIZE = 72, HEADER_VERSION = 1 };

enum message_flag {
  MESSAGE_SNAPSHOT = 1, /* for who comes late: others skip it */
  MESSAGE_GAP = 2, /* something is missing before it, for every subscriber */
  MESSAGE_END = 4 /* the last of its stream in this topic */
};

#define NO_SYNC UINT32_MAX

struct header {
  uint16_t flags;
  uint64_t publisher, sequence, stream, offset, prologue;
  uint32_t sync, items;
  int64_t epoch;
  uint64_t lost;
};

void header_encode(const struct header *, uint8_t to[HEADER_SIZE]);

#endif
