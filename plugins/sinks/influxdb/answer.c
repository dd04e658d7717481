#include "answer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- the text of an answer */

static const char *json_string_after(const char *body, const char *key)
{
  const char *at = strstr(body, key);
  if (!at) return NULL;
  at += strlen(key);
  at += strspn(at, " \t");
  if (*at++ != ':') return NULL;
  at += strspn(at, " \t");
  return *at == '"' ? at + 1 : NULL;
}

/* Up to the closing quote, or to the end; blanks for what is not printable. */
static void copy_line(const char *from, bool json, char *text, size_t size)
{
  size_t n = 0;
  for (; *from && n + 1 < size; from++) {
    char character = *from;
    if (json && character == '"') break;
    if (json && character == '\\' && from[1]) {
      character = *++from;
      if (character == 'n' || character == 't' || character == 'r') character = ' ';
    }
    text[n++] = (unsigned char)character < 0x20 || character == 0x7f ? ' ' : character;
  }
  while (n && text[n - 1] == ' ') n--;
  text[n] = 0;
}

void answer_text(const struct answer *answer, char *text, size_t size)
{
  const char *message = json_string_after(answer->body, "\"error\"");
  if (!message) message = json_string_after(answer->body, "\"message\"");
  copy_line(message ? message : answer->body, message != NULL, text, size);
}

/* ------------------------------------------------------------------------------------------------------------- verdicts */

static bool says(const struct answer *answer, const char *words)
{
  return strstr(answer->body, words) != NULL;
}

static uint64_t count(const char *text, const char *words)
{
  uint64_t n = 0;
  while ((text = strstr(text, words))) {
    n++;
    text += strlen(words);
  }
  return n;
}

/* "partial write: REASON dropped=N", where N counts type conflicts and the like, but not the lines that could not be
   parsed: those are named one by one. The last dropped= is the server's own; others may be in a line that it quotes. */
static uint64_t count_rejected(const char *body)
{
  uint64_t dropped = 0;
  for (const char *at = body; (at = strstr(at, "dropped=")); at++)
    dropped = strtoull(at + strlen("dropped="), NULL, 10);
  uint64_t rejected = dropped + count(body, "unable to parse '");
  return rejected ? rejected : 1;
}

static void explain(struct verdict *verdict, const struct answer *answer, const char *advice)
{
  char said[ANSWER_TEXT_MAX / 2];
  answer_text(answer, said, sizeof said);
  snprintf(verdict->text, sizeof verdict->text, "HTTP %ld%s%s%s%s", answer->status, *said ? ": " : "", said,
    *advice ? "; " : "", advice);
}

static void judge_refusal(const struct answer *answer, struct verdict *verdict)
{
  explain(verdict, answer, "");
  if (!says(answer, "partial write")) {
    verdict->kind = VERDICT_MALFORMED;
    return;
  }
  verdict->kind = VERDICT_STORED;
  verdict->rejected = count_rejected(answer->body);
}

static void judge_not_found(const struct answer *answer, int api, struct verdict *verdict)
{
  verdict->setup = true;
  if (api == 1 && says(answer, "database not found")) {
    verdict->kind = VERDICT_NO_DATABASE;
    explain(verdict, answer, "create it, or set create_database: true");
  } else if (says(answer, "page not found")) {
    explain(verdict, answer, api == 1 ? "is url that of an InfluxDB?" : "an InfluxDB 1.x wants api: 1; is url right?");
  } else {
    explain(verdict, answer, api == 1 ? "check url and database" : "check org and bucket");
  }
}

/* The server's own trouble, which passes. */
static bool is_passing(long status)
{
  return status == 408 || status == 429 || status >= 500;
}

static void judge_success(const struct answer *answer, struct verdict *verdict)
{
  if (!answer->body_total) {
    verdict->kind = VERDICT_STORED;
    return;
  }
  verdict->setup = true; /* an InfluxDB says nothing when all is well; this may be a web page */
  snprintf(verdict->text, sizeof verdict->text, "HTTP %ld with a body is not the answer of an InfluxDB; check url",
    answer->status);
}

static void judge_status(const struct answer *answer, int api, struct verdict *verdict)
{
  switch (answer->status) {
  case 400:
  case 422:
    judge_refusal(answer, verdict);
    return;
  case 401:
  case 403:
    verdict->setup = true;
    explain(verdict, answer, api == 1 ? "check username and password (or token)" : "check token, org and bucket");
    return;
  case 404:
    judge_not_found(answer, api, verdict);
    return;
  case 413:
    verdict->kind = VERDICT_TOO_LARGE;
    explain(verdict, answer, "");
    return;
  default:
    break;
  }
  verdict->setup = !is_passing(answer->status);
  if (answer->status >= 300 && answer->status < 400)
    explain(verdict, answer, "a redirect is not followed; write the final address into url");
  else
    explain(verdict, answer, "");
}

void answer_judge(const struct answer *answer, int api, struct verdict *verdict)
{
  *verdict = (struct verdict){.kind = VERDICT_LATER};
  if (!answer->status)
    snprintf(verdict->text, sizeof verdict->text, "%s", answer->failure);
  else if (answer->status >= 200 && answer->status < 300)
    judge_success(answer, verdict);
  else
    judge_status(answer, api, verdict);
}
