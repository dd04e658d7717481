#include "process.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

bool process_cpu_seconds(double *seconds)
{
  struct timespec used;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)) return false;
  *seconds = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
  return true;
}

bool process_resident_bytes(int64_t *bytes)
{
  FILE *file = fopen("/proc/self/statm", "re");
  long long pages;
  if (!file) return false;
  bool read = fscanf(file, "%*s %lld", &pages) == 1;
  fclose(file);
  if (read) *bytes = pages * sysconf(_SC_PAGESIZE);
  return read;
}

/* When the machine was started, Unix seconds. */
static bool boot_time(double *seconds)
{
  char line[256];
  FILE *file = fopen("/proc/stat", "re");
  if (!file) return false;
  bool found = false;
  while (!found && fgets(line, sizeof line, file)) found = sscanf(line, "btime %lf", seconds) == 1;
  fclose(file);
  return found;
}

/* The 22nd word of /proc/self/stat, in clock ticks since the machine's start; the second is a name in parentheses that
   may hold anything. */
bool process_start_time(double *seconds)
{
  char text[1024];
  double boot;
  unsigned long long ticks;
  FILE *file = fopen("/proc/self/stat", "re");
  if (!file) return false;
  size_t n = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[n] = '\0';
  const char *at = strrchr(text, ')');
  for (int word = 2; at && word < 22; word++) at = strchr(at + 1, ' ');
  if (!at || sscanf(at, " %llu", &ticks) != 1 || !boot_time(&boot)) return false;
  *seconds = boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
  return true;
}

bool process_open_fds(int64_t *n)
{
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return false;
  *n = -1; /* the folder's own */
  for (const struct dirent *entry; (entry = readdir(folder));) *n += entry->d_name[0] != '.';
  closedir(folder);
  return true;
}

bool process_max_fds(int64_t *n)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY) return false;
  *n = (int64_t)limit.rlim_cur;
  return true;
}
