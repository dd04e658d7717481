#include "engine/silence.h"
#include "engine/time.h"

struct question {
  enum evp_silence reason;
  uint64_t since; /* 0: it does not arise */
};

static unsigned bit(enum evp_silence reason)
{
  return 1u << reason;
}

/* The one thing that is missing next, and since when. */
static struct question question(const struct silence *silence, const struct silence_facts *facts)
{
  if (!facts->header) return (struct question){EVP_SILENT_NO_HEADER, silence->connected};
  if (!facts->events) return (struct question){EVP_SILENT_NO_EVENTS, silence->header};
  if (facts->census_wanted && !facts->census) return (struct question){EVP_SILENT_NO_CENSUS, silence->first_event};
  return (struct question){EVP_SILENCES, 0};
}

static void explain(const struct evp_ctx *source, enum evp_silence reason, uint64_t seconds)
{
  unsigned long long s = seconds;
  switch (reason) {
  case EVP_SILENT_NO_HEADER:
    instance_log(source, LOG_LEVEL_WARNING,
      "connected for %llu s, but no eventlog header came: another reader may be attached (the socket serves one at a "
      "time), or this is not an eventlog socket",
      s);
    break;
  case EVP_SILENT_NO_EVENTS:
    instance_log(source, LOG_LEVEL_WARNING,
      "the header came %llu s ago, but no events: start the program with +RTS -l --eventlog-flush-interval=1 (GHC "
      "before 9.2 has no such flag and sends only when 2 MiB are full or at exit); or the program is idle",
      s);
    break;
  case EVP_SILENT_NO_CENSUS:
    instance_log(source, LOG_LEVEL_WARNING,
      "events come for %llu s, but no heap census: start the program with +RTS -hT, without "
      "--no-automatic-heap-samples, or start heap profiling; an idle program makes no census",
      s);
    break;
  case EVP_SILENCES:
    break;
  }
}

/* `counted` is 1 + the reason, or 0. */
static void count(struct silence *silence, const struct evp_ctx *source, unsigned counted)
{
  _Atomic uint64_t *silent = source->node->statistics.silent;
  if (silence->counted == counted) return;
  if (silence->counted) atomic_fetch_sub_explicit(&silent[silence->counted - 1], 1, memory_order_relaxed);
  if (counted) statistics_add(&silent[counted - 1], 1);
  silence->counted = counted;
}

void silence_begin(struct silence *silence, const struct evp_ctx *source, uint64_t connected)
{
  count(silence, source, 0);
  *silence = (struct silence){.connected = connected};
}

void silence_end(struct silence *silence, const struct evp_ctx *source)
{
  count(silence, source, 0);
}

void silence_look(struct silence *silence, const struct evp_ctx *source, const struct silence_facts *facts,
  uint64_t now, uint64_t after)
{
  if (facts->header && !silence->header) silence->header = now;
  if (facts->events && !silence->first_event) silence->first_event = now;
  struct question asked = question(silence, facts);
  if (silence->counted != 1u + asked.reason) count(silence, source, 0); /* what was missing has come */
  if (!asked.since || silence->said & bit(asked.reason) || now < time_after(asked.since, after)) return;
  silence->said |= bit(asked.reason);
  count(silence, source, 1u + asked.reason);
  explain(source, asked.reason, (now - asked.since + NS_PER_S / 2) / NS_PER_S);
}

uint64_t silence_deadline(const struct silence *silence, const struct silence_facts *facts, uint64_t after)
{
  struct question asked = question(silence, facts);
  return !asked.since || silence->said & bit(asked.reason) ? UINT64_MAX : time_after(asked.since, after);
}
