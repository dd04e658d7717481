import struct, sys, zmq

socket, log, live, ended, expected = zmq.Context().socket(zmq.SUB), bytearray(), False, False, None
socket.subscribe("bytes/")
socket.connect(sys.argv[1])
while not ended:
    topic, header, data = socket.recv_multipart()
    flags, sequence, offset, prologue, sync = struct.unpack(">6xH8xQ8xQQI20x", header)
    if sequence != expected or flags & 2:  # something was lost: begin anew
        log, live = bytearray(), False
    if flags & 1 and not live and offset <= len(log):  # a snapshot: the prologue in parts, for who comes late
        log += data[len(log) - offset:]
    elif not flags & 1 and (live or (prologue == len(log) and sync < len(data))):
        log += data[0 if live else sync:]
        live = True
    ended, expected = live and flags & 4, sequence + 1
open(sys.argv[2], "wb").write(log)
