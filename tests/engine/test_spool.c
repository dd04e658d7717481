#include "check_main.h"
#include "engine/spool.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder of its own for each test; `spool` is the file in it. */
static char folder[64], path[96], error[SPOOL_ERROR_MAX];
static uint64_t max_size;
static uint32_t format;
static const char *plugin;

static void set_up(void)
{
  /* What a commit waits for is not the matter here. */
  snprintf(folder, sizeof folder, "%s/evpipe-spool-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/spool", folder);
  max_size = 8 << 20;
  format = 1;
  plugin = "test";
  error[0] = '\0';
}

static void tear_down(void)
{
  static const char *const endings[] = {"", "-wal", "-journal", "-shm", ".old"};
  char name[128];
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    snprintf(name, sizeof name, "%s%s", path, endings[i]);
    unlink(name);
  }
  rmdir(folder);
}

static struct spool *open_spool(void)
{
  const struct spool_options options = {path, max_size, plugin, format};
  return spool_open(&options, error);
}

static struct spool *opened(void)
{
  struct spool *spool = open_spool();
  ck_assert_msg(spool != NULL, "%s", error);
  return spool;
}

static void refused(const char *why)
{
  ck_assert_ptr_null(open_spool());
  ck_assert_msg(strstr(error, why), "%s", error);
  ck_assert_msg(strstr(error, path), "%s", error);
}

/* Message `id` has so many bytes, of which each tells the id. */
static enum spool_status put(struct spool *spool, uint64_t id, size_t size)
{
  uint8_t *data = malloc(size + 1);
  ck_assert_ptr_nonnull(data);
  memset(data, (int)(id & 0xff), size);
  const struct evp_message message = {
    .data = data, .size = size, .id = id, .items = id * 10, .first_time = -(int64_t)id, .last_time = (int64_t)id};
  enum spool_status status = spool_put(spool, &message);
  free(data);
  return status;
}

static void check_first(struct spool *spool, uint64_t id, size_t size)
{
  struct evp_message message;
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_OK);
  ck_assert_uint_eq(message.id, id);
  ck_assert_uint_eq(message.size, size);
  ck_assert_uint_eq(message.items, id * 10);
  ck_assert_uint_eq(message.format, format);
  ck_assert_int_eq(message.first_time, -(int64_t)id);
  ck_assert_int_eq(message.last_time, (int64_t)id);
  size_t same = 0;
  while (same < size && message.data[same] == (id & 0xff)) same++;
  ck_assert_uint_eq(same, size);
}

static void check_content(struct spool *spool, uint64_t messages, uint64_t items, uint64_t bytes)
{
  struct spool_content content = spool_content(spool);
  ck_assert_uint_eq(content.messages, messages);
  ck_assert_uint_eq(content.items, items);
  ck_assert_uint_eq(content.bytes, bytes);
}

static off_t size_of(const char *ending)
{
  char name[128];
  struct stat status;
  snprintf(name, sizeof name, "%s%s", path, ending);
  return stat(name, &status) ? 0 : status.st_size;
}

/* Does it in a process that is then killed; the spool is as such a process leaves it. */
static void in_a_process_that_dies(void (*act)(struct spool *))
{
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (!child) {
    act(opened());
    kill(getpid(), SIGKILL);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void overwrite(const char *ending, off_t at, size_t size)
{
  char name[128], noise[256];
  snprintf(name, sizeof name, "%s%s", path, ending);
  int file = open(name, O_WRONLY);
  memset(noise, 0xa5, sizeof noise);
  for (size_t i = 0; i < size; i += sizeof noise)
    ck_assert_int_gt(pwrite(file, noise, size - i < sizeof noise ? size - i : sizeof noise, at + (off_t)i), 0);
  close(file);
}

/* -------------------------------------------------------------------------------------------------------- order */

START_TEST(in_order_and_empty_at_the_end)
{
  struct evp_message message;
  struct spool *spool = opened();
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_EMPTY);
  for (uint64_t id = 7; id < 27; id++) ck_assert_int_eq(put(spool, id, id * 1000), SPOOL_OK);
  check_content(spool, 20, 3300, 330000);
  for (uint64_t id = 7; id < 27; id++) {
    check_first(spool, id, id * 1000);
    check_first(spool, id, id * 1000); /* until it is removed */
    ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  }
  check_content(spool, 0, 0, 0);
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_EMPTY);
  ck_assert_uint_eq(spool_last_id(spool), 26);
  spool_close(spool);
}
END_TEST

