/* The words for what the contract numbers, the only place that has them. */
#include <evpipe.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *name_at(const char *const *names, size_t n, size_t index)
{
  return index < n ? names[index] : "unknown";
}

const char *evp_kind_name(uint32_t kind)
{
  static const char *const names[] = {"plugin", "source", "filter", "sink"};
  return name_at(names, COUNT(names), kind);
}

const char *evp_signal_name(uint32_t signal)
{
  static const char *const names[EVP_SIGNALS] = {"bytes", "events", "metrics", "logs", "spans", "profiles"};
  size_t bit = 0;
  while (bit < EVP_SIGNALS && signal != 1u << bit) bit++;
  return name_at(names, COUNT(names), bit);
}

const char *evp_silence_name(uint32_t silence)
{
  static const char *const names[EVP_SILENCES] = {"no_header", "no_events", "no_census"};
  return name_at(names, COUNT(names), silence);
}

const char *evp_clock_name(uint32_t clock)
{
  static const char *const names[] = {"none", "estimated", "exact"};
  return name_at(names, COUNT(names), clock);
}
