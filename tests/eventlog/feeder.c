#include "feeder.h"
#include "eventlog/prologue.h"

#include <evpipe/events.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What is fed and not consumed yet is kept in memory of exactly its size, so that a sanitizer sees who reads behind it. */
struct feeder {
  const struct feeding *feeding;
  struct outcome *outcome;
  struct event_set all;
  struct eventlog *log;
  struct prologue *prologue;
  struct evp_event *events;
  uint8_t *held;
  size_t n_held;
  uint64_t consumed; /* of the input, by all streams */
  uint64_t header; /* where the header begins */
  uint64_t random;
};

uint64_t random_next(uint64_t *state)
{
  uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint8_t *read_whole(const char *path, size_t *size)
{
  FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
  if (!file) return NULL;
  size_t capacity = 1 << 16;
  uint8_t *data = malloc(capacity);
  *size = 0;
  for (size_t got; data && (got = fread(data + *size, 1, capacity - *size, file)) > 0;) {
    *size += got;
    if (*size < capacity) continue;
    uint8_t *more = realloc(data, capacity *= 2);
    if (!more) free(data);
    data = more;
  }
  if (file != stdin) fclose(file);
  return data;
}

static void fail(const struct feeder *feeder, const char *what)
{
  fprintf(stderr, "at offset %" PRIu64 ": %s\n", feeder->consumed, what);
  abort();
}

static void digest(struct outcome *outcome, uint64_t value)
{
  outcome->digest = (outcome->digest ^ value) * 0x9e3779b97f4a7c15;
  outcome->digest ^= outcome->digest >> 29;
}

static void digest_bytes(struct outcome *outcome, const uint8_t *data, size_t size)
{
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    digest(outcome, word);
  }
  uint64_t rest = size;
  for (size_t i = 0; i < size; i++) rest = rest << 8 | data[i];
  digest(outcome, rest);
}

static void begin_stream(struct feeder *feeder)
{
  const struct feeding *feeding = feeder->feeding;
  if (feeding->prologue_size) feeder->prologue = prologue_new(4096, feeding->prologue_size);
  struct eventlog_settings settings = {
    .wanted = feeding->no_events ? NULL : &feeder->all, .prologue = feeder->prologue, .walk = !feeding->no_walk};
  feeder->log = eventlog_new(&settings);
  if (!feeder->log) abort();
  feeder->outcome->streams++;
}

static void end_stream(struct feeder *feeder)
{
  const struct eventlog_state *state = eventlog_state(feeder->log);
  struct outcome *outcome = feeder->outcome;
  struct eventlog_state sum = *state;
  if (outcome->state.damages == 0 && state->damages) {
    snprintf(outcome->damage, sizeof outcome->damage, "%s", state->first_damage_text);
    outcome->first_damage = state->first_damage;
  }
  sum.damages += outcome->state.damages;
  sum.skipped_bytes += outcome->state.skipped_bytes;
  sum.leading_bytes += outcome->state.leading_bytes;
  sum.trailing_bytes += outcome->state.trailing_bytes;
  sum.cut_bytes += outcome->state.cut_bytes;
  sum.events += outcome->state.events;
  sum.blocks += outcome->state.blocks;
  outcome->state = sum;
  outcome->ended = state->ended;
  if (state->ended) outcome->decoded_bytes += 2;
  snprintf(outcome->program, sizeof outcome->program, "%s", state->program ? state->program : "");
  snprintf(outcome->rts, sizeof outcome->rts, "%s", state->rts ? state->rts : "");
  outcome->state.program = outcome->state.rts = NULL;
  outcome->state.first_damage_text = NULL;
  eventlog_free(feeder->log);
  prologue_free(feeder->prologue);
  feeder->prologue = NULL;
}

static void take_event(struct feeder *feeder, const struct evp_event *event)
{
  struct outcome *outcome = feeder->outcome;
  bool variable = event->flags & EVP_EVENT_VARIABLE;
  outcome->events++;
  outcome->by_type[event->type]++;
  outcome->decoded_bytes += 10u + 2u * variable + event->size;
  outcome->resyncs += (event->flags & EVP_EVENT_RESYNC) != 0;
  outcome->malformed += (event->flags & EVP_EVENT_MALFORMED) != 0;
  digest(outcome, event->time);
  digest(
    outcome, (uint64_t)event->type << 48 | (uint64_t)event->cap << 32 | event->size | (uint64_t)event->flags << 16);
  digest_bytes(outcome, event->data, event->size);
  if (!feeder->feeding->lines) return;
  fprintf(feeder->feeding->lines, "%" PRIu64 " %d %u %u", event->time, event->cap == EVP_NO_CAP ? -1 : (int)event->cap,
    event->type, event->flags);
  for (unsigned i = 0; i < event->size; i++) fprintf(feeder->feeding->lines, "%s%02x", i ? "" : " ", event->data[i]);
  fputc('\n', feeder->feeding->lines);
}

