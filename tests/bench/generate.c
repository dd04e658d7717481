/* generate: makes a valid eventlog of any size, whose order of events, payloads, labels and time steps are drawn from what
 * learn.py found in real logs. See README.md.
 *
 *   generate --statistics FILE --size BYTES [--seed N] [--caps N] [--labels N] [--info-tables N] OUTPUT|-
 *
 * --labels makes it a heap profile: censuses of that many rows fill 95 % of it. --info-tables declares so many of them
 * first, and makes the profile one by info table. Without either it is what a busy scheduler writes.
 */
#include "statistics.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_CAP = 0xffff, MARKER = 24, BLOCK_MAX = 2097151, CAPS_MAX = 64, CENSUS_SHARE = 20 };
enum { BLOCK_MARKER = 18, SAMPLE_BEGIN = 162, SAMPLE_STRING = 164, SAMPLE_END = 165, IPE = 169, PROF_BEGIN = 160 };

/* A buffer of the RTS: its block is written when it is as large as was drawn. */
struct buffer {
  uint16_t cap;
  uint8_t first, second; /* the last two types */
  uint64_t begin, time;
  size_t size, limit;
  uint8_t data[BLOCK_MAX + 66000];
};

struct row {
  char *label;
  uint64_t bytes;
};

struct generator {
  struct statistics *statistics;
  FILE *output;
  uint64_t random, size, written, events;
  uint32_t caps;
  struct buffer *buffers; /* the last one is the global one */
  struct row *rows;
  size_t n_rows;
  uint64_t info_tables;
};

static void put(struct buffer *buffer, uint64_t value, unsigned bytes)
{
  while (bytes--) buffer->data[buffer->size++] = (uint8_t)(value >> 8 * bytes);
}

static void put_bytes(struct buffer *buffer, const void *data, size_t size)
{
  if (size) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
}

static void write_out(struct generator *g, const void *data, size_t size)
{
  if (fwrite(data, 1, size, g->output) != size) {
    perror("generate");
    exit(1);
  }
  g->written += size;
}

static void begin_block(struct generator *g, struct buffer *buffer)
{
  buffer->size = MARKER;
  buffer->begin = buffer->time;
  size_t limit = (size_t)draw_quantile(&g->random, g->statistics->blocks);
  buffer->limit = limit < 4096 ? 4096 : limit > BLOCK_MAX ? BLOCK_MAX : limit;
  if (buffer->limit > g->size / 4) buffer->limit = (size_t)(g->size / 4);
}

static void flush(struct generator *g, struct buffer *buffer)
{
  size_t size = buffer->size;
  buffer->size = 0;
  put(buffer, BLOCK_MARKER, 2);
  put(buffer, buffer->begin, 8);
  put(buffer, size, 4);
  put(buffer, ++buffer->time, 8);
  put(buffer, buffer->cap, 2);
  write_out(g, buffer->data, size);
  begin_block(g, buffer);
}

static void put_record(struct generator *g, struct buffer *buffer, uint16_t type, const void *payload, size_t size)
{
  if (buffer->size + 12 + size > BLOCK_MAX) flush(g, buffer);
  put(buffer, type, 2);
  put(buffer, buffer->time, 8);
  if (g->statistics->kinds[type].size == 0xffff) put(buffer, size, 2);
  put_bytes(buffer, payload, size);
  g->events++;
}

static void next_event(struct generator *g, struct buffer *buffer)
{
  uint8_t type = draw_follower(&g->random, g->statistics, buffer->first, buffer->second);
  const struct kind *kind = &g->statistics->kinds[type];
  buffer->first = buffer->second;
  buffer->second = type;
  buffer->time += draw_quantile(&g->random, kind->steps);
  struct payload payload = {.size = 0};
  if (kind->n_payloads) payload = kind->payloads[draw(&g->random) % kind->n_payloads];
  put_record(g, buffer, type, payload.data, payload.size);
  if (buffer->size >= buffer->limit) flush(g, buffer);
}

