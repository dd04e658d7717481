#include "userinfo.h"
#include <string.h>

bool userinfo_find(const char *text, size_t size, size_t *begin, size_t *end)
{
  const char *scheme = memmem(text, size, "://", 3);
  if (!scheme) return false;
  *begin = (size_t)(scheme - text) + 3;
  const char *at = memrchr(text + *begin, '@', size - *begin);
  if (!at) return false;
  *end = (size_t)(at - text);
  return *end > *begin;
}

void userinfo_hide(char *text)
{
  static const char blanks[] = " \t\r\n";
  for (char *word = text + strspn(text, blanks); *word; word += strspn(word, blanks)) {
    size_t size = strcspn(word, blanks), begin, end;
    if (userinfo_find(word, size, &begin, &end)) {
      size_t stars = end - begin < 3 ? end - begin : 3;
      memset(word + begin, '*', stars);
      memmove(word + begin + stars, word + end, strlen(word + end) + 1);
      size -= end - begin - stars;
    }
    word += size;
  }
}
