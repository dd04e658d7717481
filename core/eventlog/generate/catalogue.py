"""Reads catalogue.txt: the model that every generated file is made from. Its syntax is described at its head."""

import re
import sys

SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "power8": 1}
REST = {"text", "latin1", "bytes", "strings"}  # take what the fields behind them leave
VARIABLE = REST | {"string", "ids"}
FORMS = {"hex", "list", "printable", "low16", "successor", "caf", "filters", "stop"}
COLUMNS = "ABCD"
BUFFERS = {"capability", "global", "any", "none"}


class Field:
    def __init__(self, name, type, unit, meaning, optional):
        self.name, self.type, self.unit, self.meaning, self.optional = name, type, unit, meaning, optional


class Layout:
    def __init__(self, unshown=False):
        self.fields, self.unshown = [], unshown

    @property
    def variable(self):
        return any(field.type in VARIABLE for field in self.fields)

    @property
    def smallest(self):
        """Bytes that a payload of this layout has at the least: a string is at least its NUL, ids their count."""
        return sum(SIZES.get(f.type, 1 if f.type in ("string", "ids") else 0) for f in self.fields if not f.optional)

    @property
    def largest(self):
        return sum(SIZES.get(f.type, 0) for f in self.fields)

    @property
    def size_text(self):
        if self.variable:
            return "variable"
        return str(self.smallest) if self.smallest == self.largest else f"{self.smallest}, {self.largest}"


class Event:
    def __init__(self, number, name, group, buffer, versions):
        self.number, self.name, self.group, self.buffer, self.versions = number, name, group, buffer, versions
        self.about, self.show, self.layouts = "", None, [Layout()]
        self.defines_fixed = self.defines_variable = False

    @property
    def fixed_layouts(self):
        """Largest first: the order in which they are tried."""
        return sorted((l for l in self.layouts if not l.variable), key=lambda l: -l.smallest)

    @property
    def variable_layouts(self):
        return [l for l in self.layouts if l.variable]

    @property
    def fields(self):
        """Every field of any layout, once, by the order of its first mention; the widest type wins."""
        union = {}
        for layout in self.layouts:
            for field in layout.fields:
                known = union.get(field.name)
                if known is None or SIZES.get(known.type, 0) < SIZES.get(field.type, 0):
                    union[field.name] = field
        return list(union.values())


class Catalogue:
    def __init__(self):
        self.events, self.words, self.stops = [], {}, []  # words: name -> (other, {number: word})

    def by_number(self):
        return sorted(self.events, key=lambda event: event.number)


class Reader:
    def __init__(self, path):
        self.path, self.line_number, self.catalogue = path, 0, Catalogue()
        self.event = self.word_table = None
        self.in_stops = False

    def fail(self, message):
        sys.exit(f"{self.path}:{self.line_number}: error: {message}")

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                self.line_number += 1
                line = line.rstrip("\n")
                if line.strip() and not line.startswith("#"):
                    self.line(line)
        for event in self.catalogue.events:
            self.check(event)
        return self.catalogue

    def line(self, line):
        if not line.startswith(" "):
            self.block(line.split())
        elif self.event is not None:
            keyword, _, rest = line.strip().partition(" ")
            handler = getattr(self, "event_" + keyword, None)
            if handler is None:
                self.fail(f"unknown keyword '{keyword}'")
            handler(rest)
        elif self.in_stops:
            self.stop(line.split(None, 5))
        elif self.word_table is not None:
            number, word = line.split(None, 1)
            self.word_table[int(number)] = word
        else:
            self.fail("belongs to nothing")

    def block(self, words):
        self.event = self.word_table = None
        self.in_stops = False
        if words[0] == "event" and len(words) >= 6:
            number, name, group, buffer = int(words[1]), words[2], words[3], words[4]
            if any(e.number == number or e.name == name for e in self.catalogue.events):
                self.fail(f"event {number} {name} is there twice")
            if buffer not in BUFFERS:
                self.fail(f"unknown buffer '{buffer}'")
            self.event = Event(number, name, group, buffer, " ".join(words[5:]))
            self.catalogue.events.append(self.event)
        elif words[0] == "words" and len(words) >= 2:
            self.word_table = {}
            self.catalogue.words[words[1]] = (words[2] if len(words) > 2 else None, self.word_table)
        elif words == ["stops"]:
            self.in_stops = True
        else:
            self.fail("expected 'event', 'words' or 'stops'")

    def stop(self, words):
        numbers = [None if word == "-" else int(word) for word in words[1:5]]
        if len(numbers) != len(COLUMNS):
            self.fail("a stop has a name, four numbers and a text")
        self.catalogue.stops.append((words[0], numbers, words[5] if len(words) > 5 else None))

    def event_about(self, rest):
        self.event.about = rest

    def event_show(self, rest):
        self.event.show = rest.replace("\\n", "\n")

    def event_defines(self, rest):
        self.event.defines_variable = True
        self.event.defines_fixed = rest != "variable"

    def event_unknown(self, rest):
        self.event.layouts = []

    def event_layout(self, rest):
        if len(self.event.layouts) == 1 and not self.event.layouts[0].fields:
            self.event.layouts = []
        self.event.layouts.append(Layout(unshown=rest == "unshown"))

    def event_field(self, rest, optional=False):
        words = rest.split(None, 3)
        if len(words) != 4 or words[1] not in SIZES.keys() | VARIABLE:
            self.fail("a field has a name, a type, a unit and a meaning")
        self.event.layouts[-1].fields.append(Field(*words, optional))

    def event_optional(self, rest):
        self.event_field(rest, optional=True)

    def check(self, event):
        names = {field.name for field in event.fields}
        for name, form in re.findall(r"\{(\w+)(?::(\w+))?\}", event.show or ""):
            if name not in names:
                sys.exit(f"{self.path}: error: {event.name} shows '{name}', which is no field of it")
            if form and form not in FORMS and form not in self.catalogue.words:
                sys.exit(f"{self.path}: error: {event.name} shows '{name}' as '{form}', which is nothing")
        if not event.about:
            sys.exit(f"{self.path}: error: {event.name} has no 'about'")
        for layout in event.layouts:
            if sum(field.type in REST for field in layout.fields) > 1:
                sys.exit(f"{self.path}: error: {event.name} has two fields that take the rest")


def read(path):
    return Reader(path).read()
