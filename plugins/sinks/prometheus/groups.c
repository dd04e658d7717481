#include "groups.h"

void groups_note(struct groups *groups, bool *open, bool more, uint64_t now)
{
  if (more && !*open) {
    groups->n_open++;
    groups->opened = now;
  } else if (!more && *open) {
    groups->n_open--;
  }
  *open = more;
}

bool groups_hold(struct groups *groups, uint64_t now)
{
  if (!groups->n_open || now - groups->opened >= GROUP_PATIENCE) {
    groups->held = 0;
    return false;
  }
  if (!groups->held || now - groups->held >= 2 * GROUP_PATIENCE) groups->held = now;
  return now - groups->held <
         GROUP_PATIENCE; /* what has waited comes through in several steps, for which there is as long */
}