static void census(struct generator *g, struct buffer *global, uint64_t time)
{
  uint8_t payload[1200] = {0};
  if (time > global->time) global->time = time;
  put_record(g, global, SAMPLE_BEGIN, payload, 8);
  for (size_t i = 0; i < g->n_rows; i++) {
    struct row *row = &g->rows[i];
    uint64_t drawn = draw(&g->random);
    if (drawn % 32 == 0) continue; /* a band that is not there in this census */
    row->bytes += (drawn >> 8) % (row->bytes / 8 + 64);
    row->bytes -= (drawn >> 40) % (row->bytes / 8 + 64) % row->bytes;
    size_t length = strlen(row->label) + 1;
    payload[0] = 0;
    for (unsigned k = 0; k < 8; k++) payload[1 + k] = (uint8_t)((row->bytes & ~UINT64_C(7)) >> 8 * (7 - k));
    memcpy(payload + 9, row->label, length);
    global->time += 90 + drawn % 64;
    put_record(g, global, SAMPLE_STRING, payload, 9 + length);
  }
  memset(payload, 0, 8);
  put_record(g, global, SAMPLE_END, payload, 8);
  if (global->size >= global->limit) flush(g, global);
}

/* Labels as in the real log; beyond those, real ones with a number. */
static void make_rows(struct generator *g, size_t n)
{
  g->rows = calloc(n ? n : 1, sizeof *g->rows);
  if (!g->rows) abort();
  g->n_rows = n;
  const struct statistics *statistics = g->statistics;
  for (size_t i = 0; i < n; i++) {
    char label[1000];
    uint64_t drawn = draw(&g->random);
    if (g->info_tables)
      snprintf(label, sizeof label, "0x%" PRIx64, 0x7f0000400000 + 0x48 * (drawn % g->info_tables));
    else if (i < statistics->n_labels)
      snprintf(label, sizeof label, "%s", statistics->labels[i]);
    else
      snprintf(label, sizeof label, "%s%" PRIu64,
        statistics->n_labels ? statistics->labels[drawn % statistics->n_labels] : "label", drawn % 10000000);
    g->rows[i] = (struct row){strdup(label), 1024 + drawn % 100000};
  }
}

/* As GHC 9.6 and 9.10 write it: the length is one too large. */
static void put_info_table(struct generator *g, struct buffer *global, uint64_t i)
{
  static const char *const modules[] = {
    "Data.Map.Internal", "GHC.IO.Handle", "Main", "Data.Text.Internal", "Service.Api"};
  uint8_t payload[600];
  const char *module = modules[draw(&g->random) % 5];
  uint64_t address = 0x7f0000400000 + 0x48 * i;
  for (unsigned k = 0; k < 8; k++) payload[k] = (uint8_t)(address >> 8 * (7 - k));
  int size = snprintf((char *)payload + 8, sizeof payload - 8,
    "s%" PRIx64 "_info%c%u%cMap k v%cgo%" PRIu64 "%c%s%c%s.hs:%u:%u-%u", i, 0, (unsigned)(i % 60), 0, 0, i % 5000, 0,
    module, 0, module, (unsigned)(i % 2000), (unsigned)(i % 80), (unsigned)(i % 90));
  size_t length = 8 + (size_t)size + 1;
  global->time += 100;
  if (global->size + 12 + length > BLOCK_MAX) flush(g, global);
  put(global, IPE, 2);
  put(global, global->time, 8);
  put(global, length + 1, 2);
  put_bytes(global, payload, length);
  g->events++;
}

static void write_header(struct generator *g)
{
  struct buffer *buffer = &g->buffers[0];
  buffer->size = 0;
  put_bytes(buffer, "hdrbhetb", 8);
  for (unsigned number = 0; number < KINDS; number++) {
    const struct kind *kind = &g->statistics->kinds[number];
    if (!kind->declared) continue;
    put_bytes(buffer, "etb", 4);
    put(buffer, number, 2);
    put(buffer, kind->size, 2);
    put(buffer, strlen(kind->description), 4);
    put_bytes(buffer, kind->description, strlen(kind->description));
    put(buffer, 0, 4);
    put_bytes(buffer, "ete", 4);
  }
  put_bytes(buffer, "hetehdredatb", 12);
  write_out(g, buffer->data, buffer->size);
}