START_TEST(a_message_without_bytes)
{
  struct spool *spool = opened();
  ck_assert_int_eq(put(spool, 1, 0), SPOOL_OK);
  spool_close(spool);
  spool = opened();
  check_first(spool, 1, 0);
  spool_close(spool);
}
END_TEST

START_TEST(only_its_owner_may_read_it)
{
  struct stat status;
  umask(0);
  struct spool *spool = opened();
  put(spool, 1, 100);
  ck_assert(!stat(path, &status));
  ck_assert_uint_eq(status.st_mode & 07777, 0600);
  strcat(path, "-wal");
  ck_assert(!stat(path, &status));
  ck_assert_uint_eq(status.st_mode & 07777, 0600);
  path[strlen(path) - 4] = '\0';
  spool_close(spool);
}
END_TEST

/* ----------------------------------------------------------------------------------------------------- recovery */

static void put_three(struct spool *spool)
{
  for (uint64_t id = 1; id <= 3; id++) ck_assert_int_eq(put(spool, id, 5000), SPOOL_OK);
}

static void put_three_remove_one_advance(struct spool *spool)
{
  put_three(spool);
  check_first(spool, 1, 5000);
  ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  check_first(spool, 2, 5000);
  ck_assert_int_eq(spool_advance(spool, 1000, 15), SPOOL_OK);
  ck_assert_int_eq(spool_advance(spool, 1000, 12), SPOOL_OK);
}

START_TEST(what_was_put_survives_a_kill)
{
  in_a_process_that_dies(put_three);
  struct spool *spool = opened();
  check_content(spool, 3, 60, 15000);
  ck_assert_uint_eq(spool_last_id(spool), 3);
  for (uint64_t id = 1; id <= 3; id++) {
    check_first(spool, id, 5000);
    spool_remove(spool);
  }
  spool_close(spool);
}
END_TEST

START_TEST(what_was_removed_and_advanced_survives_a_kill)
{
  struct evp_message message;
  in_a_process_that_dies(put_three_remove_one_advance);
  struct spool *spool = opened();
  check_content(spool, 2, 42, 8000);
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_OK);
  ck_assert_uint_eq(message.id, 2);
  ck_assert_uint_eq(message.size, 3000);
  ck_assert_uint_eq(message.items, 12);
  spool_remove(spool);
  check_first(spool, 3, 5000);
  check_content(spool, 1, 30, 5000);
  spool_close(spool);
}
END_TEST

/* The bytes of what is put in the place of message 2: the n-th is n, and there are ten times as many. */
static enum spool_status replace(struct spool *spool)
{
  struct evp_buf bytes = {0};
  ck_assert(evp_buf_grow(&bytes, 50000));
  for (size_t i = 0; i < 50000; i++) bytes.data[i] = (uint8_t)i;
  bytes.size = 50000;
  enum spool_status status = spool_replace(spool, &bytes);
  ck_assert_ptr_null(bytes.data);
  return status;
}

/* So many bytes are left of what message 2 was replaced by. */
static void check_replaced(struct spool *spool, size_t left, uint64_t items)
{
  struct evp_message message;
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_OK);
  ck_assert_uint_eq(message.id, 2);
  ck_assert_uint_eq(message.size, left);
  ck_assert_uint_eq(message.items, items);
  ck_assert_int_eq(message.first_time, -2);
  for (size_t i = 0; i < left; i++)
    if (message.data[i] != (uint8_t)(50000 - left + i)) ck_abort_msg("byte %zu", i);
}

static void put_three_remove_one_replace(struct spool *spool)
{
  put_three(spool);
  check_first(spool, 1, 5000);
  ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  check_first(spool, 2, 5000);
  ck_assert_int_eq(spool_advance(spool, 100, 19), SPOOL_OK); /* counts bytes of what was put */
  ck_assert_int_eq(replace(spool), SPOOL_OK);
  check_replaced(spool, 50000, 19);
}

static void replace_and_advance(struct spool *spool)
{
  put_three_remove_one_replace(spool);
  ck_assert_int_eq(spool_advance(spool, 1000, 12), SPOOL_OK);
}

/* Killed before and after a part of it was delivered. */
START_TEST(what_was_replaced_survives_a_kill)
{
  in_a_process_that_dies(_i ? replace_and_advance : put_three_remove_one_replace);
  struct spool *spool = opened();
  size_t left = _i ? 49000 : 50000;
  check_content(spool, 2, _i ? 42 : 49, left + 5000);
  check_replaced(spool, left, _i ? 12 : 19);
  spool_remove(spool);
  check_first(spool, 3, 5000);
  check_content(spool, 1, 30, 5000);
  spool_close(spool);
}
END_TEST

