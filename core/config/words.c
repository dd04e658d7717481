#include "config/words.h"
#include <string.h>

static const char blanks[] = " \t\r\n";

/* What a backslash does is POSIX's (Shell Command Language, 2.2 Quoting): before a line feed it joins lines; between
   double quotes it quotes only what would be special there. */
static const char *take_backslash(const char *text, bool quoted, char **end)
{
  if (text[1] == '\n') return text + 2;
  if (quoted && !strchr("$`\"\\", text[1])) *(*end)++ = '\\';
  *(*end)++ = text[1];
  return text + 2;
}

/* Copies what stands between quotes; NULL: the second one is missing. */
static const char *take_quoted(const char *text, char **end)
{
  char quote = *text++;
  while (*text && *text != quote) {
    if (quote == '"' && *text == '\\' && text[1])
      text = take_backslash(text, true, end);
    else
      *(*end)++ = *text++;
  }
  return *text ? text + 1 : NULL;
}

/* One word, which is never longer than the text it comes from, to *end; NULL and *problem if it has no end. */
static const char *take_word(const char *text, char **end, const char **problem)
{
  while (text && *text && !strchr(blanks, *text)) {
    if (*text == '\\' && !text[1]) {
      *problem = "ends with a backslash that quotes nothing";
      return NULL;
    }
    if (*text == '\\') {
      text = take_backslash(text, false, end);
    } else if (*text == '\'' || *text == '"') {
      *problem = *text == '"' ? "has a double quote that is not closed" : "has a single quote that is not closed";
      text = take_quoted(text, end);
    } else {
      *(*end)++ = *text++;
    }
  }
  *(*end)++ = '\0';
  return text;
}

static const char *skip_blanks(const char *text)
{
  for (;;) {
    text += strspn(text, blanks);
    if (text[0] != '\\' || text[1] != '\n') return text;
    text += 2;
  }
}

const char *split_words(struct config_memory *memory, const char *text, struct evp_strings *words)
{
  size_t size = strlen(text);
  const char **items = config_alloc(memory, (size / 2 + 1) * sizeof *items); /* a word and a blank are two characters */
  char *end = config_alloc(memory, size + 1);
  const char *problem = NULL;
  size_t n = 0;
  for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
    items[n++] = end;
    text = take_word(text, &end, &problem);
    if (!text) return problem;
  }
  *words = (struct evp_strings){items, n};
  return NULL;
}
