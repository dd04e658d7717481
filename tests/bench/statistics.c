#include "statistics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t draw(uint64_t *random)
{
  uint64_t z = (*random += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t draw_quantile(uint64_t *random, const uint64_t quantiles[QUANTILES])
{
  uint64_t drawn = draw(random);
  size_t i = drawn % (QUANTILES - 1);
  uint64_t span = quantiles[i + 1] - quantiles[i];
  return quantiles[i] + (span ? (drawn >> 8) % (span + 1) : 0);
}

uint8_t draw_follower(uint64_t *random, const struct statistics *statistics, uint8_t first, uint8_t second)
{
  uint16_t index = statistics->context_of[first][second];
  if (!index) return draw(random) % 2 ? 1 : 2; /* a dead end of the chain: the log ended there */
  const struct context *context = &statistics->contexts[index - 1];
  uint32_t drawn = (uint32_t)(draw(random) % context->up_to[context->n - 1]);
  uint32_t i = 0;
  while (context->up_to[i] <= drawn) i++;
  return context->followers[i];
}

static struct payload read_hex(const char *hex)
{
  struct payload payload = {.data = NULL};
  if (!strcmp(hex, "-")) return payload;
  payload.size = (uint16_t)(strlen(hex) / 2);
  payload.data = malloc(payload.size ? payload.size : 1);
  if (!payload.data) abort();
  for (size_t i = 0; i < payload.size; i++) {
    unsigned byte;
    sscanf(hex + 2 * i, "%2x", &byte);
    payload.data[i] = (uint8_t)byte;
  }
  return payload;
}

static void read_quantiles(char *rest, uint64_t quantiles[QUANTILES])
{
  for (size_t i = 0; i < QUANTILES; i++) quantiles[i] = strtoull(rest, &rest, 10);
}

static void read_type(struct statistics *statistics, char *rest)
{
  unsigned number = (unsigned)strtoul(rest, &rest, 10);
  struct kind *kind = &statistics->kinds[number % KINDS];
  kind->declared = true;
  kind->size = (uint16_t)strtoul(rest, &rest, 10);
  kind->description = strdup(rest + 1);
}

static void read_after(struct statistics *statistics, char *rest)
{
  if (statistics->n_contexts == CONTEXTS_MAX) return;
  struct context *context = &statistics->contexts[statistics->n_contexts++];
  context->first = (uint8_t)strtoul(rest, &rest, 10);
  context->second = (uint8_t)strtoul(rest, &rest, 10);
  statistics->context_of[context->first][context->second] = (uint16_t)statistics->n_contexts;
  for (uint32_t sum = 0; *rest && context->n < FOLLOWERS_MAX; context->n++) {
    context->followers[context->n] = (uint8_t)strtoul(rest, &rest, 10);
    sum += (uint32_t)strtoul(rest + 1, &rest, 10);
    context->up_to[context->n] = sum;
  }
}

static void read_prelude(struct statistics *statistics, char *rest)
{
  struct prelude *prelude = reallocarray(statistics->prelude, statistics->n_prelude + 1, sizeof *statistics->prelude);
  if (!prelude) abort();
  statistics->prelude = prelude;
  prelude += statistics->n_prelude++;
  prelude->type = (uint16_t)strtoul(rest, &rest, 10);
  prelude->time = strtoull(rest, &rest, 10);
  prelude->payload = read_hex(rest + 1);
}

static void read_payload(struct statistics *statistics, char *rest)
{
  struct kind *kind = &statistics->kinds[strtoul(rest, &rest, 10) % KINDS];
  if (kind->n_payloads < PAYLOADS_MAX) kind->payloads[kind->n_payloads++] = read_hex(rest + 1);
}

static void read_label(struct statistics *statistics, const char *label)
{
  char **labels = reallocarray(statistics->labels, statistics->n_labels + 1, sizeof *labels);
  if (!labels) abort();
  statistics->labels = labels;
  labels[statistics->n_labels++] = strdup(label);
}

static void read_line(struct statistics *statistics, char *line)
{
  char *rest = strchr(line, ' ');
  if (!rest || *line == '#') return;
  *rest++ = 0;
  if (!strcmp(line, "type")) read_type(statistics, rest);
  if (!strcmp(line, "after")) read_after(statistics, rest);
  if (!strcmp(line, "prelude")) read_prelude(statistics, rest);
  if (!strcmp(line, "payload")) read_payload(statistics, rest);
  if (!strcmp(line, "label")) read_label(statistics, rest);
  if (!strcmp(line, "blocks")) read_quantiles(rest, statistics->blocks);
  if (!strcmp(line, "steps")) {
    unsigned number = (unsigned)strtoul(rest, &rest, 10);
    read_quantiles(rest, statistics->kinds[number % KINDS].steps);
  }
}

struct statistics *statistics_read(const char *path)
{
  FILE *file = fopen(path, "r");
  struct statistics *statistics = calloc(1, sizeof *statistics);
  if (!file || !statistics) {
    perror(path);
    free(statistics);
    if (file) fclose(file);
    return NULL;
  }
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
    if (line[size - 1] == '\n') line[size - 1] = 0;
    read_line(statistics, line);
  }
  free(line);
  fclose(file);
  return statistics;
}

void statistics_free(struct statistics *statistics)
{
  for (size_t i = 0; i < KINDS; i++) {
    free(statistics->kinds[i].description);
    for (size_t k = 0; k < statistics->kinds[i].n_payloads; k++) free(statistics->kinds[i].payloads[k].data);
  }
  for (size_t i = 0; i < statistics->n_prelude; i++) free(statistics->prelude[i].payload.data);
  for (size_t i = 0; i < statistics->n_labels; i++) free(statistics->labels[i]);
  free(statistics->prelude);
  free(statistics->labels);
  free(statistics);
}
