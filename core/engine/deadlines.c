#include "engine/deadlines.h"
#include <stddef.h>

/* Two heaps become one: the later root is the earlier one's first child. */
static struct deadline *meld(struct deadline *a, struct deadline *b)
{
  if (!a || !b) return a ? a : b;
  struct deadline *parent = b->due < a->due ? b : a, *child = parent == a ? b : a;
  child->next = parent->child;
  child->previous = parent;
  if (parent->child) parent->child->previous = child;
  parent->child = child;
  return parent;
}

static struct deadline *next_alone(struct deadline **siblings)
{
  struct deadline *first = *siblings;
  if (!first) return NULL;
  *siblings = first->next;
  first->next = first->previous = NULL;
  return first;
}

/* In pairs, then all together: what makes the heap cheap in the long run. */
static struct deadline *meld_siblings(struct deadline *siblings)
{
  struct deadline *pairs = NULL, *whole = NULL;
  while (siblings) {
    struct deadline *first = next_alone(&siblings), *pair = meld(first, next_alone(&siblings));
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs) whole = meld(whole, next_alone(&pairs));
  return whole;
}

static void take_out(struct deadlines *deadlines, struct deadline *deadline)
{
  struct deadline *rest = meld_siblings(deadline->child);
  if (deadline == deadlines->first) {
    deadlines->first = rest;
  } else {
    if (deadline->previous->child == deadline)
      deadline->previous->child = deadline->next;
    else
      deadline->previous->next = deadline->next;
    if (deadline->next) deadline->next->previous = deadline->previous;
    deadlines->first = meld(deadlines->first, rest);
  }
  *deadline = DEADLINE_NEVER;
}

void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t due)
{
  if (due == deadline->due) return;
  if (deadline->due != UINT64_MAX) take_out(deadlines, deadline);
  if (due == UINT64_MAX) return;
  deadline->due = due;
  deadlines->first = meld(deadlines->first, deadline);
}
