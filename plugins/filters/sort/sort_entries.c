#include "held.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_RUN = 16, STACK_MAX = 64 };

struct run {
  size_t begin, n;
};

struct sorter {
  struct held_entry *entries;
  struct held_entry *scratch;
  struct run stack[STACK_MAX]; /* each more than twice as long as the next: 2^64 entries fit */
  size_t depth;
};

static void insert(struct held_entry *run, size_t at)
{
  struct held_entry entry = run[at];
  while (at && run[at - 1].time > entry.time) {
    run[at] = run[at - 1];
    at--;
  }
  run[at] = entry;
}

/* The ascending run at the begin; a short one is made longer by insertion, so that disorder costs n log n at most. */
static size_t find_run(struct held_entry *run, size_t n)
{
  size_t length = 1;
  while (length < n && run[length - 1].time <= run[length].time) length++;
  size_t wanted = n < SHORT_RUN ? n : SHORT_RUN;
  for (; length < wanted; length++) insert(run, length);
  return length;
}

/* How many of the entries have a time <= `time` (or < `time`, if not `equal`). */
static size_t count_before(const struct held_entry *run, size_t n, uint64_t time, bool equal)
{
  size_t low = 0;
  while (low < n) {
    size_t middle = low + (n - low) / 2;
    if (run[middle].time < time || (equal && run[middle].time == time))
      low = middle + 1;
    else
      n = middle;
  }
  return low;
}

/* The left run is the shorter one: it goes to the scratch, the merge runs forward. */
static void merge_forward(struct held_entry *left, size_t n_left, size_t n_right, struct held_entry *scratch)
{
  memcpy(scratch, left, n_left * sizeof *left);
  struct held_entry *right = left + n_left, *right_end = right + n_right, *scratch_end = scratch + n_left;
  while (scratch < scratch_end && right < right_end) *left++ = right->time < scratch->time ? *right++ : *scratch++;
  memcpy(left, scratch, (size_t)(scratch_end - scratch) * sizeof *left);
}

/* The right run is the shorter one: it goes to the scratch, the merge runs backward. */
static void merge_backward(struct held_entry *left, size_t n_left, size_t n_right, struct held_entry *scratch)
{
  struct held_entry *to = left + n_left + n_right;
  memcpy(scratch, left + n_left, n_right * sizeof *left);
  while (n_left && n_right)
    *--to = scratch[n_right - 1].time < left[n_left - 1].time ? left[--n_left] : scratch[--n_right];
  memcpy(to - n_right, scratch, n_right * sizeof *left);
}

/* Merges the two runs on top of the stack, which lie side by side. */
static void merge_top(struct sorter *sorter)
{
  struct run *left = &sorter->stack[sorter->depth - 2], *right = left + 1;
  struct held_entry *begin = sorter->entries + left->begin;
  size_t n_left = left->n, n_right = right->n;
  left->n += right->n;
  sorter->depth--;
  /* What stands right already: the left run's begin, the right run's end. */
  size_t in_place = count_before(begin, n_left, begin[n_left].time, true);
  begin += in_place;
  n_left -= in_place;
  if (!n_left) return;
  n_right = count_before(begin + n_left, n_right, begin[n_left - 1].time, false);
  if (n_left <= n_right)
    merge_forward(begin, n_left, n_right, sorter->scratch);
  else
    merge_backward(begin, n_left, n_right, sorter->scratch);
}

static bool reserve(struct held_entry **scratch, size_t *capacity, size_t n)
{
  if (*capacity >= n) return true;
  free(*scratch);
  *scratch = reallocarray(NULL, n, sizeof **scratch);
  *capacity = *scratch ? n : 0;
  return *scratch;
}

bool sort_entries(struct held_entry *entries, size_t n, struct held_entry **scratch, size_t *scratch_capacity)
{
  struct sorter sorter = {.entries = entries};
  size_t first = n ? find_run(entries, n) : 0;
  if (first == n) return true;
  if (!reserve(scratch, scratch_capacity, n / 2 + 1)) return false;
  sorter.scratch = *scratch;
  sorter.stack[sorter.depth++] = (struct run){0, first};
  for (size_t begin = first; begin < n;) {
    size_t length = find_run(entries + begin, n - begin);
    sorter.stack[sorter.depth++] = (struct run){begin, length};
    begin += length;
    while (sorter.depth > 1 && sorter.stack[sorter.depth - 2].n <= 2 * sorter.stack[sorter.depth - 1].n)
      merge_top(&sorter);
  }
  while (sorter.depth > 1) merge_top(&sorter);
  return true;
}
