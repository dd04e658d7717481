#include "config/tree.h"
#include "config/excerpt.h"
#include "config/file.h"
#include "config/substitute.h"
#include "userinfo.h"
#include <ctype.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 24, MAX_NODES = 20000, MAX_ANCHORS = 1000 };

/* libyaml's events and not its documents: those build all of a hostile tree before one can see how deep or wide it is
   (half a megabyte of "[" takes minutes). */
struct reader {
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  const char *text;
  size_t size;
  yaml_parser_t parser;
  yaml_event_t event; /* the current one */
  struct anchor *anchors;
  size_t n_anchors, n_nodes; /* n_nodes: with what aliases repeat */
  unsigned depth;
  bool stopped; /* what is wrong was said; nothing more is read */
};

struct anchor {
  struct anchor *next;
  const char *name;
  struct config_node node;
  size_t n_nodes; /* in it */
  bool open; /* being read now, so an alias to it is a cycle */
};

/* -------------------------------------------------------------------------------------------------- syntax errors */

static const char *find_line(const struct reader *reader, size_t number, size_t *length)
{
  const char *at = reader->text, *end = at + reader->size, *next = excerpt_next_line(at, end, length);
  for (size_t i = 0; at && i < number; i++) {
    at = next;
    if (at) next = excerpt_next_line(at, end, length);
  }
  return at;
}

/* Is there a {word} of letters alone, as in "{each}"? */
static bool has_placeholder(const char *line, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (line[i] != '{') continue;
    size_t end = i + 1;
    while (end < length && islower((unsigned char)line[end])) end++;
    if (end > i + 1 && end < length && line[end] == '}') return true;
  }
  return false;
}

/* A syntax error in a line with ${ or {name} in it is most likely a missing quote. */
static const char *hint_for(const struct reader *reader, size_t line)
{
  size_t length;
  const char *at = find_line(reader, line, &length);
  size_t blanks = at ? strspn(at, " \t") : 0;
  if (at && blanks < length && memchr(at, '\t', blanks)) return "; YAML is indented by blanks, not by tabs";
  if (!at || (!memmem(at, length, "${", 2) && !has_placeholder(at, length))) return "";
  return "; within { } and [ ] YAML wants quotes around \"${...}\" and \"{...}\"";
}

static void tell_syntax(struct reader *reader)
{
  const yaml_parser_t *parser = &reader->parser;
  bool at_end = parser->context && parser->problem_mark.index >= reader->size; /* there is no line to show there */
  const yaml_mark_t *mark = at_end ? &parser->context_mark : &parser->problem_mark;
  struct place place = {.line = (unsigned)mark->line + 1, .column = (unsigned)mark->column + 1, .length = 1};
  if (parser->error == YAML_READER_ERROR)
    place = config_place(reader->text, parser->problem_offset); /* it has no mark */
  const char *hint = hint_for(reader, mark->line), *problem = parser->problem ? parser->problem : "no memory";
  if (!*hint && parser->context && parser->context_mark.line < mark->line)
    hint = hint_for(reader, parser->context_mark.line);
  if (!*hint && !strcmp(problem, "mapping values are not allowed in this context"))
    hint = "; is this line indented as the one above it, and is there no second ': ' in it?";
  if (parser->context)
    diagnostics_error(reader->diagnostics, place, "this is not YAML: %s %s that begins in line %zu%s", problem,
      parser->context, parser->context_mark.line + 1, hint);
  else
    diagnostics_error(reader->diagnostics, place, "this is not YAML: %s%s", problem, hint);
}

/* ----------------------------------------------------------------------------------------------------- the tree */

static bool next_event(struct reader *reader)
{
  if (reader->stopped) return false;
  yaml_event_delete(&reader->event);
  if (yaml_parser_parse(&reader->parser, &reader->event)) return true;
  tell_syntax(reader);
  reader->stopped = true;
  return false;
}

static void stop(struct reader *reader, struct place place, const char *why)
{
  if (!reader->stopped) diagnostics_error(reader->diagnostics, place, "%s", why);
  reader->stopped = true;
}

static void count_nodes(struct reader *reader, struct place place, size_t n)
{
  reader->n_nodes += n;
  if (reader->n_nodes > MAX_NODES)
    stop(reader, place, "the configuration has too many parts (do aliases multiply it?)");
}

static struct place place_between(yaml_mark_t from, yaml_mark_t to)
{
  struct place place = {.line = (unsigned)from.line + 1, .column = (unsigned)from.column + 1, .length = 1};
  if (to.line > from.line) {
    place.last_line = (unsigned)to.line + 1;
    place.last_column = (unsigned)to.column + 1;
  } else if (to.column > from.column) {
    place.length = (unsigned)(to.column - from.column);
  }
  return place;
}

