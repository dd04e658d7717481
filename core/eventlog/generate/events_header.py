"""<evpipe/events.h>: numbers of events, their payloads as structs, and a reader for each."""

from catalogue import COLUMNS, REST, SIZES

C_TYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "power8": "uint16_t",
           "string": "struct evp_text", "text": "struct evp_text", "latin1": "struct evp_text",
           "bytes": "struct evp_text", "strings": "struct evp_text", "ids": "struct evp_ids"}

HEAD = """\
/* evpipe/events.h: GHC's events by name, and readers of their payloads. Made from evpipe's event catalogue; not to be edited.
 * Everything is `static inline`: a plugin needs nothing but this header and <evpipe.h>. C11 and C++17.
 *
 * evp_read_NAME(event, dialect, &payload) is false if the payload is none of that event's known layouts, too short, or lies
 * about its inner sizes; what is in `payload` then means nothing. `dialect` is evp_stream_dialect() of the batch's stream.
 * It does not look at event->type: that is yours. Texts point into the event's payload, live as long as its batch, end with
 * no NUL and are as the program wrote them: not always valid UTF-8. A payload longer than expected is read as far as it is known.
 */
#ifndef EVPIPE_EVENTS_H
#define EVPIPE_EVENTS_H

#include <evpipe.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

"""

PRIMITIVES = """\
/* ------------------------------------------------------------------------------------------------- big endian */

static inline uint16_t evp_u16(const uint8_t *p)
{
  return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t evp_u32(const uint8_t *p)
{
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t evp_u64(const uint8_t *p)
{
  return (uint64_t)evp_u32(p) << 32 | evp_u32(p + 4);
}

/* ------------------------------------------------------------------------------------------------- text and lists */

struct evp_text {
  const char *data; /* not terminated; NULL if the field is not there */
  size_t size;
};

/* Cost centres of a stack, innermost first. */
struct evp_ids {
  const uint8_t *data;
  size_t n;
};

static inline uint32_t evp_id(struct evp_ids ids, size_t i)
{
  return evp_u32(ids.data + 4 * i);
}

/* Takes the next string off a list of strings that each end with a NUL (arguments, environment); false: there is none. */
static inline bool evp_next_string(struct evp_text *list, struct evp_text *string)
{
  if (!list->size) return false;
  const char *nul = (const char *)memchr(list->data, 0, list->size);
  string->data = list->data;
  string->size = nul ? (size_t)(nul - list->data) : list->size;
  size_t taken = nul ? string->size + 1 : string->size;
  list->data += taken;
  list->size -= taken;
  return true;
}

/* The inside of the readers. */
struct evp_rest_ {
  const uint8_t *data;
  size_t size;
};

static inline bool evp_take_(struct evp_rest_ *rest, size_t size, const uint8_t **field)
{
  if (rest->size < size) return false;
  *field = rest->data;
  rest->data += size;
  rest->size -= size;
  return true;
}

static inline bool evp_take_string_(struct evp_rest_ *rest, struct evp_text *text)
{
  const uint8_t *nul = rest->size ? (const uint8_t *)memchr(rest->data, 0, rest->size) : NULL;
  if (!nul) return false;
  const uint8_t *field = rest->data;
  text->data = (const char *)field;
  text->size = (size_t)(nul - field);
  return evp_take_(rest, text->size + 1, &field);
}

static inline bool evp_take_text_(struct evp_rest_ *rest, size_t behind, struct evp_text *text)
{
  const uint8_t *field = rest->data;
  if (rest->size < behind) return false;
  text->data = (const char *)field;
  text->size = rest->size - behind;
  return evp_take_(rest, text->size, &field);
}

static inline bool evp_take_ids_(struct evp_rest_ *rest, struct evp_ids *ids)
{
  const uint8_t *count;
  if (!evp_take_(rest, 1, &count)) return false;
  ids->n = *count;
  return evp_take_(rest, 4 * ids->n, &ids->data);
}

"""


def load(type, at):
    if type == "power8":
        return f"(uint16_t)({at} < 16 ? 1u << {at} : 0)"
    return at if type == "u8" else f"evp_{type}({at})"


