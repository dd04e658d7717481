#include "complaint.h"
#include "monotonic.h"
#include <stdio.h>
#include <string.h>

static const uint64_t INTERVAL = UINT64_C(60000000000);

bool complaint_is_due(struct complaint *complaint, const char *text, uint64_t *unsaid)
{
  uint64_t now = monotonic();
  bool same = !strncmp(complaint->text, text, sizeof complaint->text - 1);
  *unsaid = same ? complaint->unsaid : 0;
  if (same && now - complaint->said < INTERVAL) {
    complaint->unsaid++;
    return false;
  }
  snprintf(complaint->text, sizeof complaint->text, "%s", text);
  complaint->said = now;
  complaint->unsaid = 0;
  return true;
}

bool complaint_over(struct complaint *complaint)
{
  bool wrong = complaint->text[0] != 0;
  *complaint = (struct complaint){0};
  return wrong;
}
