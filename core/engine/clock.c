#include "engine/clock.h"
#include "engine/time.h"

#define MOVED ((int64_t)NS_PER_S) /* an epoch is moved when it is off by more */
#define WINDOW ((int64_t)(30 * NS_PER_S)) /* a lag must have been larger for so long before it is believed */

void clock_init(struct clock *clock, bool live, int64_t modified)
{
  *clock = (struct clock){.live = live,
    .modified = modified,
    .least_lag = INT64_MAX,
    .base_lag = INT64_MAX,
    .window_least = INT64_MAX,
    .newest_stamp = INT64_MIN,
    .floor = INT64_MIN,
    .last_raised = UINT64_MAX};
}

static void set_epoch(struct clock *clock, int64_t epoch)
{
  if (clock->known && epoch < clock->epoch && clock->newest_stamp > clock->floor) clock->floor = clock->newest_stamp;
  clock->epoch = epoch;
  clock->known = true;
}

void clock_set_exact(struct clock *clock, int64_t epoch)
{
  set_epoch(clock, epoch);
  clock->exact = true;
  clock->base_lag = clock->window_least = INT64_MAX;
  clock->window_begin = 0;
}

static bool move(struct clock *clock, int64_t by)
{
  set_epoch(clock, clock->epoch + by);
  if (by > 0) clock->base_lag += by;
  clock->anchored++;
  return true;
}

/* The lag is the delay of delivery plus what the clocks differ by. Delay comes and goes, a difference stays: so the
   least lag of a whole window counts. Where it rose, the program's clock fell behind (it was suspended). Where it fell,
   what came first had merely waited for us, unless now events seem to come from the future. */
static bool compare(struct clock *clock, int64_t arrival, int64_t lag)
{
  if (clock->base_lag == INT64_MAX) clock->base_lag = lag;
  if (lag < clock->window_least) clock->window_least = lag;
  if (!clock->window_begin) clock->window_begin = arrival;
  if (arrival - clock->window_begin < WINDOW) return false;
  int64_t least = clock->window_least, change = least - clock->base_lag;
  clock->window_begin = arrival;
  clock->window_least = INT64_MAX;
  if (change > MOVED) return move(clock, change);
  if (change < 0) clock->base_lag = least;
  if (change < -MOVED && least < clock->epoch - MOVED) return move(clock, least - clock->epoch);
  return false;
}

bool clock_block(struct clock *clock, int64_t arrival, uint64_t end)
{
  if (end > INT64_MAX / 2) return false; /* no program ran for 146 years: a damaged block */
  if (end > clock->newest_block_end) clock->newest_block_end = end;
  if (!clock->live) return false;
  int64_t lag = arrival - (int64_t)end;
  if (lag < clock->least_lag) clock->least_lag = lag;
  return clock->known && compare(clock, arrival, lag);
}

void clock_claim(struct clock *clock, uint64_t end)
{
  clock->claimed_block_end = end;
}

static int64_t epoch_of_newest(const struct clock *clock, int64_t now, uint64_t newest)
{
  if (newest > INT64_MAX / 2) newest = 0;
  int64_t at = !clock->live && clock->modified ? clock->modified : now;
  return at - (int64_t)newest;
}

int64_t clock_guess(const struct clock *clock, int64_t now, uint64_t newest_time)
{
  if (clock->known) return clock->epoch;
  if (clock->live && clock->least_lag != INT64_MAX) return clock->least_lag;
  uint64_t newest = clock->newest_block_end ? clock->newest_block_end : newest_time;
  return epoch_of_newest(clock, now, clock->claimed_block_end > newest ? clock->claimed_block_end : newest);
}

void clock_estimate(struct clock *clock, int64_t now, uint64_t newest_time)
{
  if (clock->known) return;
  if (clock->live && clock->least_lag != INT64_MAX)
    set_epoch(clock, clock->least_lag);
  else
    set_epoch(clock, epoch_of_newest(clock, now, clock->newest_block_end ? clock->newest_block_end : newest_time));
}

int64_t clock_raise(struct clock *clock, uint64_t event_time)
{
  if (event_time != clock->last_raised && clock->floor < INT64_MAX) clock->floor++;
  clock->last_raised = event_time;
  return clock->floor;
}