static void note(struct feeder *feeder, const char *what, uint64_t at, uint64_t value)
{
  digest(feeder->outcome, at);
  digest(feeder->outcome, value);
  if (feeder->feeding->lines) fprintf(feeder->feeding->lines, "%s at %" PRIu64 " %" PRIu64 "\n", what, at, value);
}

static void take_step(struct feeder *feeder, const struct eventlog_step *step)
{
  const struct eventlog_state *state = eventlog_state(feeder->log);
  uint64_t at = feeder->consumed + step->consumed;
  size_t n_types;
  for (uint32_t i = 0; i < step->n; i++) take_event(feeder, &feeder->events[i]);
  if (step->sync != SIZE_MAX && (!state->header || step->reason == EVENTLOG_HEADER))
    feeder->header = feeder->consumed + step->sync;
  switch (step->reason) {
  case EVENTLOG_HEADER:
    eventlog_types(feeder->log, &n_types);
    note(feeder, "header", at, n_types);
    feeder->outcome->headers++;
    feeder->outcome->decoded_bytes += at - feeder->header;
    break;
  case EVENTLOG_CLOCK:
    note(feeder, "clock", at, (uint64_t)state->epoch);
    feeder->outcome->clock_at = at;
    break;
  case EVENTLOG_FACTS:
    note(feeder, "fact", at, state->pid);
    break;
  case EVENTLOG_RESTART:
    note(feeder, "restart", at, 0);
    break;
  case EVENTLOG_MORE:
  case EVENTLOG_FULL:
    break;
  }
}

static void check_step(struct feeder *feeder, const struct eventlog_step *step, size_t size, uint32_t room)
{
  if (step->consumed > size) fail(feeder, "consumed more than there is");
  if (step->n > room) fail(feeder, "gave more events than there is room");
  if (step->sync != SIZE_MAX && step->sync >= size) fail(feeder, "a sync outside of the data");
  if (step->leading > step->consumed) fail(feeder, "more leading bytes than consumed");
  for (uint32_t i = 0; i < step->n; i++) {
    const struct evp_event *event = &feeder->events[i];
    if (event->data < feeder->held || event->data + event->size > feeder->held + step->consumed)
      fail(feeder, "an event outside of the consumed bytes");
  }
  if (step->sync != SIZE_MAX) feeder->outcome->syncs++;
  if (step->prologue_at_sync < step->prologue) fail(feeder, "a prologue that shrinks");
  feeder->outcome->newest_prologue = step->prologue_at_sync;
}

static void consume(struct feeder *feeder, size_t n)
{
  feeder->consumed += n;
  feeder->n_held -= n;
  uint8_t *rest = malloc(feeder->n_held + 1);
  if (!rest) abort();
  if (feeder->n_held) memcpy(rest, feeder->held + n, feeder->n_held);
  free(feeder->held);
  feeder->held = rest;
  if (feeder->n_held == 0) return;
  uint8_t *exact = realloc(feeder->held, feeder->n_held);
  if (exact) feeder->held = exact;
}

/* What is held, until more is needed. */
static void run_steps(struct feeder *feeder, bool finish)
{
  size_t at = 0;
  for (unsigned idle = 0;;) {
    struct eventlog_step step;
    uint32_t room = feeder->feeding->room ? feeder->feeding->room : 1024;
    if (!feeder->feeding->room && feeder->feeding->cut == CUT_RANDOM)
      room = 1 + (uint32_t)(random_next(&feeder->random) % 700);
    uint8_t *held = feeder->held;
    size_t size = feeder->n_held - at;
    feeder->held += at;
    (finish ? eventlog_finish : eventlog_step)(feeder->log, feeder->held, size, feeder->events, room, &step);
    check_step(feeder, &step, size, room);
    take_step(feeder, &step);
    feeder->held = held;
    feeder->consumed += step.consumed;
    at += step.consumed;
    idle = step.consumed || step.n ? 0 : idle + 1;
    if (idle > 8) fail(feeder, "goes nowhere");
    if (step.reason == EVENTLOG_RESTART) {
      end_stream(feeder);
      begin_stream(feeder);
    }
    if (step.reason == EVENTLOG_MORE) break;
  }
  feeder->consumed -= at;
  consume(feeder, at);
  if (!finish && feeder->n_held >= EVENTLOG_LONGEST) fail(feeder, "an item longer than the longest");
}

