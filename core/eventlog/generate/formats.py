"""The tables of plugins/common/event_format.h: how to read any payload field by field, and how to print it."""

import re

from catalogue import FORMS


def quote(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def word_tables(catalogue):
    lines = []
    for name, (other, words) in catalogue.words.items():
        items = ", ".join(f"{{{number}, {quote(word)}}}" for number, word in words.items())
        lines += [f"static const struct event_word words_{name}_items[] = {{{items}}};",
                  f"static const struct event_words words_{name} = "
                  f"{{{quote(other) if other else 'NULL'}, {len(words)}, words_{name}_items}};"]
    return lines


def stop_table(catalogue):
    lines = ["const struct event_stop event_stops[] = {"]
    for name, _, text in catalogue.stops:
        with_info = bool(text) and text.endswith("{info}")
        shown = quote(text.removesuffix("{info}")) if text else "NULL"
        lines.append(f"  {{{quote(name.lower())}, {shown}, {'true' if with_info else 'false'}}},")
    return lines + ["};", f"const size_t event_n_stops = {len(catalogue.stops)};"]


def template(event, names):
    """The pieces of the show form: (kind, form, field, skip, text)."""
    pieces, group = [], None
    for part in re.split(r"(\{[^}]*\}|\[|\])", event.show or ""):
        if part == "[":
            group = len(pieces)
            pieces.append(["GROUP", "PLAIN", None, 0, ""])
        elif part == "]":
            pieces[group][3] = len(pieces) - group - 1
        elif part.startswith("{"):
            name, _, form = part[1:-1].partition(":")
            if group is not None and pieces[group][2] is None:
                pieces[group][2] = names.index(name)
            pieces.append(["FIELD", form.upper() if form in FORMS else "WORDS" if form else "PLAIN", names.index(name), 0, ""])
        elif part:
            pieces.append(["LITERAL", "PLAIN", 0, 0, part])
    return pieces


def words_of(event):
    """Field name -> table of words or "stop", from the show form."""
    return {name: form for name, form in re.findall(r"\{(\w+):(\w+)\}", event.show or "")}


def event_tables(event, catalogue):
    number, names = event.number, [field.name for field in event.fields]
    lines, words = [], words_of(event)
    if names:
        fields = []
        for name in names:
            form = words.get(name)
            table = f"&words_{form}" if form in catalogue.words else "NULL"
            word_name = quote(name + "_name") if table != "NULL" or form == "stop" else "NULL"
            fields.append(f"{{{quote(name)}, {word_name}, {table}, {'true' if form == 'stop' else 'false'}}}")
        lines.append(f"static const struct event_field fields_{number}[] = {{{', '.join(fields)}}};")
    layouts = []
    for i, layout in enumerate(event.fixed_layouts + event.variable_layouts):
        slots = ", ".join(f"{{{names.index(f.name)}, EVENT_{f.type.upper()}, {'true' if f.optional else 'false'}}}"
                          for f in layout.fields)
        if slots:
            lines.append(f"static const struct event_slot slots_{number}_{i}[] = {{{slots}}};")
        shown = event.show is not None and not layout.unshown
        layouts.append(f"{{{'true' if layout.variable else 'false'}, {'true' if shown else 'false'}, {layout.smallest}, "
                       f"{len(layout.fields)}, {f'slots_{number}_{i}' if slots else 'NULL'}}}")
    if layouts:
        lines.append(f"static const struct event_layout layouts_{number}[] = {{{', '.join(layouts)}}};")
    pieces = template(event, names)
    if pieces:
        rows = ", ".join(f"{{EVENT_{kind}, EVENT_AS_{form}, {field}, {skip}, {len(text.encode())}, {quote(text)}}}"
                         for kind, form, field, skip, text in pieces)
        lines.append(f"static const struct event_piece pieces_{number}[] = {{{rows}}};")
    return lines


def entry(event):
    n = event.number
    def part(count, name):
        return f"{count}, {name}_{n}" if count else "0, NULL"
    pieces = template(event, [field.name for field in event.fields])
    return (f"  [{n}] = {{{quote(event.name)}, {part(len(event.fields), 'fields')}, "
            f"{part(len(event.layouts), 'layouts')}, {part(len(pieces), 'pieces')}}},")


def generate(catalogue):
    lines = ["/* Made from catalogue.txt. */", '#include "event_format.h"', ""] + word_tables(catalogue) + stop_table(catalogue)
    events = catalogue.by_number()
    for event in events:
        lines += event_tables(event, catalogue)
    most = max(len(event.fields) for event in events)
    return "\n".join(lines + [
        "const struct event_format event_formats[] = {", *map(entry, events), "};",
        "const size_t event_n_formats = sizeof event_formats / sizeof *event_formats;",
        f'_Static_assert({most} <= EVENT_FIELDS_MAX, "EVENT_FIELDS_MAX is too small");', ""])
