/* fuzz_eventlog: a libFuzzer target. Any bytes: no crash, no hang, every byte accounted for, the same in all cuts. See README.md. */
#include "../eventlog/feeder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct outcome whole, pieces;
  struct feeding feeding = {.data = data, .size = size, .prologue_size = 100000};
  feed(&feeding, &whole);
  if (whole.decoded_bytes + whole.state.skipped_bytes + whole.state.cut_bytes != size) abort();
  feeding.cut = CUT_RANDOM;
  feeding.parameter = size;
  feed(&feeding, &pieces);
  if (!outcome_equal(&whole, &pieces)) abort();
  feeding.no_walk = feeding.no_events = true;
  feed(&feeding, &pieces);
  return 0;
}
