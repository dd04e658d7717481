/* api.c: what the page asks for, by path: its own files, programs, history, pushes, commands. */
#include "assets.h"
#include "describe.h"
#include "run.h"
#include "view.h"
#include "visitors.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>

/* -------------------------------------------------------------------------------------------------------------- answers */

/* The text is taken over. */
static void answer_json(struct http_request *request, unsigned status, bool ok, struct evp_buf *text)
{
  if (ok && text_put_char(text, '\n')) {
    http_answer(request, &(struct http_answer){.status = status, .type = "application/json", .body = text});
    return;
  }
  text_free(text);
  http_answer_error(request, 503, "evpipe has no memory for the answer");
}

/* ------------------------------------------------------------------------------------------------------------ parameters */

/* A whole number, or `missing` without the parameter. False: it is none, or not in the range (answered). */
static bool take_number(struct http_request *request, const char *name, uint32_t least, uint32_t most, uint32_t *value)
{
  const char *text = http_request_query(request, name);
  char message[128], *end;
  if (!text) return true;
  unsigned long number = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : ULONG_MAX;
  if (number != ULONG_MAX && !*end && number >= least && number <= most) {
    *value = (uint32_t)number;
    return true;
  }
  snprintf(message, sizeof message, "%s must be a number from %u to %u", name, least, most);
  http_answer_error(request, 400, message);
  return false;
}

/* Unix seconds with at most nine digits behind the point, in ns; what is left out behind the microsecond is as if it were
   `rest`, so that a time that we wrote is within a range that ends with it. */
static bool take_time(struct http_request *request, const char *name, int64_t rest, int64_t *time)
{
  const char *text = http_request_query(request, name);
  if (!text) return true;
  char *end = NULL;
  bool negative = *text == '-';
  const char *digits = text + negative;
  unsigned long long seconds = isdigit((unsigned char)*digits) ? strtoull(digits, &end, 10) : ULLONG_MAX;
  int64_t nanoseconds = 0, unit = 100000000;
  if (end && *end == '.')
    for (end++; isdigit((unsigned char)*end) && unit; end++, unit /= 10) nanoseconds += (*end - '0') * unit;
  if (!end || *end || seconds > INT64_MAX / 1000000000 - 1) {
    char message[128];
    snprintf(message, sizeof message, "%s must be Unix seconds", name);
    http_answer_error(request, 400, message);
    return false;
  }
  nanoseconds += (int64_t)seconds * 1000000000;
  *time = (negative ? -nanoseconds : nanoseconds) + (unit >= 100 ? rest : 0);
  return true;
}

static bool take_pins(struct http_request *request, struct view *view)
{
  const char *text = http_request_query(request, "pin");
  while (text && *text) {
    char *end;
    unsigned long id = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || (*end && *end != ',') || view->n_pins == VIEW_PINS_MAX || id > UINT32_MAX) {
      http_answer_error(request, 400, "pin must be at most 500 ids of bands with commas between");
      return false;
    }
    view->pins[view->n_pins++] = (uint32_t)id;
    text = *end ? end + 1 : end;
  }
  return true;
}

/* The program that the request names. NULL: there is none (answered). */
static struct program *take_program(struct dashboard *dashboard, struct http_request *request)
{
  uint32_t id = 0;
  if (!take_number(request, "program", 1, UINT32_MAX, &id)) return NULL;
  if (!id) {
    http_answer_error(request, 400, "program=ID is missing");
    return NULL;
  }
  struct program *program = programs_find(&dashboard->programs, id);
  if (!program) http_answer_error(request, 404, "there is no such program any more");
  return program;
}

/* ---------------------------------------------------------------------------------------------------------------- page */

