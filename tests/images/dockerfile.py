"""Reads Dockerfiles, as far as ours go: instructions with their continued lines, stages, arguments with defaults."""
import collections
import fnmatch
import json
import re
import shlex

Instruction = collections.namedtuple("Instruction", "word text")


def instructions(path):
    text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [Instruction(*re.match(r"([A-Z]+)\s+(.*)", line).groups()) for line in lines if line.strip()]


class Stage:
    """What stands behind one FROM."""

    def __init__(self, image, name):
        self.image, self.name, self.instructions = image, name, []

    def all(self, word):
        return [instruction.text for instruction in self.instructions if instruction.word == word]

    def last(self, word):
        return self.all(word)[-1]

    def environment(self):
        return dict(pair.split("=", 1) for text in self.all("ENV") for pair in shlex.split(text))

    def labels(self):
        return dict(pair.split("=", 1) for text in self.all("LABEL") for pair in shlex.split(text))

    def packages(self):
        """What apt-get is told to install."""
        installed = re.findall(r"apt-get install (.*?)(?:&&|$)", " ".join(self.all("RUN")))
        return {word for words in installed for word in words.split() if not word.startswith("-")}

    def copies(self):
        """Of each COPY from the context: its sources. Other stages' are left out."""
        for text in self.all("COPY"):
            words = shlex.split(text)
            if not words[0].startswith("--from="):
                yield words[:-1]

    def words(self, instruction):
        """An instruction in its JSON form."""
        return json.loads(self.last(instruction))


def stages(path):
    arguments, found = {}, []
    for instruction in instructions(path):
        if instruction.word == "ARG" and not found:
            name, value = instruction.text.split("=")
            arguments[name] = value
        elif instruction.word == "FROM":
            image, *as_name = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match.group(1)], instruction.text).split()
            found.append(Stage(image, as_name[1] if as_name else None))
        else:
            found[-1].instructions.append(instruction)
    return found


def is_ignored(path, ignore_file):
    """What .dockerignore says of a path in the context: the last line that matches it or a folder above it."""
    ignored = False
    parts = path.strip("/").split("/")
    prefixes = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    for line in ignore_file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and any(fnmatch.fnmatch(prefix, line.lstrip("!")) for prefix in prefixes):
            ignored = not line.startswith("!")
    return ignored
