"""Writes small eventlogs for tests: what no real log at hand has. Like the reference decoder it shares nothing with evpipe."""
import struct

HEAP_SIZE, THREAD_LABEL, USER_MESSAGE, USER_MARKER, LOG_MESSAGE, USER_BINARY = 50, 44, 19, 58, 16, 181
RUN_THREAD, STOP_THREAD = 1, 2
BLOCK_MARKER, RTS_IDENTIFIER, PROGRAM_ARGS, OSPROCESS_PID, OSPROCESS_PPID, WALL_CLOCK_TIME = 18, 29, 30, 32, 33, 43
PROF_BEGIN, COST_CENTRE, SAMPLE_BEGIN, SAMPLE_STACK, SAMPLE_STRING, SAMPLE_END, IPE = 160, 161, 162, 163, 164, 165, 169
GLOBAL = 0xFFFF
VARIABLE = 0xFFFF
SIZES = {RUN_THREAD: 4, STOP_THREAD: 10, LOG_MESSAGE: VARIABLE, BLOCK_MARKER: 14, USER_MESSAGE: VARIABLE, RTS_IDENTIFIER: VARIABLE,
         PROGRAM_ARGS: VARIABLE, OSPROCESS_PID: 8, OSPROCESS_PPID: 8, WALL_CLOCK_TIME: 16, THREAD_LABEL: VARIABLE, HEAP_SIZE: 12, USER_MARKER: VARIABLE,
         PROF_BEGIN: VARIABLE, COST_CENTRE: VARIABLE, SAMPLE_BEGIN: 8, SAMPLE_STACK: VARIABLE, SAMPLE_STRING: VARIABLE, SAMPLE_END: 8,
         IPE: VARIABLE, USER_BINARY: VARIABLE}


def string(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def record(number, time, payload):
    length = struct.pack(">H", len(payload)) if SIZES[number] == VARIABLE else b""
    return struct.pack(">HQ", number, time) + length + payload


def heap_size(time, size):
    return record(HEAP_SIZE, time, struct.pack(">IQ", 0, size))


class Log:
    """Records go to the global buffer, which becomes a block when block() or data() is called."""

    epoch = 1_700_000_000_000_000_000

    def __init__(self, without=()):
        self.types = {number: size for number, size in SIZES.items() if number not in without}
        self.blocks, self.records, self.time = [], [], 0

    def add(self, number, payload, time=None):
        self.time = self.time if time is None else time
        self.records.append(record(number, self.time, payload))

    def block(self, capability=GLOBAL, records=None):
        """What was added becomes a block; or one of other records is put behind it."""
        if records is None:
            records, self.records = self.records, []
        body = b"".join(records)
        self.blocks.append(record(BLOCK_MARKER, 0, struct.pack(">IQH", 24 + len(body), self.time + 1, capability)) + body)

    def data(self, end=True):
        self.block()
        header = b"hdrbhetb"
        for number, size in sorted(self.types.items()):
            header += b"etb\0" + struct.pack(">HHI", number, size, 4) + b"type" + struct.pack(">I", 0) + b"ete\0"
        return header + b"hetehdredatb" + b"".join(self.blocks) + (b"\xff\xff" if end else b"")

    # -------------------------------------------------------------------------------------------------- a program

    def init(self, breakdown=None, arguments=("./program",)):
        seconds, nanoseconds = divmod(self.epoch, 10**9)
        self.add(WALL_CLOCK_TIME, struct.pack(">IQI", 1, seconds, nanoseconds), 0)
        self.add(OSPROCESS_PID, struct.pack(">II", 0, 4711))
        self.add(RTS_IDENTIFIER, struct.pack(">I", 0) + b"GHC-9.10.3 rts_thr")
        self.add(PROGRAM_ARGS, struct.pack(">I", 0) + b"".join(map(string, arguments)))
        if breakdown is not None:
            self.profile(breakdown)

    def profile(self, breakdown, number=0):
        self.add(PROF_BEGIN, struct.pack(">BQI", number, 10**8, breakdown) + bytes(7))

    def cost_centre(self, number, label, module):
        self.add(COST_CENTRE, struct.pack(">I", number) + string(label) + string(module) + string("Main.hs:1:1") + b"\0")

    def info_table(self, address, name, kind, module, place):
        self.add(IPE, struct.pack(">Q", address) + b"".join(map(string, (name, "17", kind, "label", module, place))))
        if sum(map(len, self.records)) > 1_000_000:
            self.block()

    # -------------------------------------------------------------------------------------------------- censuses

    def begin(self, time):
        self.add(SAMPLE_BEGIN, bytes(8), time)

    def end(self, time):
        if SAMPLE_END in self.types:
            self.add(SAMPLE_END, bytes(8), time)

    def row(self, label, size):
        self.add(SAMPLE_STRING, struct.pack(">BQ", 0, size) + string(label))

    def stack(self, ids, size):
        self.add(SAMPLE_STACK, struct.pack(f">BQB{len(ids)}I", 0, size, len(ids), *ids))

    def census(self, time, rows):
        self.begin(time)
        for label, size in rows:
            self.row(label, size)
        self.end(time + 1)