def load_at(type, pointer, offset):
    if SIZES[type] == 1:
        return load(type, f"{pointer}[{offset}]")
    return load(type, f"{pointer} + {offset}" if offset else pointer)


def read_fixed(layout, alone):
    """Fields at known places. The size is known to be enough but for the optional ones."""
    lines, offset = [], 0
    for field in layout.fields:
        value = load_at(field.type, "event->data", offset)
        offset += SIZES[field.type]
        if field.optional:
            lines.append(f"payload->has_{field.name} = event->size >= {offset};")
            lines.append(f"payload->{field.name} = payload->has_{field.name} ? {value} : 0;")
        else:
            lines.append(f"payload->{field.name} = {value};")
    lines.append("return true;")
    if alone:
        return lines
    return [f"if (!variable && event->size >= {layout.smallest}) {{"] + ["  " + line for line in lines] + ["}"]


def take(field, behind):
    """An expression that takes a field off the rest, false if it is not there."""
    if field.type in SIZES:
        return f"evp_take_(&rest, {SIZES[field.type]}, &field)"
    if field.type in REST:
        return f"evp_take_text_(&rest, {behind}, &payload->{field.name})"
    return f"evp_take_{field.type}_(&rest, &payload->{field.name})"


def read_variable(layout):
    lines = ["struct evp_rest_ rest = {event->data, event->size};"]
    if any(field.type in SIZES for field in layout.fields):
        lines.append("const uint8_t *field;")
    for i, field in enumerate(layout.fields):
        behind = sum(SIZES.get(f.type, 0) for f in layout.fields[i + 1:])
        if field.optional:
            lines += [f"payload->has_{field.name} = {take(field, behind)};", f"if (!payload->has_{field.name}) return true;"]
        else:
            lines.append(f"if (!{take(field, behind)}) return false;")
        if field.type in SIZES:
            lines.append(f"payload->{field.name} = {load_at(field.type, 'field', 0)};")
    return lines + ["return true;"]


def reader_body(event):
    fixed, variable = event.fixed_layouts, event.variable_layouts
    lines = []
    several = len(event.layouts) > 1
    if several or any(f.optional for l in variable for f in l.fields):
        lines.append("memset(payload, 0, sizeof *payload);")
    if not several:
        if variable:
            return lines + ["if (!(event->flags & EVP_EVENT_VARIABLE)) return false;"] + read_variable(variable[0])
        least = f" || event->size < {fixed[0].smallest}" if fixed[0].smallest else ""
        return lines + [f"if (event->flags & EVP_EVENT_VARIABLE{least}) return false;"] + read_fixed(fixed[0], True)
    lines.append("bool variable = (event->flags & EVP_EVENT_VARIABLE) != 0;")
    for layout in fixed:
        lines += read_fixed(layout, False)
    if variable:
        return lines + ["if (!variable) return false;"] + read_variable(variable[0])
    return lines + ["return false;"]


def payload(event):
    lower = event.name.lower()
    lines = [f"/* {event.number}: {event.about} */", f"struct evp_{lower} {{"]
    for field in event.fields:
        if any(f.name == field.name and f.optional for l in event.layouts for f in l.fields):
            lines.append(f"  bool has_{field.name};")
        unit = "" if field.unit == "-" else f"{field.unit}: "
        lines.append(f"  {C_TYPES[field.type]} {field.name}; /* {unit}{field.meaning} */")
    lines += ["};", "",
              f"static inline bool evp_read_{lower}(",
              f"  const struct evp_event *event, uint32_t dialect, struct evp_{lower} *payload)", "{", "  (void)dialect;"]
    return lines + ["  " + line for line in reader_body(event)] + ["}", ""]


def numbers(catalogue):
    lines = ["/* What evp_event.type may be. A stream may have types that are not here. */", "enum evp_event_number {"]
    lines += [f"  EVP_{event.name} = {event.number}," for event in catalogue.by_number()]
    return lines + ["};", ""]


