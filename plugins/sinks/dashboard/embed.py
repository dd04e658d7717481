"""embed.py LIST OUTPUT DEPFILE: writes the files that LIST names (in its folder) into a C file: compressed, with type and ETag.

The output depends on nothing but the files: the same on each machine that has the same zlib."""

import gzip
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json"}
ROW = 24


def names(path):
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def asset_path(name):
    return "/" if name == "index.html" else "/assets/" + pathlib.PurePath(name).name


def type_of(name):
    suffix = pathlib.PurePath(name).suffix
    if suffix not in TYPES:
        sys.exit(f"embed.py: error: what type is '{name}'? Known are {', '.join(TYPES)}")
    return TYPES[suffix]


def array(number, data):
    rows = (",".join(map(str, data[i:i + ROW])) for i in range(0, len(data), ROW))
    return f"static const uint8_t data_{number}[] = {{\n" + ",\n".join(rows) + "};\n"


def main(list_file, output, depfile):
    folder = pathlib.Path(list_file).parent
    files = names(pathlib.Path(list_file))
    paths = [asset_path(name) for name in files]
    if len(set(paths)) != len(paths) or paths[:1] != ["/"]:
        sys.exit(f"embed.py: error: {list_file} must begin with index.html, and no two files may have the same name")
    text, table = ['/* Made by embed.py of what FILES names. */\n#include "assets.h"\n'], []
    for number, (name, path) in enumerate(zip(files, paths)):
        content = (folder / name).read_bytes()
        data = gzip.compress(content, 9, mtime=0)
        etag = hashlib.sha256(content).hexdigest()[:32]
        text.append(array(number, data))
        table.append(f'  {{"{path}", "{type_of(name)}", "\\"{etag}\\"", data_{number}, sizeof data_{number}}},\n')
    text.append("const struct asset assets[] = {\n" + "".join(table) + "};\n")
    text.append("const size_t n_assets = sizeof assets / sizeof *assets;\n")
    pathlib.Path(output).write_text("\n".join(text), encoding="utf-8")
    needed = " ".join(str(folder / name).replace(" ", "\\ ") for name in files)
    pathlib.Path(depfile).write_text(f"{pathlib.Path(output).name}: {needed}\n", encoding="utf-8")


main(*sys.argv[1:])
