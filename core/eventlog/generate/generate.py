"""generate.py events.h|core_table|formats|printable|page CATALOGUE OUTPUT: makes a file from the event catalogue.
With --check the file is only compared: exit status 1, and how to make it, if it is stale."""

import importlib
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import catalogue  # noqa: E402

MODULES = {"events.h": "events_header", "core_table": "core_table", "page": "page",
           "formats": "formats", "printable": "printable"}


def main(arguments):
    check = "--check" in arguments
    arguments = [a for a in arguments if a != "--check"]
    if len(arguments) != 3 or arguments[0] not in MODULES:
        sys.exit(__doc__)
    what, source, output = arguments
    text = importlib.import_module(MODULES[what]).generate(catalogue.read(source))
    if not check:
        pathlib.Path(output).write_text(text, encoding="utf-8")
    elif not pathlib.Path(output).is_file() or pathlib.Path(output).read_text(encoding="utf-8") != text:
        sys.exit(f"{output} is stale: run  python3 {__file__} {what} {source} {output}")
    else:
        print(f"{output}: up to date")


main(sys.argv[1:])
