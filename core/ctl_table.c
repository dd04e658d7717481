/* What `evpipe ctl stats` shows people. */
#include "ctl.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 8, CELL = 64, MAX_ROWS = 4096 };

struct row {
  char cells[COLUMNS][CELL];
};

static const char *scalar(const struct config_node *node, const char *key)
{
  const struct config_pair *pair = tree_find(node, key);
  return pair && pair->value.kind == CONFIG_SCALAR ? pair->value.text : NULL;
}

static double number(const struct config_node *node, const char *key)
{
  const char *text = scalar(node, key);
  return text ? strtod(text, NULL) : 0;
}

/* "28209 events, 3 logs"; what never came is left out. */
static void put_signals(char *cell, const struct config_node *node, const char *key)
{
  const struct config_pair *pair = tree_find(node, key);
  size_t used = 0;
  for (size_t i = 0; pair && i < pair->value.n && used < CELL; i++) {
    const struct config_pair *signal = &pair->value.pairs[i];
    if (strcmp(signal->value.text, "0"))
      used +=
        (size_t)snprintf(cell + used, CELL - used, "%s%s %s", used ? ", " : "", signal->value.text, signal->key.text);
  }
  if (!used) snprintf(cell, CELL, "%s", pair && pair->value.n ? "0" : "-");
}

static void put_dropped(char *cell, const struct config_node *node)
{
  const struct config_pair *dropped = tree_find(node, "dropped");
  unsigned long long sum = 0;
  for (size_t i = 0; dropped && i < dropped->value.n; i++)
    sum += strtoull(dropped->value.pairs[i].value.text, NULL, 10);
  snprintf(cell, CELL, "%llu", sum);
}

static void put_bytes(char *cell, double bytes)
{
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++) bytes /= 1024;
  snprintf(cell, CELL, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void put_text(char *cell, const char *text)
{
  snprintf(cell, CELL, "%s", text ? text : "-");
}

static void fill_row(struct row *row, const struct config_node *node)
{
  bool sink = scalar(node, "queue_bytes") != NULL;
  put_text(row->cells[0], scalar(node, "name"));
  put_text(row->cells[1], scalar(node, "kind"));
  put_signals(row->cells[2], node, "in");
  if (sink)
    put_text(row->cells[3], scalar(node, "delivered"));
  else
    put_signals(row->cells[3], node, "out");
  put_dropped(row->cells[4], node);
  put_text(row->cells[5], scalar(node, "rejected"));
  put_text(row->cells[6], NULL);
  put_text(row->cells[7], NULL);
  if (!sink) return;
  put_bytes(row->cells[6], number(node, "queue_bytes") + number(node, "spool_bytes"));
  snprintf(row->cells[7], CELL, "%.1f s", number(node, "lag_seconds"));
}

static void print_rows(const struct row *rows, size_t n)
{
  int widths[COLUMNS] = {0};
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < COLUMNS; k++)
      if ((int)strlen(rows[i].cells[k]) > widths[k]) widths[k] = (int)strlen(rows[i].cells[k]);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < COLUMNS; k++) {
      bool last = k + 1 == COLUMNS;
      printf("%-*s%s", last ? 0 : widths[k], rows[i].cells[k], last ? "\n" : "  ");
    }
}

static void print_silence(const struct config_node *node)
{
  const struct config_pair *silent = tree_find(node, "silent");
  static const char *const reasons[][2] = {{"no_header", "no eventlog header comes"},
    {"no_events", "a header came, but no events"}, {"no_census", "no heap census comes"}};
  for (size_t i = 0; silent && i < sizeof reasons / sizeof *reasons; i++) {
    double n = number(&silent->value, reasons[i][0]);
    if (n > 0) printf(", %s", reasons[i][1]);
    if (n > 1) printf(" (of %.0f connections)", n);
  }
}

/* What a table has no room for: how it stands with a source's program. */
static void print_source(const struct config_node *node, double now)
{
  const char *clock = scalar(node, "clock"), *last = scalar(node, "last_event");
  if (!scalar(node, "connects")) return;
  printf("%s: %s, %s connections so far", scalar(node, "name"),
    number(node, "connected") > 0 ? "connected" : "not connected", scalar(node, "connects"));
  print_silence(node);
  if (last) printf(", last event %.1f s ago", now - strtod(last, NULL));
  if (clock) printf(", times are %s", clock);
  if (!strcmp(scalar(node, "controllable"), "true")) printf(", controllable");
  if (number(node, "decode_errors") > 0)
    printf(", damaged in %s places (%s bytes)", scalar(node, "decode_errors"), scalar(node, "skipped_bytes"));
  printf("\n");
}

void ctl_print_table(const struct config_node *answer)
{
  static const struct row head = {{"NODE", "KIND", "IN", "OUT", "DROPPED", "REJECTED", "WAITS", "LAG"}};
  const struct config_pair *nodes = tree_find(answer, "nodes");
  size_t n = nodes ? nodes->value.n : 0;
  struct row *rows = n < MAX_ROWS ? calloc(n + 1, sizeof *rows) : NULL;
  if (!rows) return;
  rows[0] = head;
  for (size_t i = 0; i < n; i++) fill_row(&rows[i + 1], &nodes->value.items[i]);
  print_rows(rows, n + 1);
  free(rows);
  for (size_t i = 0; i < n; i++) print_source(&nodes->value.items[i], number(answer, "time"));
}