static const struct http_header page_headers[] = {
  {"Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
  {"Referrer-Policy", "no-referrer"}};

static void answer_asset(struct http_request *request, const struct asset *asset)
{
  http_answer(request, &(struct http_answer){.type = asset->type,
                         .data = asset->data,
                         .size = asset->size,
                         .gzipped = true,
                         .etag = asset->etag,
                         .headers = page_headers,
                         .n_headers = sizeof page_headers / sizeof *page_headers});
}

static void on_asset(void *owner, struct http_request *request)
{
  const char *path = http_request_path(request);
  (void)owner;
  for (size_t i = 0; i < n_assets; i++) {
    if (strcmp(path, assets[i].path) != 0) continue;
    answer_asset(request, &assets[i]);
    return;
  }
  http_answer_text(request, 404, "there is nothing of that name");
}

/* ----------------------------------------------------------------------------------------------------------------- api */

static void on_programs(void *owner, struct http_request *request)
{
  struct evp_buf text = {0};
  bool ok = describe_all(owner, &text);
  answer_json(request, 200, ok, &text);
}

static void on_history(void *owner, struct http_request *request)
{
  struct view view = {.from = INT64_MIN, .to = INT64_MAX, .columns = 600, .bands = 20};
  struct program *program = take_program(owner, request);
  if (!program || !take_number(request, "columns", VIEW_COLUMNS_MIN, VIEW_COLUMNS_MAX, &view.columns)) return;
  if (!take_number(request, "bands", 0, VIEW_BANDS_MAX, &view.bands) || !take_pins(request, &view)) return;
  if (!take_time(request, "from", 0, &view.from) || !take_time(request, "to", 999, &view.to)) return;
  if (view.from > view.to) {
    http_answer_error(request, 400, "from must not be after to");
    return;
  }
  view.breakdown = http_request_query(request, "breakdown");
  visitors_push(owner, program);
  struct evp_buf text = {0};
  bool ok = view_write(program, &view, &text);
  answer_json(request, 200, ok, &text);
}

static void on_bands(void *owner, struct http_request *request)
{
  struct program *program = take_program(owner, request);
  const char *wanted = http_request_query(request, "q");
  struct evp_buf text = {0};
  if (!program) return;
  bool ok = view_write_search(&program->history.censuses, wanted ? wanted : "", &text);
  answer_json(request, 200, ok, &text);
}

static void on_live(void *owner, struct http_request *request)
{
  struct program *program = NULL;
  if (http_request_query(request, "program") && !(program = take_program(owner, request))) return;
  visitors_join(owner, program, request);
}

/* ------------------------------------------------------------------------------------------------------------- control */

/* Of eventlog-socket's built-in commands those that the page has buttons for. 0: there is none of that name. */
static uint8_t command_of(const char *word)
{
  static const struct {
    const char *word;
    uint8_t id;
  } commands[] = {{"start-heap", 3}, {"stop-heap", 4}, {"census", 5}};
  for (size_t i = 0; word && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(commands[i].word, word) == 0) return commands[i].id;
  return 0;
}

static enum evp_status control(const struct program *program, uint8_t command)
{
  for (const struct run *run = program->open; run; run = run->next)
    if (evp_stream_controllable(run->stream)) return evp_control(run->stream, "eventlog-socket", command);
  return program->open ? EVP_REJECT : EVP_END;
}

static void on_control(void *owner, struct http_request *request)
{
  struct dashboard *dashboard = owner;
  const char *word = http_request_query(request, "command");
  uint8_t command = command_of(word);
  /* A page of another origin can not send a header of this name without asking first, which nobody answers. */
  if (!http_request_header(request, "X-Evpipe")) {
    http_answer_error(request, 403, "the header X-Evpipe is missing");
    return;
  }
  struct program *program = take_program(owner, request);
  if (!program) return;
  if (!command) {
    http_answer_error(request, 400, "command must be census, start-heap or stop-heap");
    return;
  }
  enum evp_status status = control(program, command);
  if (status == EVP_OK) {
    evp_info(dashboard->ctx, "a visitor sends '%s' to %s", word, program->source);
    http_answer(request, &(struct http_answer){.status = 202, .type = "application/json", .data = "{}\n", .size = 3});
  } else if (status == EVP_END) {
    http_answer_error(request, 409, "the program has ended");
  } else {
    http_answer_error(request, 409,
      "the program can not be controlled: its source is not `controllable`, or commands wait for it already");
  }
}

const struct http_route dashboard_routes[] = {{"GET", "/", on_asset, HTTP_LINKED, 0},
  {"GET", "/assets/*", on_asset, 0, 0}, {"GET", "/api/programs", on_programs, 0, 0},
  {"GET", "/api/history", on_history, 0, 0}, {"GET", "/api/bands", on_bands, 0, 0}, {"GET", "/api/live", on_live, 0, 0},
  {"POST", "/api/control", on_control, 0, 0}, HTTP_HEALTH_ROUTES};
const size_t dashboard_n_routes = sizeof dashboard_routes / sizeof *dashboard_routes;