static void write_prelude(struct generator *g, struct buffer *global)
{
  for (size_t i = 0; i < g->statistics->n_prelude; i++) {
    struct prelude *prelude = &g->statistics->prelude[i];
    if (prelude->type == PROF_BEGIN && g->info_tables) prelude->payload.data[12] = 8; /* by info table */
    if (prelude->time > global->time) global->time = prelude->time;
    put_record(g, global, prelude->type, prelude->payload.data, prelude->payload.size);
  }
  for (uint64_t i = 0; i < g->info_tables; i++) put_info_table(g, global, i);
  flush(g, global);
}

static uint64_t newest_time(const struct generator *g)
{
  uint64_t newest = 0;
  for (uint32_t i = 0; i < g->caps; i++)
    if (g->buffers[i].time > newest) newest = g->buffers[i].time;
  return newest;
}

static void generate(struct generator *g)
{
  struct buffer *global = &g->buffers[g->caps];
  write_header(g);
  for (uint32_t i = 0; i <= g->caps; i++) {
    g->buffers[i].cap = i < g->caps ? (uint16_t)i : NO_CAP;
    g->buffers[i].time = 1000000;
    begin_block(g, &g->buffers[i]);
  }
  write_prelude(g, global);
  while (g->written < g->size) {
    size_t turns = g->n_rows ? g->n_rows / CENSUS_SHARE + 1 : 4000;
    for (uint32_t cap = 0; cap < g->caps; cap++)
      for (size_t i = 0; i < turns / g->caps + 1; i++) next_event(g, &g->buffers[cap]);
    if (g->n_rows) census(g, global, newest_time(g));
  }
  for (uint32_t i = 0; i < g->caps; i++) flush(g, &g->buffers[i]);
  flush(g, global);
  put(global, NO_CAP, 2);
  flush(g, global);
}

int main(int argc, char **argv)
{
  static const struct option options[] = {{"statistics", required_argument, NULL, 't'},
    {"size", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'},
    {"caps", required_argument, NULL, 'c'}, {"labels", required_argument, NULL, 'l'},
    {"info-tables", required_argument, NULL, 'i'}, {0}};
  struct generator g = {.random = 1, .size = 1000000, .caps = 2};
  const char *statistics = NULL;
  size_t labels = 0;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
    if (option == '?') return 2;
    uint64_t number = strtoull(optarg, NULL, 0);
    if (option == 't') statistics = optarg;
    if (option == 's') g.size = number;
    if (option == 'r') g.random = number;
    if (option == 'c' && number >= 1 && number <= CAPS_MAX) g.caps = (uint32_t)number;
    if (option == 'l') labels = (size_t)number;
    if (option == 'i') g.info_tables = number;
  }
  if (!statistics || optind + 1 != argc)
    return fprintf(stderr, "generate: --statistics FILE and OUTPUT are needed\n"), 2;
  g.statistics = statistics_read(statistics);
  if (!g.statistics) return 1;
  g.output = strcmp(argv[optind], "-") ? fopen(argv[optind], "wb") : stdout;
  g.buffers = calloc(g.caps + 1, sizeof *g.buffers);
  if (!g.output || !g.buffers) return perror("generate"), 1;
  make_rows(&g, labels);
  generate(&g);
  fprintf(stderr, "generate: %" PRIu64 " bytes, %" PRIu64 " events\n", g.written, g.events);
  for (size_t i = 0; i < g.n_rows; i++) free(g.rows[i].label);
  free(g.rows);
  free(g.buffers);
  statistics_free(g.statistics);
  return fclose(g.output) ? (perror("generate"), 1) : 0;
}
