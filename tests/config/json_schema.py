"""Checks a value against a JSON Schema: those keywords of draft 2020-12 that evpipe's schema has. An unknown one is an error."""
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "then"}


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and (name == "number" or float(value).is_integer())
    return isinstance(value, TYPES[name])


def errors(value, schema, root, where=""):
    """What is wrong, as a list of texts."""
    if schema is True or schema is False:
        return [] if schema else [f"{where}: nothing may stand here"]
    found = []
    for keyword, argument in schema.items():
        if keyword not in ANNOTATIONS:
            found += KEYWORDS[keyword](value, argument, schema, root, where)
    return found


def _type(value, argument, schema, root, where):
    names = argument if isinstance(argument, list) else [argument]
    return [] if any(is_type(value, name) for name in names) else [f"{where}: {value!r} is no {' or '.join(names)}"]


def _properties(value, argument, schema, root, where):
    return [error for key, inner in argument.items() if isinstance(value, dict) and key in value for error in errors(value[key], inner, root, f"{where}.{key}")]


def _pattern_properties(value, argument, schema, root, where):
    return [error for pattern, inner in argument.items() if isinstance(value, dict) for key in value if re.search(pattern, key)
            for error in errors(value[key], inner, root, f"{where}.{key}")]


def _additional(value, argument, schema, root, where):
    if not isinstance(value, dict):
        return []
    rest = [key for key in value if key not in schema.get("properties", {}) and not any(re.search(pattern, key) for pattern in schema.get("patternProperties", {}))]
    return [error for key in rest for error in errors(value[key], argument, root, f"{where}.{key}")]


def _if(value, argument, schema, root, where):
    return [] if errors(value, argument, root, where) else errors(value, schema["then"], root, where)


def _ref(value, argument, schema, root, where):
    target = root
    for part in argument.removeprefix("#/").split("/"):
        target = target[part]
    return errors(value, target, root, where)


KEYWORDS = {
    "type": _type, "properties": _properties, "patternProperties": _pattern_properties, "additionalProperties": _additional, "if": _if, "$ref": _ref,
    "required": lambda value, names, schema, root, where: [f"{where}: {name} is missing" for name in names if isinstance(value, dict) and name not in value],
    "enum": lambda value, words, schema, root, where: [] if any(value == word and type(value) is type(word) for word in words) else [f"{where}: {value!r} is none of {words}"],
    "const": lambda value, word, schema, root, where: [] if value == word else [f"{where}: {value!r} is not {word!r}"],
    "pattern": lambda value, pattern, schema, root, where: [] if not isinstance(value, str) or re.search(pattern, value) else [f"{where}: {value!r} is not {pattern}"],
    "minimum": lambda value, least, schema, root, where: [] if not is_type(value, "number") or value >= least else [f"{where}: {value} is less than {least}"],
    "maximum": lambda value, most, schema, root, where: [] if not is_type(value, "number") or value <= most else [f"{where}: {value} is more than {most}"],
    "items": lambda value, inner, schema, root, where: [error for i, item in enumerate(value) for error in errors(item, inner, root, f"{where}[{i}]")]
    if isinstance(value, list) else [],
    "anyOf": lambda value, choices, schema, root, where: [] if any(not errors(value, choice, root, where) for choice in choices) else [f"{where}: {value!r} is none of the choices"],
    "allOf": lambda value, parts, schema, root, where: [error for part in parts for error in errors(value, part, root, where)],
}
