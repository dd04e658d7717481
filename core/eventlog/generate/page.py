"""docs/events.md: the catalogue as a page."""

HEAD = """\
# Events

Every event that GHC's, Eden's and Mercury's run-time systems and `perf` ever defined, as evpipe knows them. Made from
`core/eventlog/catalogue.txt`; `<evpipe/events.h>` has a number `EVP_NAME`, a `struct evp_name` and an `evp_read_name()` for each.
A stream's own header says how large its payloads are; of several layouts the largest that fits is read.

*Buffer*: which of the run-time system's buffers it is written to, and so whether it has a capability. *P*: it defines
something that a late reader needs, and goes into the prologue. Integers are big endian and unsigned. `string` ends with a
NUL; `text` (UTF-8), `latin1`, `bytes` and `strings` take the rest of the payload; `ids` is a count (u8) and as many u32.
`power8` is a u8 that stands for a power of two. A field in parentheses is not written by older versions.

| no. | event | GHC | class | buffer | P | payload (bytes): fields | meaning |
|---|---|---|---|---|---|---|---|
"""

TEXT = """
## Text

What `print` with `format: show` writes behind the time and the capability: exactly the text of `ghc-events show`.
"[ ]" is left out if the field in it is not there.

| no. | event | text |
|---|---|---|
"""

STOPS = """
## Why a thread stopped

The status of STOP_THREAD by version: A is GHC 6.12 and 7.0; B 7.2 to 7.6; C 7.8.1 and 7.8.2; D 7.8.3 and later.
`evp_stop_reason(dialect, status)` gives the reason whatever the version.

| reason | A | B | C | D | text |
|---|---|---|---|---|---|
"""


def escape(text):
    return text.replace("|", "\\|").replace("\n", "\\n")


def field_text(field):
    unit = "" if field.unit == "-" else f" {field.unit}"
    text = f"{field.type} `{field.name}`{unit}"
    return f"({text})" if field.optional else text


def layout_text(layout):
    fields = ", ".join(map(field_text, layout.fields))
    return f"{layout.size_text}: {fields}" if fields else "0"


def event_row(event):
    layouts = "; or ".join(map(layout_text, event.layouts)) if event.layouts else "not known"
    defines = "P" if event.defines_fixed else "V" if event.defines_variable else ""
    return f"| {event.number} | {event.name} | {event.versions} | {event.group} | {event.buffer} | {defines} | {layouts} | {event.about} |\n"


def generate(catalogue):
    events = catalogue.by_number()
    stops = "".join(f"| {name} | {' | '.join('-' if n is None else str(n) for n in row)} | {text or ''} |\n"
                    for name, row, text in catalogue.stops)
    shows = "".join(f"| {e.number} | {e.name} | {'`' + escape(e.show) + '`' if e.show else 'the description in the header'} |\n"
                    for e in events)
    return HEAD + "".join(map(event_row, events)) + TEXT + shows + STOPS + stops
