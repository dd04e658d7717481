"""The table that core needs: names, what defines, sizes."""


def entry(event):
    fixed = [l.smallest for l in event.fixed_layouts]
    variable = [l.smallest for l in event.variable_layouts]
    parts = [f'.name = "{event.name}"', f".number = {event.number}"]
    if fixed and min(fixed):
        parts.append(f".smallest_fixed = {min(fixed)}")
    if variable and min(variable):
        parts.append(f".smallest_variable = {min(variable)}")
    for flag in ("defines_fixed", "defines_variable"):
        if getattr(event, flag):
            parts.append(f".{flag} = true")
    return f"  [{event.number}] = {{{', '.join(parts)}}},"


def generate(catalogue):
    events = catalogue.by_number()
    names = ", ".join(str(e.number) for e in sorted(events, key=lambda e: e.name))
    return "\n".join([
        "/* Made from catalogue.txt. */", '#include "eventlog/catalogue.h"', "",
        "const struct catalogue_entry catalogue_entries[] = {", *map(entry, events), "};",
        "const size_t catalogue_n_entries = sizeof catalogue_entries / sizeof *catalogue_entries;", "",
        f"const uint16_t catalogue_by_name[] = {{{names}}};",
        "const size_t catalogue_n_names = sizeof catalogue_by_name / sizeof *catalogue_by_name;", ""])
