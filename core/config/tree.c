#include "config/tree.h"
#include "config/substitute.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

enum { MAX_FILE = 1024 * 1024, MAX_DEPTH = 24, MAX_NODES = 20000 };

struct conversion {
  struct config_memory *memory;
  struct diagnostics *diagnostics;
  yaml_document_t document;
  unsigned char *open; /* by number of the document's node: being converted now, so an alias to it is a cycle */
  size_t n_nodes;
  unsigned depth;
  bool too_large; /* said once */
};

/* --------------------------------------------------------------------------------------------------- the file */

static struct place nowhere(void)
{
  return (struct place){0};
}

static char *read_all(struct config_memory *memory, int fd, size_t limit, size_t *size)
{
  char *text = config_alloc(memory, limit + 2);
  *size = 0;
  for (;;) {
    ssize_t n = read(fd, text + *size, limit + 1 - *size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return NULL;
    if (!n) return text;
    *size += (size_t)n;
    if (*size > limit) return text;
  }
}

static struct place place_of(const char *text, size_t offset)
{
  struct place place = {1, 1, 1};
  for (size_t i = 0; i < offset; i++) {
    if (text[i] == '\n') {
      place.line++;
      place.column = 1;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      place.column++;
    }
  }
  return place;
}

static bool is_clean(const char *text, size_t size, struct diagnostics *diagnostics)
{
  const char *nul = memchr(text, '\0', size);
  if (nul) {
    diagnostics_error(diagnostics, nowhere(), "is no text: there is a NUL byte at offset %zu", (size_t)(nul - text));
    return false;
  }
  size_t good = text_valid_prefix(text, size);
  if (good == size) return true;
  diagnostics_error(diagnostics, place_of(text, good), "is not UTF-8");
  return false;
}

char *tree_read_file(struct config_memory *memory, const char *path, size_t *size, struct diagnostics *diagnostics)
{
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status)) {
    diagnostics_error(diagnostics, nowhere(), "can not be read: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return NULL;
  }
  char *text = NULL;
  if (S_ISDIR(status.st_mode))
    diagnostics_error(diagnostics, nowhere(), "is a directory; name a YAML file in it");
  else if (!(text = read_all(memory, fd, MAX_FILE, size)))
    diagnostics_error(diagnostics, nowhere(), "can not be read: %s", strerror(errno));
  close(fd);
  if (text && *size > MAX_FILE) {
    diagnostics_error(diagnostics, nowhere(), "is larger than %d bytes: this is no configuration of evpipe", MAX_FILE);
    return NULL;
  }
  if (!text || !is_clean(text, *size, diagnostics)) return NULL;
  diagnostics_set_text(diagnostics, text, *size);
  return text;
}

/* ----------------------------------------------------------------------------------------------------- the tree */

static struct place place_of_node(const yaml_node_t *node)
{
  const yaml_mark_t *from = &node->start_mark, *to = &node->end_mark;
  struct place place = {(unsigned)from->line + 1, (unsigned)from->column + 1, 1};
  if (from->line == to->line && to->column > from->column) place.length = (unsigned)(to->column - from->column);
  return place;
}

static bool convert(struct conversion *conversion, int index, bool raw, struct config_node *made);

