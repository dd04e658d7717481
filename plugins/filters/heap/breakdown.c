#include "breakdown.h"

#include <string.h>

const char *const breakdown_choices[BREAKDOWN_COUNT + 2] = {"auto", "unknown", "cost_centre", "module", "closure",
  "type", "retainer", "biography", "closure_type", "info_table", "era", NULL};

bool breakdown_chosen(int choice, enum breakdown *breakdown)
{
  *breakdown = choice > 0 ? (enum breakdown)(choice - 1) : BREAKDOWN_UNKNOWN;
  return choice > 0;
}

const char *breakdown_name(enum breakdown breakdown)
{
  return breakdown_choices[breakdown + 1];
}

enum breakdown breakdown_of_code(uint32_t code)
{
  return code < BREAKDOWN_COUNT ? (enum breakdown)code : BREAKDOWN_UNKNOWN;
}

/* rts/RtsFlags.c takes both cases; a flag with more behind it (-hcmain) restricts the profile and selects nothing. */
static enum breakdown breakdown_of_flag(const char *flag, size_t size)
{
  static const char letters[] = "cmdyrbTie";
  static const enum breakdown meanings[] = {BREAKDOWN_COST_CENTRE, BREAKDOWN_MODULE, BREAKDOWN_CLOSURE, BREAKDOWN_TYPE,
    BREAKDOWN_RETAINER, BREAKDOWN_BIOGRAPHY, BREAKDOWN_CLOSURE_TYPE, BREAKDOWN_INFO_TABLE, BREAKDOWN_ERA};
  if (size != 3 || memcmp(flag, "-h", 2) != 0 || flag[2] == '\0') return BREAKDOWN_UNKNOWN;
  const char *found = strchr(letters, flag[2]);
  if (!found && flag[2] >= 'A' && flag[2] <= 'Z') found = strchr(letters, flag[2] - 'A' + 'a');
  return found ? meanings[found - letters] : BREAKDOWN_UNKNOWN;
}

static bool is(struct evp_text text, const char *word)
{
  return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

enum breakdown breakdown_of_arguments(struct evp_text arguments)
{
  enum breakdown breakdown = BREAKDOWN_UNKNOWN;
  bool for_rts = false;
  struct evp_text argument;
  while (evp_next_string(&arguments, &argument)) {
    if (is(argument, "--RTS") || (!for_rts && is(argument, "--"))) break;
    if (is(argument, "+RTS")) for_rts = true;
    if (is(argument, "-RTS")) for_rts = false;
    enum breakdown flag = for_rts ? breakdown_of_flag(argument.data, argument.size) : BREAKDOWN_UNKNOWN;
    if (flag != BREAKDOWN_UNKNOWN) breakdown = flag;
  }
  return breakdown;
}

static int hexadecimal(char digit)
{
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool breakdown_address(const char *label, size_t size, uint64_t *address)
{
  *address = 0;
  if (is((struct evp_text){label, size}, "(nil)")) return true; /* glibc's %p of NULL */
  if (size < 3 || size > 18 || label[0] != '0' || (label[1] | 0x20) != 'x') return false;
  for (size_t i = 2; i < size; i++) {
    int digit = hexadecimal(label[i]);
    if (digit < 0) return false;
    *address = *address << 4 | (uint64_t)digit;
  }
  return true;
}

enum breakdown breakdown_of_label(const char *label, size_t size)
{
  static const char *const lives[] = {"VOID", "LAG", "USE", "INHERENT_USE", "DRAG"};
  uint64_t address;
  if (breakdown_address(label, size, &address)) return BREAKDOWN_INFO_TABLE;
  for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
    if (is((struct evp_text){label, size}, lives[i])) return BREAKDOWN_BIOGRAPHY;
  return BREAKDOWN_UNKNOWN;
}
