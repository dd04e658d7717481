"""Compose files: read with the parser of evpipe's own configuration, and with variables put in as compose does."""
import functools
import json
import re
import subprocess
import tempfile

import harness

TREE = harness.BUILD / "tests" / "config" / "tree_to_json"
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@functools.lru_cache
def load(path):
    """A YAML file as a value; numbers and truth values are text, as they are in an environment."""
    if not TREE.exists():
        harness.skip(f"{TREE} is not built")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as copy:
        copy.write(path.read_text(encoding="utf-8").replace("$", "$$"))  # variables stay as they are
        copy.flush()
        done = subprocess.run([TREE, copy.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise harness.Failed(f"{path}: {done.stderr}")
    return json.loads(done.stdout, parse_int=str, parse_float=str, object_hook=lambda value: {key: as_text(item) for key, item in value.items()})


def as_text(value):
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def variables(value):
    """The variables in it, with their defaults; None: without one. The same variable has one default everywhere."""
    found = {}
    for text in texts(value):
        for name, default in VARIABLE.findall(text):
            if found.setdefault(name, default) != default:
                raise harness.Failed(f"${{{name}}} has the defaults {found[name]!r} and {default!r}")
    return found


def texts(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def filled_in(value, environment=None):
    """With the variables replaced by what the environment says, or else by their defaults."""
    if isinstance(value, dict):
        return {key: filled_in(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, environment) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: (environment or {}).get(match.group(1)) or match.group(2), value)
    return value


def merged(below, above):
    """Two compose files given together: maps are merged, all else of the second replaces what the first has. (Lists are joined by
    compose, which none of ours needs: one that both have is an error here.)"""
    if not isinstance(below, dict):
        raise harness.Failed(f"{below!r} and {above!r} can not be merged here")
    result = dict(below)
    for key, value in above.items():
        result[key] = merged(below[key], value) if isinstance(value, (dict, list)) and key in below else value
    return result