START_TEST(ids_are_remembered_when_all_is_gone)
{
  struct spool *spool = opened();
  put_three(spool);
  struct evp_message message;
  while (spool_first(spool, &message) == SPOOL_OK) spool_remove(spool);
  spool_close(spool);
  spool = opened();
  check_content(spool, 0, 0, 0);
  ck_assert_uint_eq(spool_last_id(spool), 3);
  spool_close(spool);
}
END_TEST

/* The log is cut at its last whole commit: what a machine leaves that went down while it was written. */
START_TEST(a_torn_log_loses_only_its_end)
{
  in_a_process_that_dies(put_three);
  ck_assert_int_gt(size_of("-wal"), 6000);
  strcat(path, "-wal");
  ck_assert(!truncate(path, size_of("") - 3000));
  path[strlen(path) - 4] = '\0';
  struct spool *spool = opened();
  check_content(spool, 2, 30, 10000);
  check_first(spool, 1, 5000);
  spool_close(spool);
}
END_TEST

/* -------------------------------------------------------------------------------------------------------- bounds */

START_TEST(is_bounded_on_disk)
{
  max_size = 4 << 20;
  struct spool *spool = opened();
  uint64_t n = 0;
  while (put(spool, n + 1, 50000) == SPOOL_OK) {
    n++;
    ck_assert_int_le(size_of("") + size_of("-wal"), (off_t)max_size);
    ck_assert_uint_lt(n, 1000);
  }
  ck_assert_uint_ge(n * 50000, max_size / 2);
  ck_assert_int_eq(put(spool, n + 1, 50000), SPOOL_FULL);
  for (uint64_t id = 1; id <= n; id++) { /* there is room again, for ever */
    check_first(spool, id, 50000);
    spool_remove(spool);
    ck_assert_int_eq(put(spool, n + id, 50000), SPOOL_OK);
    ck_assert_int_le(size_of("") + size_of("-wal"), (off_t)max_size);
  }
  spool_close(spool);
  ck_assert_int_le(size_of(""), (off_t)max_size);
}
END_TEST

START_TEST(one_message_is_always_taken)
{
  max_size = 1 << 20;
  struct spool *spool = opened();
  ck_assert_int_eq(put(spool, 1, 3 << 20), SPOOL_OK);
  ck_assert_int_eq(put(spool, 2, 10), SPOOL_FULL);
  check_first(spool, 1, 3 << 20);
  ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  ck_assert_int_eq(put(spool, 2, 10), SPOOL_OK);
  spool_close(spool);
}
END_TEST

/* In a full one it goes on in memory, and the file has it as it was. */
START_TEST(what_is_replaced_is_bounded)
{
  max_size = 1 << 20;
  struct spool *spool = opened();
  ck_assert_int_eq(put(spool, 2, 100), SPOOL_OK);
  uint64_t n = 3;
  while (put(spool, n, 30000) == SPOOL_OK) n++;
  check_first(spool, 2, 100);
  ck_assert_int_eq(replace(spool), SPOOL_FULL);
  ck_assert_int_eq(spool_advance(spool, 30000, 5), SPOOL_OK);
  check_replaced(spool, 20000, 5);
  ck_assert_int_le(size_of("") + size_of("-wal"), (off_t)max_size);
  spool_close(spool);
  spool = opened();
  check_first(spool, 2, 100);
  ck_assert_int_eq(replace(spool), SPOOL_FULL);
  check_replaced(spool, 50000, 20);
  ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  check_first(spool, 3, 30000);
  ck_assert_int_eq(spool_advance(spool, 10000, 7), SPOOL_OK); /* of the next one progress is kept again */
  spool_close(spool);
  spool = opened();
  struct evp_message message;
  ck_assert_int_eq(spool_first(spool, &message), SPOOL_OK);
  ck_assert_uint_eq(message.size, 20000);
  spool_close(spool);
}
END_TEST

START_TEST(shrinks_when_it_is_empty)
{
  max_size = 64 << 20;
  struct spool *spool = opened();
  for (uint64_t id = 1; id <= 30; id++) ck_assert_int_eq(put(spool, id, 1 << 20), SPOOL_OK);
  ck_assert_int_gt(size_of("") + size_of("-wal"), 30 << 20);
  struct evp_message message;
  while (spool_first(spool, &message) == SPOOL_OK) ck_assert_int_eq(spool_remove(spool), SPOOL_OK);
  ck_assert_int_lt(size_of("") + size_of("-wal"), 1 << 20);
  ck_assert_int_eq(put(spool, 31, 1000), SPOOL_OK);
  spool_close(spool);
}
END_TEST

