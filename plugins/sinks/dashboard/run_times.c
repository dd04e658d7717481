#include "run_times.h"

#include "hash.h"
#include "pending.h"
#include "wall_clock.h"

#include <string.h>

/* A run's first time may be so much before the last of the run before, whose clock was estimated, say. */
#define CLOCK_SLACK UINT64_C(1000000000)

static bool is_recorded(const struct run *run)
{
  return run->sound == INT64_MIN;
}

void run_now(struct run *run, const struct evp_batch *batch, uint64_t reach)
{
  run->voice = hash_bytes(batch->origin, batch->origin ? strlen(batch->origin) : 0, batch->signal);
  run->reach = reach;
  run->sound = evp_stream_live(run->stream) ? wall_clock() + HISTORY_AHEAD : INT64_MIN;
}

/* ------------------------------------------------------------------------------------------------------- false times */

/* A census that is not complete yet leaves with those behind it; what comes then is newer than what is left. */
static void cut_draft(struct run *run, int64_t latest)
{
  struct census_draft *draft = &run->draft;
  for (unsigned i = 0; i < BREAKDOWNS_MAX; i++)
    if (draft->last[i] > latest) draft->any[i] = false;
  if (!draft->open || draft->time <= latest) return;
  for (uint32_t i = 0; i < draft->n; i++) band_release(&run->program->history.censuses.bands, draft->rows[i].band);
  run->wrong_time += draft->n;
  draft->n = 0;
  draft->open = false;
  memset(draft->vanished, 0, sizeof draft->vanished);
}

static void cut(struct run *run, int64_t latest)
{
  struct program *program = run->program;
  run->wrong_time += history_cut(&program->history, latest);
  for (struct run *each = program->open; each; each = each->next) cut_draft(each, latest);
  run->anew = true;
}

void run_note_time(struct run *run, int64_t time)
{
  struct history *history = &run->program->history;
  if (time == history->newest && history->leap == INT64_MIN) return; /* as all of a census but its first */
  uint64_t reach = is_recorded(run) || run->reach < HISTORY_AHEAD ? run->reach : HISTORY_AHEAD;
  if (!history_note(history, time, run->voice, reach, time <= run->sound)) return;
  cut(run, history->newest > INT64_MAX - HISTORY_AHEAD ? INT64_MAX : history->newest + HISTORY_AHEAD);
}

/* What is believed of a live stream, because it said nothing else, lies so far ahead of a time that is sound that nothing from
   then on would stay: the clock was set right. */
static void leave_the_future(struct run *run, int64_t time)
{
  struct history *history = &run->program->history;
  if (time > run->sound || history->newest <= run->sound) return;
  uint64_t ahead = (uint64_t)history->newest - (uint64_t)time;
  if (ahead <= HISTORY_AHEAD || (run->reach != EVP_NEVER && ahead <= run->reach)) return;
  cut(run, run->sound);
  history->newest = time;
}

/* -------------------------------------------------------------------------------------------------------------- begin */

/* The first of a further run makes a break. A recording that is played again has times of its own, and a clock can have been
   set back by so much that all that comes would be too old at once: history begins anew. The next recording may be of another
   day, and short: its first time is believed as that of the first is. */
static void begin(struct run *run, int64_t time)
{
  struct program *program = run->program;
  struct history *history = &program->history;
  bool alone = !run->next && program->open == run;
  if (history->newest == INT64_MIN) return;
  uint64_t slack = is_recorded(run) ? CLOCK_SLACK : run->reach;
  if (alone && time < history->newest && (uint64_t)history->newest - (uint64_t)time > slack) {
    program_forget_history(run->programs, program);
    run->anew = true;
    return;
  }
  int64_t place = time > history->newest ? time : history->newest + 1;
  if (history_break(history, place)) pending_break(program->pending, place);
  if (!alone || !is_recorded(run) || time <= history->newest) return;
  if ((uint64_t)time - (uint64_t)history->newest > run->reach) history->leap = INT64_MIN;
  history->newest = time;
}

void run_begin_times(struct run *run, int64_t time)
{
  if (!run->begun) begin(run, time);
  run->begun = true;
  leave_the_future(run, time);
}
