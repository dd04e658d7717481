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
  if (!groups->held) groups->held = now;
  if (groups->n_open && now - groups->opened < GROUP_PATIENCE && now - groups->held < GROUP_PATIENCE) return true;
  groups->held = 0;
  return false;
}
