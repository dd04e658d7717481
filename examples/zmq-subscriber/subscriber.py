import struct, sys, zmq

socket, log, position, ended = zmq.Context().socket(zmq.SUB), bytearray(), None, False
socket.subscribe("bytes/")
socket.connect(sys.argv[1])
while not ended:
    topic, header, data = socket.recv_multipart()
    flags, offset, prologue, sync = struct.unpack(">6xH24xQQI20x", header)
    if flags & 1:  # a snapshot: the prologue in parts, for who comes late
        log += data[len(log) - offset:] if position is None and offset <= len(log) else b""
    elif position == offset or (position is None and prologue == len(log) and sync < len(data)):
        log += data if position is not None else data[sync:]
        position, ended = offset + len(data), flags & 4
    elif position is not None:  # something was lost: begin anew, with the prologue that comes now
        log, position = bytearray(), None
open(sys.argv[2], "wb").write(log)