/* Room for one more in an array whose room doubles: n is a power of two when it is full. */
static void *with_room(struct config_memory *memory, void *array, size_t n, size_t item)
{
  if (n & (n - 1)) return array;
  void *larger = config_alloc(memory, (n ? 2 * n : 1) * item);
  if (n) memcpy(larger, array, n * item);
  return larger;
}

static void read_node(struct reader *, struct config_node *made);

static void read_scalar(struct reader *reader, struct config_node *made)
{
  const char *text = (const char *)reader->event.data.scalar.value;
  size_t length = reader->event.data.scalar.length;
  bool plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  made->kind = CONFIG_SCALAR;
  made->text = config_string(reader->memory, text, length);
  if (plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null"))) made->kind = CONFIG_NULL;
  if (!memchr(text, '\0', length)) return;
  diagnostics_error(reader->diagnostics, made->place, "has a NUL character in it");
  made->kind = CONFIG_BROKEN;
}

static void read_sequence(struct reader *reader, struct config_node *made)
{
  made->kind = CONFIG_SEQUENCE;
  while (next_event(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT) {
    made->items = with_room(reader->memory, made->items, made->n, sizeof *made->items);
    read_node(reader, &made->items[made->n++]);
  }
}

/* Is it a word, and new in its mapping? */
static bool key_is_good(struct reader *reader, const struct config_node *mapping, const struct config_node *key)
{
  const struct config_pair *before = key->kind == CONFIG_SCALAR ? tree_find(mapping, key->text) : NULL;
  if (key->kind == CONFIG_BROKEN) return false;
  if (key->kind != CONFIG_SCALAR)
    diagnostics_error(reader->diagnostics, key->place, "a key must be a word");
  else if (!strcmp(key->text, "<<"))
    diagnostics_error(reader->diagnostics, key->place, "merge keys are not supported: write the keys out");
  else if (before)
    diagnostics_error(reader->diagnostics, key->place, "'%s' stands here a second time; the first is in line %u",
      key->text, before->key.place.line);
  else
    return true;
  return false;
}

static void read_mapping(struct reader *reader, struct config_node *made)
{
  made->kind = CONFIG_MAPPING;
  while (next_event(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
    made->pairs = with_room(reader->memory, made->pairs, made->n, sizeof *made->pairs);
    struct config_pair *pair = &made->pairs[made->n];
    read_node(reader, &pair->key);
    bool good = !reader->stopped && key_is_good(reader, made, &pair->key);
    if (!next_event(reader)) return;
    read_node(reader, &pair->value);
    if (good) made->n++;
  }
}

static void read_alias(struct reader *reader, struct config_node *made)
{
  const char *name = (const char *)reader->event.data.alias.anchor;
  const struct anchor *anchor = reader->anchors;
  while (anchor && strcmp(anchor->name, name)) anchor = anchor->next;
  made->kind = CONFIG_BROKEN;
  if (!anchor) {
    diagnostics_error(reader->diagnostics, made->place, "there is no anchor '&%s' before this alias", name);
  } else if (anchor->open) {
    diagnostics_error(reader->diagnostics, made->place, "this alias lies within what it names");
  } else {
    count_nodes(reader, made->place, anchor->n_nodes);
    *made = anchor->node; /* its children are shared */
  }
}

/* A later anchor of the same name hides the earlier one, as YAML has it. */
static struct anchor *open_anchor(struct reader *reader, const yaml_char_t *name, struct place place)
{
  if (!name) return NULL;
  if (++reader->n_anchors > MAX_ANCHORS) stop(reader, place, "too many anchors");
  struct anchor *anchor = config_alloc(reader->memory, sizeof *anchor);
  anchor->name = config_string(reader->memory, (const char *)name, strlen((const char *)name));
  anchor->n_nodes = reader->n_nodes;
  anchor->open = true;
  anchor->next = reader->anchors;
  reader->anchors = anchor;
  return anchor;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
  switch (event->type) {
  case YAML_SCALAR_EVENT:
    return event->data.scalar.anchor;
  case YAML_SEQUENCE_START_EVENT:
    return event->data.sequence_start.anchor;
  case YAML_MAPPING_START_EVENT:
    return event->data.mapping_start.anchor;
  default:
    return NULL;
  }
}

/* The node that begins with the current event; afterwards its last event is the current one. */
static void read_node(struct reader *reader, struct config_node *made)
{
  yaml_mark_t from = reader->event.start_mark;
  bool alias = reader->event.type == YAML_ALIAS_EVENT; /* its place is where the thing itself is written */
  *made = (struct config_node){.kind = CONFIG_BROKEN, .place = place_between(from, reader->event.end_mark)};
  count_nodes(reader, made->place, 1);
  if (reader->depth == MAX_DEPTH) stop(reader, made->place, "too deep: no key of evpipe lies here");
  struct anchor *anchor = open_anchor(reader, anchor_of(&reader->event), made->place);
  if (reader->stopped) return;
  reader->depth++;
  if (reader->event.type == YAML_SCALAR_EVENT) read_scalar(reader, made);
  if (alias)
    read_alias(reader, made);
  else if (reader->event.type == YAML_SEQUENCE_START_EVENT)
    read_sequence(reader, made);
  else if (reader->event.type == YAML_MAPPING_START_EVENT)
    read_mapping(reader, made);
  reader->depth--;
  if (!alias && (made->kind == CONFIG_SEQUENCE || made->kind == CONFIG_MAPPING))
    made->place = place_between(from, reader->event.end_mark);
  if (!anchor) return;
  anchor->node = *made;
  anchor->n_nodes = reader->n_nodes - anchor->n_nodes;
  anchor->open = false;
}

static void read_document(struct reader *reader, struct config_node *root)
{
  if (!next_event(reader) || !next_event(reader) || reader->event.type == YAML_STREAM_END_EVENT) return;
  if (!next_event(reader)) return;
  read_node(reader, root);
  if (!next_event(reader) || !next_event(reader) || reader->event.type == YAML_STREAM_END_EVENT) return;
  stop(reader, place_between(reader->event.start_mark, reader->event.end_mark),
    "a second document begins here; a pipeline is one document");
}

/* Variables come last, so that what stands under `x-` is as it was written until an alias brings it elsewhere. Children
   that aliases share are done once. */
static void replace_variables(struct reader *reader, struct config_node *node)
{
  bool broken = false;
  if (node->kind == CONFIG_SCALAR && !node->replaced) {
    const char *error;
    node->replaced = true;
    node->text = substitute(reader->memory, node->text, &error);
    if (!node->text) diagnostics_error(reader->diagnostics, node->place, "%s", error);
    broken = !node->text;
  }
  for (size_t i = 0; node->kind == CONFIG_SEQUENCE && i < node->n; i++) {
    replace_variables(reader, &node->items[i]);
    broken = broken || node->items[i].kind == CONFIG_BROKEN;
  }
  for (size_t i = 0; node->kind == CONFIG_MAPPING && i < node->n; i++)
    if (strncmp(node->pairs[i].key.text, "x-", 2)) replace_variables(reader, &node->pairs[i].value);
  if (broken) node->kind = CONFIG_BROKEN;
}

/* What a key gives away as a secret, wherever it stands; a file's name is none. And every text with a user or password
   within an address, all of it: what an escape or a line's end makes of it in the file is not to be guessed. */
static void hide_secrets(struct diagnostics *diagnostics, const struct config_node *node)
{
  size_t begin, end;
  if (node->kind == CONFIG_SCALAR && userinfo_find(node->text, strlen(node->text), &begin, &end))
    diagnostics_hide(diagnostics, node->place);
  for (size_t i = 0; node->kind == CONFIG_SEQUENCE && i < node->n; i++) hide_secrets(diagnostics, &node->items[i]);
  for (size_t i = 0; node->kind == CONFIG_MAPPING && i < node->n; i++) {
    const struct config_node *key = &node->pairs[i].key, *value = &node->pairs[i].value;
    if (is_secret_key(key->text, strlen(key->text)) && !tree_find(value, "file"))
      diagnostics_hide(diagnostics, value->place);
    else
      hide_secrets(diagnostics, value);
  }
}

struct config_node *tree_parse(
  struct config_memory *memory, const char *text, size_t size, struct diagnostics *diagnostics)
{
  struct reader reader = {.memory = memory, .diagnostics = diagnostics, .text = text, .size = size};
  struct config_node *root = config_alloc(memory, sizeof *root);
  if (!yaml_parser_initialize(&reader.parser)) {
    diagnostics_error(diagnostics, (struct place){0}, "no memory");
    return NULL;
  }
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
  yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
  read_document(&reader, root);
  yaml_event_delete(&reader.event);
  yaml_parser_delete(&reader.parser);
  if (reader.stopped) return NULL;
  hide_secrets(diagnostics, root);
  diagnostics_set_understood(diagnostics);
  replace_variables(&reader, root);
  return root;
}

const struct config_pair *tree_find(const struct config_node *mapping, const char *key)
{
  if (!mapping || mapping->kind != CONFIG_MAPPING) return NULL;
  for (size_t i = 0; i < mapping->n; i++)
    if (!strcmp(mapping->pairs[i].key.text, key)) return &mapping->pairs[i];
  return NULL;
}
