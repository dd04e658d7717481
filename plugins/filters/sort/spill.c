#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An event in the file, of this machine's byte order; its payload follows. */
struct record {
  uint64_t time;
  uint16_t size, type, cap, flags;
};
_Static_assert(sizeof(struct record) == 16, "no padding is written");
_Static_assert(SPILL_BUFFER >= sizeof(struct record) + UINT16_MAX, "any event fits a buffer");

void spill_clear(struct spill *spill)
{
  for (size_t i = 0; i < spill->n_runs; i++) free(spill->runs[i].buffer);
  free(spill->runs);
  free(spill->heap);
  free(spill->writing);
  if (spill->open) close(spill->fd);
  *spill = (struct spill){0};
}

/* ------------------------------------------------------------------------------------------------ the file */

static int temporary_file(void)
{
  const char *folder = getenv("TMPDIR");
  if (!folder || !*folder) folder = "/tmp";
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  char path[4096]; /* not every file system has O_TMPFILE */
  if (snprintf(path, sizeof path, "%s/evpipe-sort-XXXXXX", folder) >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) unlink(path);
  return fd;
}

static bool write_out(struct spill *spill)
{
  const uint8_t *data = spill->writing;
  while (spill->n_writing) {
    ssize_t written = pwrite(spill->fd, data, spill->n_writing, (off_t)spill->end);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data += written;
    spill->n_writing -= (size_t)written;
    spill->end += (uint64_t)written;
  }
  return true;
}

static bool put(struct spill *spill, const void *data, size_t size)
{
  if (spill->n_writing + size > SPILL_BUFFER && !write_out(spill)) return false;
  if (size) memcpy(spill->writing + spill->n_writing, data, size);
  spill->n_writing += size;
  return true;
}

/* ------------------------------------------------------------------------------------------------ reading a run */

static struct record record_at(const struct spill_run *run)
{
  struct record record;
  memcpy(&record, run->buffer + run->at, sizeof record);
  return record;
}

static size_t unread(const struct spill_run *run)
{
  return run->filled - run->at;
}

static bool read_more(struct spill *spill, struct spill_run *run)
{
  memmove(run->buffer, run->buffer + run->at, unread(run));
  run->filled = unread(run);
  run->at = 0;
  while (run->begin < run->end && run->filled < SPILL_BUFFER) {
    size_t room = SPILL_BUFFER - run->filled;
    size_t wanted = run->end - run->begin < room ? (size_t)(run->end - run->begin) : room;
    ssize_t got = pread(spill->fd, run->buffer + run->filled, wanted, (off_t)run->begin);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO; /* someone cut our file */
    if (got <= 0) return false;
    run->begin += (uint64_t)got;
    run->filled += (size_t)got;
  }
  return true;
}

/* Makes the event at hand whole in the buffer. The run is over if there is none: at == filled. */
static bool load(struct spill *spill, struct spill_run *run)
{
  if (!run->buffer && !(run->buffer = malloc(SPILL_BUFFER))) return false;
  bool whole = unread(run) >= sizeof(struct record) && unread(run) >= sizeof(struct record) + record_at(run).size;
  if (!whole && run->begin < run->end && !read_more(spill, run)) return false;
  if (run->at == run->filled) {
    free(run->buffer);
    run->buffer = NULL;
    run->at = run->filled = 0;
  }
  return true;
}

static bool is_over(const struct spill_run *run)
{
  return run->begin == run->end && run->at == run->filled;
}

/* ------------------------------------------------------------------------------------------------ merging */

static bool comes_before(const struct spill *spill, size_t a, size_t b)
{
  uint64_t time_a = record_at(&spill->runs[a]).time, time_b = record_at(&spill->runs[b]).time;
  return time_a != time_b ? time_a < time_b : a < b;
}

static void sift_down(struct spill *spill, size_t at)
{
  for (;;) {
    size_t least = at, left = 2 * at + 1, right = left + 1;
    if (left < spill->n_heap && comes_before(spill, spill->heap[left], spill->heap[least])) least = left;
    if (right < spill->n_heap && comes_before(spill, spill->heap[right], spill->heap[least])) least = right;
    if (least == at) return;
    size_t run = spill->heap[at];
    spill->heap[at] = spill->heap[least];
    spill->heap[least] = run;
    at = least;
  }
}

static bool make_heap(struct spill *spill, size_t first, size_t last)
{
  size_t *heap = reallocarray(spill->heap, last - first + 1, sizeof *heap);
  if (!heap) return false;
  spill->heap = heap;
  spill->n_heap = 0;
  for (size_t i = first; i < last; i++) {
    if (!load(spill, &spill->runs[i])) return false;
    if (!is_over(&spill->runs[i])) spill->heap[spill->n_heap++] = i;
  }
  for (size_t i = spill->n_heap / 2; i--;) sift_down(spill, i);
  return true;
}