/* ------------------------------------------------------------------------------------------------ what goes wrong */

START_TEST(is_owned_by_one_process)
{
  int ready[2], over[2];
  char byte = 0;
  ck_assert(!pipe(ready) && !pipe(over));
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (!child) {
    struct spool *spool = opened();
    put_three(spool);
    bool told = write(ready[1], &byte, 1) == 1 && read(over[0], &byte, 1) == 1;
    check_first(spool, 1, 5000);
    spool_close(spool);
    _exit(told ? 0 : 1);
  }
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  refused("is in use");
  ck_assert_int_eq(write(over[1], &byte, 1), 1);
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
  spool_close(opened());
}
END_TEST

START_TEST(is_owned_by_one_node)
{
  struct spool *spool = opened();
  put_three(spool);
  refused("is in use");
  check_first(spool, 1, 5000);
  spool_close(spool);
}
END_TEST

static void write_file(const char *text, size_t size)
{
  FILE *file = fopen(path, "w");
  ck_assert(file && fwrite(text, 1, size, file) == size);
  fclose(file);
}

START_TEST(a_foreign_file_is_left_as_it_is)
{
  char text[2000], after[2000];
  memset(text, 'x', sizeof text);
  write_file(text, sizeof text);
  refused("no spool of evpipe");
  FILE *file = fopen(path, "r");
  ck_assert_uint_eq(fread(after, 1, sizeof after, file), sizeof after);
  fclose(file);
  ck_assert_mem_eq(text, after, sizeof text);
}
END_TEST

START_TEST(a_foreign_database_is_left_as_it_is)
{
  char header[4096] = "SQLite format 3";
  write_file(header, sizeof header);
  refused("no spool of evpipe");
}
END_TEST

START_TEST(a_folder_and_a_missing_folder)
{
  snprintf(path, sizeof path, "%s", folder);
  refused("is a folder");
  snprintf(path, sizeof path, "%s/none/spool", folder);
  refused("No such file or directory");
  snprintf(path, sizeof path, "%s/spool", folder);
}
END_TEST

/* Whatever is overwritten: it is said when the spool is opened, or of the message that it hits; nothing false comes. */
START_TEST(damage_is_told)
{
  struct spool *spool = opened();
  for (uint64_t id = 1; id <= 10; id++) put(spool, id, 20000);
  spool_close(spool);
  off_t at = size_of("") / 20 * _i + (_i ? 0 : 100), size = size_of("");
  overwrite("", at, 64);
  ck_assert_int_eq(size_of(""), size);
  spool = open_spool();
  if (!spool) {
    ck_assert_msg(strstr(error, "is damaged") && strstr(error, "move it"), "%s", error);
    return;
  }
  unsigned damaged = 0, good = 0;
  struct evp_message message;
  for (enum spool_status status; (status = spool_first(spool, &message)) != SPOOL_EMPTY; spool_remove(spool)) {
    ck_assert(status == SPOOL_OK || status == SPOOL_DAMAGED);
    if (status == SPOOL_OK) check_first(spool, message.id, 20000);
    *(status == SPOOL_OK ? &good : &damaged) += 1;
  }
  ck_assert_uint_le(damaged, 1); /* none: it hit what nobody uses */
  ck_assert_uint_ge(good, 9);
  spool_close(spool);
}
END_TEST

START_TEST(a_file_cut_short_is_told)
{
  struct spool *spool = opened();
  for (uint64_t id = 1; id <= 10; id++) put(spool, id, 20000);
  spool_close(spool);
  ck_assert(!truncate(path, size_of("") / 2));
  refused("is damaged");
}
END_TEST

START_TEST(another_plugins_messages_are_not_touched)
{
  struct spool *spool = opened();
  put_three(spool);
  spool_close(spool);
  plugin = "other";
  refused("3 messages of plugin test, format 1");
  plugin = "test";
  format = 2;
  refused("format 2");
  format = 1;
  spool = opened();
  struct evp_message message;
  while (spool_first(spool, &message) == SPOOL_OK) spool_remove(spool);
  spool_close(spool);
  plugin = "other"; /* an empty one is anybody's */
  spool_close(opened());
}
END_TEST

START_TEST(a_moved_file_is_noticed)
{
  char away[128];
  struct spool *spool = opened();
  put_three(spool);
  snprintf(away, sizeof away, "%s.old", path);
  ck_assert(!rename(path, away));
  ck_assert_int_eq(put(spool, 4, 100), SPOOL_TROUBLE);
  ck_assert_msg(strstr(spool_error(spool), "moved or removed"), "%s", spool_error(spool));
  ck_assert(!rename(away, path));
  ck_assert_int_eq(put(spool, 4, 100), SPOOL_OK);
  spool_close(spool);
}
END_TEST

