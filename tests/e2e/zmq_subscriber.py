#!/usr/bin/python3
"""Subscribes, pulls, or listens, and writes every message to a file: number of frames, then size and bytes of each.

Run by the system's Python, which has the module zmq; the tests themselves need not. "connected" on stderr: a peer is there.
"""
import argparse
import struct
import sys

try:
    import zmq
    from zmq.utils.monitor import recv_monitor_message
except ImportError:
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("output")
    parser.add_argument("--subscribe", action="append", default=[])
    parser.add_argument("--pull", action="store_true")
    parser.add_argument("--bind", action="store_true")
    parser.add_argument("--rcvhwm", type=int, default=0)
    parser.add_argument("--rcvbuf", type=int, default=-1)
    parser.add_argument("--curve", metavar="SERVER,PUBLIC,SECRET", help="keys: a comma is none of their characters, a dash at the begin may be")
    options = parser.parse_args()
    socket = zmq.Context().socket(zmq.PULL if options.pull else zmq.SUB)
    socket.rcvhwm = options.rcvhwm
    socket.setsockopt(zmq.RCVBUF, options.rcvbuf)
    for topic in options.subscribe:
        socket.subscribe(topic)
    if options.curve:
        socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = (key.encode() for key in options.curve.split(","))
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    (socket.bind if options.bind else socket.connect)(options.address)
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    with open(options.output, "wb", buffering=0) as output:
        while True:
            ready = dict(poller.poll())
            if monitor in ready:
                event = recv_monitor_message(monitor)["event"]
                print("connected" if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else "refused", file=sys.stderr, flush=True)
            while socket.poll(0):
                frames = socket.recv_multipart()
                output.write(struct.pack("=I", len(frames)) + b"".join(struct.pack("=I", len(frame)) + frame for frame in frames))


if __name__ == "__main__":
    main()