static bool convert_scalar(struct conversion *conversion, const yaml_node_t *node, bool raw, struct config_node *made)
{
  const char *text = (const char *)node->data.scalar.value;
  bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (strlen(text) != node->data.scalar.length) {
    diagnostics_error(conversion->diagnostics, made->place, "has a NUL character in it");
    return false;
  }
  made->kind = CONFIG_SCALAR;
  if (plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null"))) made->kind = CONFIG_NULL;
  made->text = config_string(conversion->memory, text, strlen(text));
  if (raw) return true;
  const char *error;
  made->text = substitute(conversion->memory, made->text, &error);
  if (made->text) return true;
  diagnostics_error(conversion->diagnostics, made->place, "%s", error);
  made->text = "";
  return false;
}

static bool convert_sequence(struct conversion *conversion, const yaml_node_t *node, bool raw, struct config_node *made)
{
  const yaml_node_item_t *items = node->data.sequence.items.start;
  size_t n = (size_t)(node->data.sequence.items.top - items);
  bool ok = true;
  made->kind = CONFIG_SEQUENCE;
  made->items = config_alloc(conversion->memory, n * sizeof *made->items + 1);
  for (size_t i = 0; i < n; i++) ok = convert(conversion, items[i], raw, &made->items[made->n++]) && ok;
  return ok;
}

/* The key itself, which must be new in its mapping. */
static bool convert_key(
  struct conversion *conversion, int index, const struct config_node *mapping, struct config_node *key)
{
  if (!convert(conversion, index, true, key)) return false;
  if (key->kind != CONFIG_SCALAR) {
    diagnostics_error(conversion->diagnostics, key->place, "a key must be a word");
    return false;
  }
  if (!strcmp(key->text, "<<")) {
    diagnostics_error(conversion->diagnostics, key->place, "merge keys are not supported: write the keys out");
    return false;
  }
  const struct config_pair *before = tree_find(mapping, key->text);
  if (!before) return true;
  diagnostics_error(conversion->diagnostics, key->place, "'%s' stands here a second time; the first is in line %u",
    key->text, before->key.place.line);
  return false;
}

static bool convert_mapping(struct conversion *conversion, const yaml_node_t *node, bool raw, struct config_node *made)
{
  const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
  size_t n = (size_t)(node->data.mapping.pairs.top - pairs);
  bool ok = true;
  made->kind = CONFIG_MAPPING;
  made->pairs = config_alloc(conversion->memory, n * sizeof *made->pairs + 1);
  for (size_t i = 0; i < n && !conversion->too_large; i++) {
    struct config_pair *pair = &made->pairs[made->n];
    bool good = convert_key(conversion, pairs[i].key, made, &pair->key);
    bool ignored = good && !strncmp(pair->key.text, "x-", 2);
    bool value_good = convert(conversion, pairs[i].value, raw || ignored, &pair->value);
    if (!value_good && pair->value.kind != CONFIG_MAPPING) pair->value.kind = CONFIG_BROKEN;
    if (good) made->n++;
    ok = ok && good && value_good;
  }
  return ok;
}

static bool too_much(struct conversion *conversion, struct place place, const char *what)
{
  if (!conversion->too_large) diagnostics_error(conversion->diagnostics, place, "%s", what);
  conversion->too_large = true;
  return false;
}

static bool convert(struct conversion *conversion, int index, bool raw, struct config_node *made)
{
  const yaml_node_t *node = yaml_document_get_node(&conversion->document, index);
  *made = (struct config_node){.place = place_of_node(node)};
  if (conversion->too_large) return false;
  if (++conversion->n_nodes > MAX_NODES)
    return too_much(conversion, made->place, "the configuration has too many parts (do aliases multiply it?)");
  if (conversion->depth == MAX_DEPTH) return too_much(conversion, made->place, "too deep: no key of evpipe lies here");
  if (conversion->open[index]) {
    diagnostics_error(conversion->diagnostics, made->place, "an alias in here contains itself");
    return false;
  }
  bool ok = false;
  conversion->open[index] = 1;
  conversion->depth++;
  if (node->type == YAML_SCALAR_NODE) ok = convert_scalar(conversion, node, raw, made);
  if (node->type == YAML_SEQUENCE_NODE) ok = convert_sequence(conversion, node, raw, made);
  if (node->type == YAML_MAPPING_NODE) ok = convert_mapping(conversion, node, raw, made);
  conversion->depth--;
  conversion->open[index] = 0;
  return ok;
}

/* A syntax error in a line with { or [ and ${ or {name} in it is most likely a missing quote. */
static const char *quote_hint(const char *text, size_t size, size_t line)
{
  const char *at = text, *end = text + size;
  for (size_t i = 0; at && i < line; i++) {
    at = memchr(at, '\n', (size_t)(end - at));
    if (at) at++;
  }
  if (!at) return "";
  const char *stop = memchr(at, '\n', (size_t)(end - at));
  size_t length = (size_t)((stop ? stop : end) - at);
  const char *brace = memchr(at, '{', length);
  bool variable = memmem(at, length, "${", 2) != NULL;
  bool nested = brace && memchr(brace + 1, '{', length - (size_t)(brace + 1 - at));
  return variable || nested ? "; within { } and [ ] YAML wants quotes around \"${...}\" and \"{...}\"" : "";
}

static void tell_syntax(struct diagnostics *diagnostics, const yaml_parser_t *parser, const char *text, size_t size)
{
  const yaml_mark_t *mark = &parser->problem_mark;
  struct place place = {(unsigned)mark->line + 1, (unsigned)mark->column + 1, 1};
  const char *hint = quote_hint(text, size, mark->line);
  if (!*hint && parser->context && parser->context_mark.line < mark->line)
    hint = quote_hint(text, size, parser->context_mark.line);
  if (parser->context)
    diagnostics_error(diagnostics, place, "this is not YAML: %s %s that begins in line %zu%s", parser->problem,
      parser->context, parser->context_mark.line + 1, hint);
  else
    diagnostics_error(
      diagnostics, place, "this is not YAML: %s%s", parser->problem ? parser->problem : "it can not be read", hint);
}

static bool is_alone(yaml_parser_t *parser, struct diagnostics *diagnostics)
{
  yaml_document_t second;
  if (!yaml_parser_load(parser, &second)) return true;
  yaml_node_t *root = yaml_document_get_root_node(&second);
  if (root)
    diagnostics_error(diagnostics, place_of_node(root), "a second document begins here; a pipeline is one document");
  yaml_document_delete(&second);
  return !root;
}

struct config_node *tree_parse(
  struct config_memory *memory, const char *text, size_t size, struct diagnostics *diagnostics)
{
  struct conversion conversion = {.memory = memory, .diagnostics = diagnostics};
  struct config_node *root = config_alloc(memory, sizeof *root);
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser)) return NULL;
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  bool ok = yaml_parser_load(&parser, &conversion.document);
  if (ok) {
    size_t n = (size_t)(conversion.document.nodes.top - conversion.document.nodes.start);
    conversion.open = config_alloc(memory, n + 2);
    if (n && !convert(&conversion, 1, false, root) && root->kind != CONFIG_MAPPING) root->kind = CONFIG_BROKEN;
    ok = !conversion.too_large && is_alone(&parser, diagnostics);
    yaml_document_delete(&conversion.document);
  } else {
    tell_syntax(diagnostics, &parser, text, size);
  }
  yaml_parser_delete(&parser);
  return ok ? root : NULL;
}

const struct config_pair *tree_find(const struct config_node *mapping, const char *key)
{
  if (!mapping || mapping->kind != CONFIG_MAPPING) return NULL;
  for (size_t i = 0; i < mapping->n; i++)
    if (!strcmp(mapping->pairs[i].key.text, key)) return &mapping->pairs[i];
  return NULL;
}