def classes(catalogue):
    """Of each number the CLASS of its row."""
    names = sorted({event.group for event in catalogue.events})
    last = catalogue.by_number()[-1].number
    by_number = {event.number: names.index(event.group) + 1 for event in catalogue.events}
    cells = [str(by_number.get(number, 0)) for number in range(last + 1)]
    rows = [f"    {', '.join(cells[i:i + 24])}," for i in range(0, len(cells), 24)]
    return ["/* What an event is about: the class of its row in docs/events.md. */", "enum evp_event_class {",
            "  EVP_CLASS_UNKNOWN = 0, /* the type is not in the catalogue */",
            *(f"  EVP_CLASS_{name.upper()} = {i}," for i, name in enumerate(names, 1)),
            f"  EVP_CLASS_COUNT = {len(names) + 1}", "};", "",
            "static inline enum evp_event_class evp_event_class(uint16_t type)", "{",
            f"  static const uint8_t classes[{last + 1}] = {{", *rows, "  };",
            f"  return (enum evp_event_class)(type <= {last} ? classes[type] : 0);", "}", "",
            "/* As in docs/events.md, \"gc\"; NULL: there is no such class. */",
            "static inline const char *evp_event_class_name(enum evp_event_class number)", "{",
            f"  static const char *const names[{len(names) + 1}] = {{\"unknown\", "
            + ", ".join(f'"{name}"' for name in names) + "};",
            "  return (unsigned)number < EVP_CLASS_COUNT ? names[(unsigned)number] : NULL;", "}", ""]


def stops(catalogue):
    lines = ["/* ------------------------------------------------------------------------------------------------- dialects",
             "   What evp_stream_dialect() says: which coding of what the sizes in the header do not tell. */", "",
             "enum evp_dialect {",
             "  EVP_DIALECT_STOP = 3, /* these bits: how STOP_THREAD codes its reason */",
             "  EVP_DIALECT_STOP_D = 0, /* GHC 7.8.3 and later */",
             "  EVP_DIALECT_STOP_A = 1, /* GHC 6.12 and 7.0 */",
             "  EVP_DIALECT_STOP_B = 2, /* GHC 7.2 to 7.6 */",
             "  EVP_DIALECT_STOP_C = 3, /* GHC 7.8.1 and 7.8.2 */",
             "  EVP_DIALECT_MERCURY = 4, /* Mercury's run-time system */",
             "  EVP_DIALECT_GHC_6_12 = 8 /* GHC 6.12, whose header declares wrong sizes (put right in evp_event.size) */",
             "};", "", "/* Why a thread stopped, whatever the version. */", "enum evp_stop_reason {"]
    for i, (name, _, text) in enumerate(catalogue.stops):
        lines.append(f"  EVP_STOPPED_{name} = {i}," + (f" /* {text} */" if text else ""))
    longest = max(n for _, row, _ in catalogue.stops for n in row if n is not None) + 1
    lines += ["  EVP_STOPPED_OTHER = 255 /* a number that no version uses */", "};", "",
              "static inline enum evp_stop_reason evp_stop_reason(uint32_t dialect, uint16_t status)", "{",
              f"  static const uint8_t reasons[4][{longest}] = {{"]
    for column in "DABC":  # the order of the EVP_DIALECT_STOP_ numbers
        index = COLUMNS.index(column)
        row = ["255"] * longest
        for i, (_, row_numbers, _) in enumerate(catalogue.stops):
            if row_numbers[index] is not None:
                row[row_numbers[index]] = str(i)
        lines.append(f"    {{{', '.join(row)}}}, /* {column} */")
    return lines + ["  };",
                    f"  uint8_t reason = status < {longest} ? reasons[dialect & EVP_DIALECT_STOP][status] : 255;",
                    "  return (enum evp_stop_reason)reason;", "}", ""]


def generate(catalogue):
    lines = numbers(catalogue) + classes(catalogue) + stops(catalogue) + [
        "/* ------------------------------------------------------------------------------------------------- payloads */", ""]
    head = HEAD + PRIMITIVES
    for event in catalogue.by_number():
        if event.layouts and event.fields:
            lines += payload(event)
    return head + "\n".join(lines) + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