static struct evp_event event_at(const struct spill_run *run)
{
  struct record record = record_at(run);
  return (struct evp_event){.time = record.time,
    .data = run->buffer + run->at + sizeof record,
    .size = record.size,
    .type = record.type,
    .cap = record.cap,
    .flags = record.flags};
}

static bool pop(struct spill *spill)
{
  struct spill_run *run = &spill->runs[spill->heap[0]];
  run->at += sizeof(struct record) + record_at(run).size;
  if (!load(spill, run)) return false;
  if (is_over(run)) spill->heap[0] = spill->heap[--spill->n_heap];
  sift_down(spill, 0);
  return true;
}

/* What was merged is not needed any more; a file system that can not give back the space keeps it until the end. */
static void give_back(struct spill *spill, uint64_t begin, uint64_t end)
{
  if (fallocate(spill->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin)) != 0)
    errno = 0;
}

static void replace_runs(struct spill *spill, size_t first, uint64_t begin, unsigned level)
{
  for (size_t i = first; i < spill->n_runs; i++) free(spill->runs[i].buffer);
  spill->runs[first] = (struct spill_run){.start = begin, .begin = begin, .end = spill->end, .level = level};
  spill->n_runs = first + 1;
}

/* The runs from `first` on become one. They lie one behind the other in the file, and nothing lies behind them. */
static bool merge_runs(struct spill *spill, size_t first)
{
  uint64_t old_start = spill->runs[first].start, old_end = spill->end;
  unsigned level = spill->runs[first].level + 1;
  if (!make_heap(spill, first, spill->n_runs)) return false;
  while (spill->n_heap) {
    struct evp_event event = event_at(&spill->runs[spill->heap[0]]);
    if (!spill_add(spill, &event) || !pop(spill)) return false;
  }
  if (!write_out(spill)) return false;
  replace_runs(spill, first, old_end, level);
  give_back(spill, old_start, old_end);
  return true;
}

static bool merge_levels(struct spill *spill)
{
  for (;;) {
    size_t first = spill->n_runs;
    while (first && spill->runs[first - 1].level == spill->runs[spill->n_runs - 1].level) first--;
    if (spill->n_runs - first < SPILL_FAN_IN) return true;
    if (!merge_runs(spill, first)) return false;
  }
}

/* ------------------------------------------------------------------------------------------------ the interface */

bool spill_begin(struct spill *spill)
{
  if (!spill->open) {
    spill->fd = temporary_file();
    if (spill->fd < 0) return false;
    spill->open = true;
  }
  if (!spill->writing && !(spill->writing = malloc(SPILL_BUFFER))) return false;
  if (spill->n_runs == spill->capacity) {
    size_t capacity = spill->capacity ? 2 * spill->capacity : SPILL_FAN_IN;
    struct spill_run *runs = reallocarray(spill->runs, capacity, sizeof *runs);
    if (!runs) return false;
    spill->runs = runs;
    spill->capacity = capacity;
  }
  spill->runs[spill->n_runs++] = (struct spill_run){.start = spill->end, .begin = spill->end, .end = spill->end};
  spill->ready = false;
  return true;
}

bool spill_add(struct spill *spill, const struct evp_event *event)
{
  struct record record = {event->time, event->size, event->type, event->cap, event->flags};
  return put(spill, &record, sizeof record) && put(spill, event->data, event->size);
}

bool spill_end(struct spill *spill)
{
  if (!write_out(spill)) return false;
  spill->runs[spill->n_runs - 1].end = spill->end;
  if (!merge_levels(spill)) return false;
  free(spill->writing);
  spill->writing = NULL;
  return true;
}

/* All is read: the file begins anew. */
static bool start_over(struct spill *spill)
{
  spill->n_runs = 0;
  spill->ready = false;
  spill->end = 0;
  return ftruncate(spill->fd, 0) == 0;
}

bool spill_peek(struct spill *spill, struct evp_event *event, bool *there)
{
  *there = false;
  if (!spill->n_runs) return true;
  if (!spill->ready && !make_heap(spill, 0, spill->n_runs)) return false;
  spill->ready = true;
  if (!spill->n_heap) return start_over(spill);
  *there = true;
  *event = event_at(&spill->runs[spill->heap[0]]);
  return true;
}

bool spill_pop(struct spill *spill)
{
  return pop(spill);
}