static size_t next_piece(struct feeder *feeder, size_t rest)
{
  const struct feeding *feeding = feeder->feeding;
  size_t piece = rest;
  if (feeding->cut == CUT_FIXED) piece = (size_t)feeding->parameter;
  if (feeding->cut == CUT_RANDOM) { /* mostly short ones, some as long as a socket gives */
    uint64_t limit = UINT64_C(1) << (random_next(&feeder->random) % 18);
    piece = 1 + (size_t)(random_next(&feeder->random) % limit);
  }
  return piece < rest ? piece : rest;
}

static void push(struct feeder *feeder, const uint8_t *data, size_t size)
{
  uint8_t *held = realloc(feeder->held, feeder->n_held + size);
  if (!held) abort();
  memcpy(held + feeder->n_held, data, size);
  feeder->held = held;
  feeder->n_held += size;
}

void feed(const struct feeding *feeding, struct outcome *outcome)
{
  struct feeder *feeder = calloc(1, sizeof *feeder);
  if (!feeder) abort();
  *outcome = (struct outcome){.first_damage = UINT64_MAX};
  feeder->feeding = feeding;
  feeder->outcome = outcome;
  feeder->random = feeding->parameter;
  feeder->events = calloc(feeding->room > 1024 ? feeding->room : 1024, sizeof *feeder->events);
  if (!feeder->events) abort();
  memset(&feeder->all, 0xff, sizeof feeder->all);
  begin_stream(feeder);
  for (size_t at = 0; at < feeding->size;) {
    size_t piece = next_piece(feeder, feeding->size - at);
    push(feeder, feeding->data + at, piece);
    at += piece;
    run_steps(feeder, false);
  }
  run_steps(feeder, true);
  end_stream(feeder);
  free(feeder->held);
  free(feeder->events);
  free(feeder);
}

bool outcome_equal(const struct outcome *a, const struct outcome *b)
{
  const struct eventlog_state *s = &a->state, *t = &b->state;
  return a->digest == b->digest && a->events == b->events && a->streams == b->streams && a->headers == b->headers &&
         a->decoded_bytes == b->decoded_bytes && !strcmp(a->program, b->program) && !strcmp(a->rts, b->rts) &&
         !strcmp(a->damage, b->damage) && a->first_damage == b->first_damage && s->events == t->events &&
         s->blocks == t->blocks && s->skipped_bytes == t->skipped_bytes && s->leading_bytes == t->leading_bytes &&
         s->trailing_bytes == t->trailing_bytes && s->damages == t->damages && s->cut_bytes == t->cut_bytes &&
         s->newest_time == t->newest_time && s->newest_block_end == t->newest_block_end &&
         s->epoch_exact == t->epoch_exact && s->epoch == t->epoch && s->pid == t->pid && s->dialect == t->dialect &&
         s->ended == t->ended && s->header == t->header;
}

void outcome_print(const struct outcome *outcome, FILE *file)
{
  const struct eventlog_state *state = &outcome->state;
  for (unsigned type = 0; type < 65536; type++)
    if (outcome->by_type[type]) fprintf(file, "type %u %" PRIu64 "\n", type, outcome->by_type[type]);
  fprintf(file,
    "streams %" PRIu64 "\nheaders %" PRIu64 "\nevents %" PRIu64 "\nwalked %" PRIu64 "\nblocks %" PRIu64 "\n",
    outcome->streams, outcome->headers, outcome->events, state->events, state->blocks);
  fprintf(file, "digest %016" PRIx64 "\ndecoded_bytes %" PRIu64 "\n", outcome->digest, outcome->decoded_bytes);
  fprintf(file,
    "skipped_bytes %" PRIu64 "\nleading_bytes %" PRIu64 "\ntrailing_bytes %" PRIu64 "\ncut_bytes %" PRIu64 "\n",
    state->skipped_bytes, state->leading_bytes, state->trailing_bytes, state->cut_bytes);
  fprintf(file, "damages %" PRIu64 "\n", state->damages);
  if (state->damages) fprintf(file, "first_damage %" PRIu64 " %s\n", outcome->first_damage, outcome->damage);
  fprintf(file, "resyncs %" PRIu64 "\nmalformed %" PRIu64 "\n", outcome->resyncs, outcome->malformed);
  fprintf(file, "ended %d\nepoch_exact %d\nepoch %" PRId64 "\n", outcome->ended, state->epoch_exact, state->epoch);
  fprintf(file, "newest_time %" PRIu64 "\nnewest_block_end %" PRIu64 "\n", state->newest_time, state->newest_block_end);
  fprintf(file, "dialect %u\npid %u\nprogram %s\nrts %s\n", state->dialect, state->pid, outcome->program, outcome->rts);
}
