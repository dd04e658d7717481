"""What a subscriber of the sink zmq got, and what it makes of it by the rules of the sink's page."""
import collections
import struct

SNAPSHOT, GAP, END = 1, 2, 4
NO_SYNC = 0xFFFFFFFF
FIELDS = "magic version flags publisher sequence stream offset prologue sync items epoch lost"
Message = collections.namedtuple("Message", "topic parts " + FIELDS)


def read(path):
    """The whole messages in the file that zmq_subscriber.py writes."""
    return read_from(path, 0)[0]


def read_from(path, begin):
    """Those from there on, and where they end."""
    if not path.exists():
        return [], begin
    with open(path, "rb") as file:
        file.seek(begin)
        data = file.read()
    messages, at = [], 0
    while True:
        frames, next_at = _frames(data, at)
        if frames is None:
            return messages, begin + at
        at = next_at
        topic, header, *parts = frames
        messages.append(Message(topic.decode(), parts, *struct.unpack(">4sHHQQQQQIIqQ", header)))


def _frames(data, at):
    def number():
        nonlocal at
        value, = struct.unpack_from("=I", data, at)
        at += 4
        return value
    try:
        frames = []
        for _ in range(number()):
            size = number()
            if at + size > len(data):
                return None, at
            frames.append(data[at:at + size])
            at += size
        return frames, at
    except struct.error:
        return None, at


class Log:
    """One stream's eventlog, as a subscriber that may come late and may lose messages writes it."""

    def __init__(self):
        self.data, self.live, self.ended, self.expected = bytearray(), False, False, None
        self.prologue = 0  # bytes of it in front
        self.begin = None  # place in the stream at which it goes on
        self.restarts = 0

    def add(self, message, follows):
        data, = message.parts
        if message.flags & GAP or not follows:
            self.restarts += self.live
            self.data, self.live = bytearray(), False
        if message.flags & SNAPSHOT:
            if not self.live and message.offset <= len(self.data):
                self.data += data[len(self.data) - message.offset:]
            return
        if self.live:
            self.data += data
        elif message.sync != NO_SYNC and message.prologue == len(self.data):
            self.prologue, self.begin, self.live = len(self.data), message.offset + message.sync, True
            self.data += data[message.sync:]
        self.ended = self.live and bool(message.flags & END)


def logs(messages):
    """By topic and stream."""
    found, last = collections.defaultdict(Log), {}
    for message in messages:
        if message.topic.startswith(("bytes/", "events/")):
            here = message.publisher, message.sequence
            found[message.topic, message.stream].add(message, last.get(message.topic) == (here[0], here[1] - 1))
            last[message.topic] = here
    return dict(found)


def objects(messages, signal, snapshot=False):
    """The JSON of all parts of metrics or logs, in the order of arrival."""
    return [part for message in messages if message.topic.startswith(signal + "/") and bool(message.flags & SNAPSHOT) == snapshot
            for part in message.parts]


def missing(messages):
    """Sequence numbers that are not there, by topic and publisher."""
    numbers = collections.defaultdict(list)
    for message in messages:
        numbers[message.topic, message.publisher].append(message.sequence)
    return {key: sorted(set(range(seen[0], seen[-1] + 1)) - set(seen)) for key, seen in numbers.items()}
