#include "eventlog/reader.h"

/* How far the stream's clock has come. One damaged byte in one time can put it years ahead, and everything that goes by the
 * stream's clock with it: so a time that is much later than all before is believed only when a second one is about as late. In
 * a sound stream there soon is one, by how blocks are written (a buffer's begin is its last flush, its last event is near its
 * end where the buffer was full, and all buffers are flushed together otherwise). What a block's end can not be, if a block
 * that was written after it ended much earlier, is forgotten. */

static const uint64_t much_later = 60000000000; /* ns */

/* `in_order`: times of this kind do not go back in a stream. */
static void claim(struct eventlog *log, uint64_t time, bool in_order)
{
  struct eventlog_state *state = &log->state;
  if (log->claimed && time + much_later >= log->claimed) {
    if (log->claimed > state->reached) state->reached = log->claimed;
    log->claimed = 0;
  } else if (in_order) {
    log->claimed = 0;
  }
  if (time > state->reached + much_later)
    log->claimed = time;
  else if (time > state->reached)
    state->reached = time;
  if (state->last_block_end <= state->reached && state->last_block_end > state->newest_block_end)
    state->newest_block_end = state->last_block_end;
}

void reached_block(struct eventlog *log, const struct marker *marker)
{
  if (marker->begin > marker->end || marker->end > LATEST_TIME) return;
  claim(log, marker->begin, false);
  log->state.last_block_end = marker->end;
  claim(log, marker->end, true);
}

void reached_record(struct eventlog *log, uint64_t time)
{
  if (time <= LATEST_TIME) claim(log, time, false);
}
