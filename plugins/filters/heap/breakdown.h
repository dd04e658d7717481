/* breakdown.h: by what a heap profile is broken down, and how to find out when the stream does not say it.
 *
 * HEAP_PROF_BEGIN is not sent again to the second reader of a socket (GHC before 9.14). Then the program's arguments
 * tell (`-hT` between +RTS and -RTS; not what was linked in with -with-rtsopts), else the rows themselves.
 */
#ifndef EVPIPE_HEAP_BREAKDOWN_H
#define EVPIPE_HEAP_BREAKDOWN_H

#include <evpipe/events.h>

enum breakdown { /* 1 to 9: the codes of HEAP_PROF_BEGIN */
  BREAKDOWN_UNKNOWN,
  BREAKDOWN_COST_CENTRE,
  BREAKDOWN_MODULE,
  BREAKDOWN_CLOSURE,
  BREAKDOWN_TYPE,
  BREAKDOWN_RETAINER,
  BREAKDOWN_BIOGRAPHY,
  BREAKDOWN_CLOSURE_TYPE,
  BREAKDOWN_INFO_TABLE,
  BREAKDOWN_ERA,
  BREAKDOWN_COUNT
};

/* The choices of the option: "auto", then each breakdown's name; ends with NULL. */
extern const char *const breakdown_choices[BREAKDOWN_COUNT + 2];
bool breakdown_chosen(int choice, enum breakdown *); /* false: auto */

const char *breakdown_name(enum breakdown);
enum breakdown breakdown_of_code(uint32_t code);
/* Strings, each with its NUL. The last flag wins; UNKNOWN: there is none, or `-h`, which depends on the way. */
enum breakdown breakdown_of_arguments(struct evp_text arguments);
/* By a label of HEAP_PROF_SAMPLE_STRING. */
enum breakdown breakdown_of_label(const char *label, size_t size);

/* A label that is an address as C's %p prints it. */
bool breakdown_address(const char *label, size_t size, uint64_t *address);

#endif
