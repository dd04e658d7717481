"""Which code points Haskell's isPrint takes for printable: those of the categories L*, M*, N*, P*, S* and Zs."""

import sys
import unicodedata


def is_printable(code):
    category = unicodedata.category(chr(code))
    return category[0] in "LMNPS" or category == "Zs"


def ranges():
    begin = None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and is_printable(code)
        if inside and begin is None:
            begin = code
        elif not inside and begin is not None:
            yield begin, code - 1
            begin = None


def generate(_):
    rows = "\n".join(f"  {{{first:#x}, {last:#x}}}," for first, last in ranges())
    return (f"/* Made from Unicode {unicodedata.unidata_version}. */\n"
            '#include "event_format.h"\n\n'
            f"const struct unicode_range unicode_printable[] = {{\n{rows}\n}};\n"
            "const size_t unicode_n_printable = sizeof unicode_printable / sizeof *unicode_printable;\n")