/* It holds for Check's own file, too: nothing is asserted under a small limit. */
static void limit_files(rlim_t size)
{
  const struct rlimit limit = {size, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
}

/* A disk that takes no more: nothing that was put is lost, and all goes on when there is room again. */
START_TEST(a_full_disk_is_told_and_survived)
{
  struct spool *spool = opened();
  limit_files(200000);
  uint64_t n = 0;
  enum spool_status status;
  while ((status = put(spool, n + 1, 20000)) == SPOOL_OK) n++;
  ck_assert_int_eq(status, SPOOL_TROUBLE);
  ck_assert_uint_ge(n, 2);
  check_content(spool, n, n * (n + 1) * 5, n * 20000);
  check_first(spool, 1, 20000);
  spool_remove(spool); /* may not be possible on disk; for this process it is over */
  check_first(spool, 2, 20000);
  limit_files(RLIM_INFINITY);
  ck_assert_int_eq(put(spool, n + 1, 20000), SPOOL_OK);
  spool_close(spool);
  spool = opened();
  check_content(spool, n, n * (n + 1) * 5 - 10 + (n + 1) * 10, n * 20000);
  for (uint64_t id = 2; id <= n + 1; id++) {
    check_first(spool, id, 20000);
    spool_remove(spool);
  }
  spool_close(spool);
}
END_TEST

START_TEST(a_full_disk_keeps_what_was_to_be_replaced)
{
  struct spool *spool = opened();
  ck_assert_int_eq(put(spool, 2, 100), SPOOL_OK);
  check_first(spool, 2, 100);
  limit_files(40000);
  enum spool_status status = replace(spool);
  enum spool_status advanced = spool_advance(spool, 30000, 5);
  limit_files(RLIM_INFINITY);
  ck_assert_int_eq(status, SPOOL_TROUBLE);
  ck_assert_int_eq(advanced, SPOOL_OK);
  check_replaced(spool, 20000, 5);
  check_content(spool, 1, 5, 20000);
  ck_assert_int_eq(put(spool, 3, 100), SPOOL_OK); /* no transaction is left open */
  spool_close(spool);
  spool = opened();
  check_content(spool, 2, 50, 200);
  check_first(spool, 2, 100);
  spool_close(spool);
}
END_TEST

START_TEST(no_room_for_a_new_one)
{
  limit_files(100);
  struct spool *spool = open_spool();
  limit_files(RLIM_INFINITY);
  ck_assert_ptr_null(spool);
  ck_assert_msg(strstr(error, path), "%s", error);
  spool_close(opened());
}
END_TEST

static void add_what_goes_wrong(TCase *tests)
{
  tcase_add_test(tests, is_owned_by_one_process);
  tcase_add_test(tests, is_owned_by_one_node);
  tcase_add_test(tests, a_foreign_file_is_left_as_it_is);
  tcase_add_test(tests, a_foreign_database_is_left_as_it_is);
  tcase_add_test(tests, a_folder_and_a_missing_folder);
  tcase_add_loop_test(tests, damage_is_told, 0, 20);
  tcase_add_test(tests, a_file_cut_short_is_told);
  tcase_add_test(tests, another_plugins_messages_are_not_touched);
  tcase_add_test(tests, a_moved_file_is_noticed);
  tcase_add_test(tests, a_full_disk_is_told_and_survived);
  tcase_add_test(tests, a_full_disk_keeps_what_was_to_be_replaced);
  tcase_add_test(tests, no_room_for_a_new_one);
}

int main(void)
{
  TCase *tests = tcase_create("spool");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, in_order_and_empty_at_the_end);
  tcase_add_test(tests, a_message_without_bytes);
  tcase_add_test(tests, only_its_owner_may_read_it);
  tcase_add_test(tests, what_was_put_survives_a_kill);
  tcase_add_test(tests, what_was_removed_and_advanced_survives_a_kill);
  tcase_add_loop_test(tests, what_was_replaced_survives_a_kill, 0, 2);
  tcase_add_test(tests, ids_are_remembered_when_all_is_gone);
  tcase_add_test(tests, a_torn_log_loses_only_its_end);
  tcase_add_test(tests, is_bounded_on_disk);
  tcase_add_test(tests, one_message_is_always_taken);
  tcase_add_test(tests, what_is_replaced_is_bounded);
  tcase_add_test(tests, shrinks_when_it_is_empty);
  add_what_goes_wrong(tests);
  return check_main("spool", tests);
}
