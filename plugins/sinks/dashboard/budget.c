#include "budget.h"

bool budget_take(struct budget *budget, size_t bytes)
{
  if (bytes > budget->limit) return false;
  while (budget->used > budget->limit - bytes) {
    if (budget->making_room || !budget->make_room) return false;
    budget->making_room = true;
    bool made = budget->make_room(budget->owner);
    budget->making_room = false;
    if (!made) return false;
  }
  budget->used += bytes;
  return true;
}

void budget_charge(struct budget *budget, size_t bytes)
{
  if (!budget_take(budget, bytes)) budget->used += bytes;
}
