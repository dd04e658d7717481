#include "check_main.h"
#include "engine/path_watch.h"
#include "engine/time.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], before[4096];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
  (void)status, (void)type, (void)ftw;
  return remove(path);
}

static void set_up(void)
{
  strcpy(folder, "/tmp/evpipe-watch-XXXXXX");
  ck_assert_ptr_nonnull(getcwd(before, sizeof before));
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(chdir(folder), 0);
}

static void tear_down(void)
{
  ck_assert_int_eq(chdir(before), 0);
  nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *path)
{
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
  close(fd);
}

/* What is found, as one text: "a b! c"; with ! what was made anew. */
static const char *scan(struct path_watch *watch)
{
  static char text[4096];
  struct found_paths found;
  const char *problem;
  ck_assert(path_watch_scan(watch, &found, &problem));
  ck_assert_msg(!problem, "%s", problem);
  text[0] = '\0';
  for (size_t i = 0; i < found.n; i++) {
    if (i) strcat(text, " ");
    strcat(text, found.items[i].path);
    if (found.items[i].made) strcat(text, "!");
  }
  found_paths_free(&found);
  return text;
}

/* Does the watch want to look before the ten seconds are over? */
static bool is_news(struct path_watch *watch)
{
  struct pollfd polled = {.fd = path_watch_fd(watch), .events = POLLIN};
  poll(&polled, 1, 200);
  path_watch_read(watch);
  return path_watch_deadline(watch) < time_monotonic() + 5 * NS_PER_S;
}

START_TEST(files_come_and_go)
{
  struct path_watch *watch = path_watch_new("*.sock");
  make("a.sock");
  ck_assert_uint_eq(path_watch_deadline(watch), 0);
  ck_assert_str_eq(scan(watch), "a.sock");
  ck_assert(!is_news(watch));
  make("b.sock");
  make(".hidden.sock");
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "a.sock b.sock!");
  make("other");
  ck_assert(!is_news(watch));
  unlink("a.sock");
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "b.sock");
  unlink("b.sock");
  make("b.sock");
  rename("other", "c.sock");
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "b.sock! c.sock!");
  ck_assert_str_eq(scan(watch), "b.sock c.sock");
  path_watch_free(watch);
}
END_TEST

START_TEST(directories_come_and_go)
{
  char glob[128];
  snprintf(glob, sizeof glob, "%s/deep/er/*/run/x[0-9]", folder);
  struct path_watch *watch = path_watch_new(glob);
  ck_assert_str_eq(scan(watch), "");
  const char *const steps[] = {"deep", "deep/er", "deep/er/app", "deep/er/app/run"};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    ck_assert_int_eq(mkdir(steps[i], 0700), 0);
    ck_assert_msg(is_news(watch), "%s", steps[i]);
    ck_assert_str_eq(scan(watch), "");
  }
  make("deep/er/app/run/x1");
  make("deep/er/app/run/y1");
  ck_assert(is_news(watch));
  ck_assert(strstr(scan(watch), "/deep/er/app/run/x1!"));
  ck_assert_int_eq(rename("deep/er", "away"), 0);
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "");
  ck_assert_int_eq(rename("away", "deep/er"), 0);
  ck_assert(is_news(watch));
  ck_assert(strstr(scan(watch), "/deep/er/app/run/x1"));
  path_watch_free(watch);
}
END_TEST

START_TEST(a_name_without_wildcards)
{
  struct path_watch *watch = path_watch_new("one/two");
  ck_assert_str_eq(scan(watch), "");
  ck_assert_int_eq(mkdir("one", 0700), 0);
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "");
  make("one/two");
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "one/two!");
  path_watch_free(watch);
}
END_TEST

static int most_events(void)
{
  int most = 0;
  FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  ck_assert(file && fscanf(file, "%d", &most) == 1);
  fclose(file);
  return most;
}

/* Events that were lost cost nothing but that all may be new. */
START_TEST(a_queue_that_overflows)
{
  if (most_events() > 20000) return; /* it is mostly 16384 */
  struct path_watch *watch = path_watch_new("*");
  make("a");
  ck_assert_str_eq(scan(watch), "a");
  for (int i = most_events() / 2; i >= 0; i--) {
    make("b");
    unlink("b");
  }
  ck_assert(is_news(watch));
  ck_assert_str_eq(scan(watch), "a!");
  path_watch_free(watch);
}
END_TEST

START_TEST(a_directory_that_can_not_be_read)
{
  if (!geteuid()) return; /* root reads everything */
  struct path_watch *watch = path_watch_new("closed/*");
  struct found_paths found;
  const char *problem;
  ck_assert_int_eq(mkdir("closed", 0), 0);
  ck_assert(path_watch_scan(watch, &found, &problem));
  ck_assert(found.incomplete);
  ck_assert_ptr_nonnull(problem);
  ck_assert_uint_lt(path_watch_deadline(watch), time_monotonic() + 2 * NS_PER_S);
  path_watch_free(watch);
}
END_TEST

/* The pause after a scan is long enough: whatever happens, little of a core is used. */
START_TEST(scans_keep_their_distance)
{
  const uint64_t pause = 20 * NS_PER_MS;
  struct path_watch *watch = path_watch_new("*");
  uint64_t begin = time_monotonic();
  ck_assert_str_eq(scan(watch), "");
  make("a");
  path_watch_read(watch);
  ck_assert_uint_ge(path_watch_deadline(watch), begin + pause); /* which may be over by now: a disk may be slow */
  path_watch_free(watch);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("path_watch");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, files_come_and_go);
  tcase_add_test(tests, directories_come_and_go);
  tcase_add_test(tests, a_name_without_wildcards);
  tcase_add_test(tests, a_queue_that_overflows);
  tcase_add_test(tests, a_directory_that_can_not_be_read);
  tcase_add_test(tests, scans_keep_their_distance);
  return check_main("path_watch", tests);
}
