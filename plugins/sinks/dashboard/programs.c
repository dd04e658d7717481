#include "programs.h"

#include <stdlib.h>
#include <string.h>

/* Thins the largest table of the program that has the largest. */
static bool make_room(void *owner)
{
  struct programs *programs = owner;
  struct program *largest = NULL;
  size_t most = 0;
  unsigned table = 0;
  for (struct program *program = programs->first; program; program = program->next) {
    unsigned its_table = 0;
    size_t memory = history_largest(&program->history, &its_table);
    if (memory <= most) continue;
    most = memory;
    largest = program;
    table = its_table;
  }
  programs->thinned++;
  return largest && history_thin(&largest->history, table);
}

void programs_init(struct programs *programs, size_t max_size, uint32_t max_programs)
{
  *programs = (struct programs){.max = max_programs};
  programs->budget = (struct budget){.limit = max_size, .make_room = make_room, .owner = programs};
}

/* Of what a program is called, and calls itself. */
static size_t text_memory(const struct program *program)
{
  return program->key_size + program->n_labels * sizeof *program->labels + program->name_size + program->rts_size;
}

static void free_program(struct programs *programs, struct program *program)
{
  if (programs->leaving) programs->leaving(programs->owner, program);
  history_free(&program->history);
  free(program->allocated.by_capability);
  budget_give(&programs->budget, text_memory(program));
  free(program->name);
  free(program->rts);
  free(program->labels);
  free(program->key);
  free(program);
}

void programs_free(struct programs *programs)
{
  while (programs->first) {
    struct program *program = programs->first;
    programs->first = program->next;
    free_program(programs, program);
  }
}

struct program *programs_find(const struct programs *programs, uint32_t id)
{
  struct program *program = programs->first;
  while (program && program->id != id) program = program->next;
  return program;
}

const char *program_label(const struct program *program, const char *key)
{
  for (size_t i = 0; i < program->n_labels; i++)
    if (strcmp(program->labels[i].key, key) == 0) return program->labels[i].value;
  return NULL;
}

/* ------------------------------------------------------------------------------------------------------------------ keys */

static int by_key(const void *left, const void *right)
{
  return strcmp(((const struct evp_label *)left)->key, ((const struct evp_label *)right)->key);
}

static struct evp_label *sorted_labels(const struct evp_stream *stream, size_t *n)
{
  const struct evp_label *labels = evp_stream_labels(stream, n);
  struct evp_label *sorted = calloc(*n + 1, sizeof *sorted);
  if (!sorted) return NULL;
  if (*n) memcpy(sorted, labels, *n * sizeof *sorted);
  qsort(sorted, *n, sizeof *sorted, by_key);
  return sorted;
}

/* Makes the program's own copy of the texts, into which `source` and `labels` point then. */
static bool copy_key(struct program *program, const struct evp_stream *stream)
{
  program->source = evp_stream_source(stream);
  program->labels = sorted_labels(stream, &program->n_labels);
  if (!program->labels) return false;
  program->key_size = strlen(program->source) + 1;
  for (size_t i = 0; i < program->n_labels; i++)
    program->key_size += strlen(program->labels[i].key) + strlen(program->labels[i].value) + 2;
  char *end = program->key = malloc(program->key_size);
  if (!end) return false;
  end = stpcpy(end, program->source) + 1;
  program->source = program->key;
  for (size_t i = 0; i < program->n_labels; i++) {
    const char *key = end, *value;
    end = stpcpy(end, program->labels[i].key) + 1;
    value = end;
    end = stpcpy(end, program->labels[i].value) + 1;
    program->labels[i] = (struct evp_label){key, value};
  }
  return true;
}

/* ----------------------------------------------------------------------------------------------------- coming and going */

static bool make_place(struct programs *programs)
{
  if (programs->n < programs->max) return true;
  struct program **oldest = NULL;
  for (struct program **link = &programs->first; *link; link = &(*link)->next)
    if (!(*link)->open && (!oldest || (*link)->ended < (*oldest)->ended)) oldest = link;
  if (!oldest) return false;
  struct program *program = *oldest;
  *oldest = program->next;
  programs->n--;
  programs->changes++;
  free_program(programs, program);
  return true;
}

static struct program *add(struct programs *programs, struct program *program)
{
  struct program **last = &programs->first;
  while (*last) last = &(*last)->next;
  *last = program;
  program->budget = &programs->budget;
  budget_charge(program->budget, text_memory(program));
  history_init(&program->history, &programs->budget);
  program->id = ++programs->last_id;
  programs->n++;
  programs->changes++;
  return program;
}

static struct program *find_same(const struct programs *programs, const struct program *wanted)
{
  for (struct program *program = programs->first; program; program = program->next)
    if (program->key_size == wanted->key_size && memcmp(program->key, wanted->key, wanted->key_size) == 0)
      return program;
  return NULL;
}

struct program *programs_get(struct programs *programs, const struct evp_stream *stream)
{
  struct program *wanted = calloc(1, sizeof *wanted), *known;
  if (!wanted) return NULL;
  bool ok = copy_key(wanted, stream);
  if (ok && !(known = find_same(programs, wanted)) && make_place(programs)) return add(programs, wanted);
  if (!ok) known = NULL;
  free(wanted->labels);
  free(wanted->key);
  free(wanted);
  return known;
}

static void set_text(struct budget *budget, char **text, size_t *size, const char *now)
{
  if (!now || (*text && strcmp(*text, now) == 0)) return;
  char *copy = strdup(now);
  if (!copy) return;
  free(*text);
  *text = copy;
  budget_give(budget, *size);
  *size = strlen(now) + 1;
  budget_charge(budget, *size);
}

void program_learn(struct program *program, const struct evp_stream *stream)
{
  set_text(program->budget, &program->name, &program->name_size, evp_stream_program(stream));
  set_text(program->budget, &program->rts, &program->rts_size, evp_stream_rts(stream));
  program->pid = evp_stream_pid(stream);
  program->live = evp_stream_live(stream);
  program->state = evp_stream_state(stream);
  program->begin = evp_stream_begin_time(stream);
}

void program_ended(struct programs *programs, struct program *program, const struct evp_stream *stream)
{
  if (program->open) return; /* another run of it goes on */
  program_learn(program, stream);
  program->ended = ++programs->last_ended;
}

void program_forget_history(struct programs *programs, struct program *program)
{
  history_free(&program->history);
  history_init(&program->history, &programs->budget);
}
