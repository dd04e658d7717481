/* The source `file` at the contract: what connect and read say of files, FIFOs and pipes. */
#include "check_main.h"
#include "sink_host.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96];
static struct sink_host *host;
static const struct evp_plugin *const file = &evp_plugin_entry;

static void setup(void)
{
  strcpy(folder, "/tmp/evpipe-file-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/x", folder);
}

static void teardown(void)
{
  if (host) {
    file->stop(host->self);
    sink_host_free(host);
  }
  host = NULL;
  unlink(path);
  rmdir(folder);
}

static void put(const char *text, int flags)
{
  int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
  ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static enum evp_status begin(const char *more)
{
  char options[256];
  snprintf(options, sizeof options, "path=%s%s", path, more);
  host = sink_host_new(file, options);
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
  return file->start(host->self);
}

static enum evp_status read_some(char *text)
{
  uint8_t buffer[65536];
  size_t size = sizeof buffer;
  enum evp_status status = file->read(host->self, buffer, &size);
  if (status == EVP_OK) {
    memcpy(text, buffer, size);
    text[size] = 0;
  }
  return status;
}

static bool readable(int fd, int timeout_ms)
{
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

START_TEST(a_regular_file_is_recorded_and_ends)
{
  char text[100];
  int fd = 7;
  put("hello", 0);
  ck_assert_int_eq(begin(""), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert_int_eq(fd, -1);
  ck_assert(host->can_wait && host->recorded);
  struct stat stat_;
  ck_assert_int_eq(stat(path, &stat_), 0);
  ck_assert_int_eq(host->modified, stat_.st_mtim.tv_sec * INT64_C(1000000000) + stat_.st_mtim.tv_nsec);
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_str_eq(text, "hello");
  ck_assert_int_eq(read_some(text), EVP_END);
  file->disconnect(host->self);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_END);
}
END_TEST

START_TEST(what_can_not_be_read_is_said_at_the_start)
{
  ck_assert_int_eq(begin(""), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "there is no such file"));
  sink_host_free(host);
  ck_assert_int_eq(mkdir(path, 0700), 0);
  ck_assert_int_eq(begin(""), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "is a directory"));
  rmdir(path);
  sink_host_free(host);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  ck_assert_int_eq(begin(""), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "is a socket"));
  close(fd);
}
END_TEST

START_TEST(permission_has_its_own_words)
{
  put("x", 0);
  chmod(path, 0);
  if (geteuid() == 0) return; /* may read everything */
  ck_assert_int_eq(begin(""), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "permission denied"));
}
END_TEST

START_TEST(a_fifo_waits_for_its_writer_and_ends_with_it)
{
  char text[100];
  int fd;
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(begin(""), EVP_OK); /* does not wait in open() */
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_AGAIN);
  ck_assert(fd >= 0 && !readable(fd, 0));
  int writer = open(path, O_WRONLY | O_NONBLOCK);
  ck_assert_int_ge(writer, 0);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_AGAIN);
  ck_assert_int_eq(write(writer, "abc", 3), 3);
  ck_assert(readable(fd, 0));
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert(!host->can_wait && !host->recorded);
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_str_eq(text, "abc");
  ck_assert_int_eq(read_some(text), EVP_AGAIN);
  close(writer);
  ck_assert(readable(fd, 0));
  ck_assert_int_eq(read_some(text), EVP_END);
  file->disconnect(host->self);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_END);
}
END_TEST

START_TEST(a_followed_fifo_takes_the_next_program)
{
  char text[100];
  int fd;
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(begin(" follow=true"), EVP_OK);
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(file->connect(host->self, &fd), EVP_AGAIN);
    int writer = open(path, O_WRONLY | O_NONBLOCK);
    ck_assert_int_eq(write(writer, "abc", 3), 3);
    close(writer);
    ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
    ck_assert_int_eq(read_some(text), EVP_OK);
    ck_assert_int_eq(read_some(text), EVP_END);
    file->disconnect(host->self);
  }
}
END_TEST

/* A program that opens the FIFO and leaves without a word has been there, too. */
START_TEST(a_fifo_whose_program_says_nothing)
{
  char text[100];
  int fd;
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(begin(""), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_AGAIN);
  close(open(path, O_WRONLY | O_NONBLOCK));
  ck_assert(readable(fd, 0));
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert_int_eq(read_some(text), EVP_END);
}
END_TEST

START_TEST(a_followed_file_grows)
{
  char text[100];
  int fd;
  put("one", 0);
  ck_assert_int_eq(begin(" follow=true"), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert(fd >= 0 && host->recorded);
  ck_assert(readable(fd, 5000));
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_int_eq(read_some(text), EVP_AGAIN);
  put("two", O_APPEND);
  ck_assert(readable(fd, 5000));
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_str_eq(text, "two");
  ck_assert_int_eq(read_some(text), EVP_AGAIN);
}
END_TEST

static void expect_new_stream(const char *expected)
{
  char text[100];
  int fd;
  enum evp_status status;
  while ((status = read_some(text)) == EVP_AGAIN) usleep(1000);
  ck_assert_int_eq(status, EVP_END);
  file->disconnect(host->self);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_str_eq(text, expected);
}

START_TEST(a_file_written_anew_is_a_new_stream)
{
  char text[100], other[96];
  int fd;
  put("the first", 0);
  ck_assert_int_eq(begin(" follow=true"), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert_int_eq(read_some(text), EVP_OK);
  put("second", O_TRUNC);
  expect_new_stream("second");
  snprintf(other, sizeof other, "%s/y", folder);
  ck_assert_int_eq(rename(path, other), 0);
  ck_assert_int_eq(read_some(text), EVP_AGAIN); /* may still grow */
  put("a third, longer one", 0);
  expect_new_stream("a third, longer one");
  unlink(other);
}
END_TEST

START_TEST(a_loop_begins_again)
{
  char text[100];
  int fd;
  put("round", 0);
  ck_assert_int_eq(begin(" loop=true"), EVP_OK);
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
    ck_assert_int_eq(read_some(text), EVP_OK);
    ck_assert_str_eq(text, "round");
    ck_assert_int_eq(read_some(text), EVP_END);
    file->disconnect(host->self);
  }
}
END_TEST

START_TEST(an_empty_loop_backs_off)
{
  char text[100];
  int fd;
  put("", 0);
  ck_assert_int_eq(begin(" loop=true"), EVP_OK);
  for (int i = 0; i < 3; i++) {
    if (i) ck_assert_int_eq(file->connect(host->self, &fd), EVP_AGAIN);
    ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
    ck_assert_int_eq(read_some(text), EVP_END);
    file->disconnect(host->self);
  }
}
END_TEST

/* Runs in a process of its own (Check forks), so that its standard input may be replaced. */
START_TEST(standard_input_that_is_a_pipe)
{
  char text[100];
  int fd, ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  dup2(ends[0], STDIN_FILENO);
  strcpy(path, "-");
  ck_assert_int_eq(begin(""), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert(host->can_wait && !host->recorded);
  ck_assert_int_eq(fd, STDIN_FILENO);
  ck_assert_int_eq(read_some(text), EVP_AGAIN);
  ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0); /* it is not ours alone */
  ck_assert_int_eq(write(ends[1], "abc", 3), 3);
  ck_assert_int_eq(read_some(text), EVP_OK);
  ck_assert_int_eq(read_some(text), EVP_AGAIN);
  close(ends[1]);
  ck_assert_int_eq(read_some(text), EVP_END);
}
END_TEST

START_TEST(standard_input_that_is_a_file_begins_where_it_is)
{
  char text[100];
  int fd;
  put("skipped:rest", 0);
  int input = open(path, O_RDONLY);
  lseek(input, 8, SEEK_SET);
  dup2(input, STDIN_FILENO);
  unlink(path);
  strcpy(path, "-");
  ck_assert_int_eq(begin(" loop=true"), EVP_OK);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
    ck_assert(host->can_wait && host->recorded);
    ck_assert_int_eq(read_some(text), EVP_OK);
    ck_assert_str_eq(text, "rest");
    ck_assert_int_eq(read_some(text), EVP_END);
  }
}
END_TEST

START_TEST(a_device_is_read_to_its_end)
{
  char text[100];
  int fd;
  strcpy(path, "/dev/null");
  ck_assert_int_eq(begin(""), EVP_OK);
  ck_assert_int_eq(file->connect(host->self, &fd), EVP_OK);
  ck_assert_int_eq(fd, -1); /* it can not be polled */
  ck_assert_int_eq(read_some(text), EVP_END);
  strcpy(path, folder);
}
END_TEST

static void expect_refused(const char *options, const char *said)
{
  struct sink_host *refused = sink_host_new(file, options);
  ck_assert_int_eq(sink_host_create(refused), EVP_ERROR);
  ck_assert_msg(strstr(sink_host_said(refused), said), "%s", sink_host_said(refused));
  sink_host_free(refused);
}

START_TEST(options_are_checked)
{
  expect_refused("path=", "option path:");
  expect_refused("path=x follow=true loop=true", "option loop:");
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  ck_assert_int_eq(begin(" loop=true"), EVP_ERROR);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "not a regular file"));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("file");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_regular_file_is_recorded_and_ends);
  tcase_add_test(tests, what_can_not_be_read_is_said_at_the_start);
  tcase_add_test(tests, permission_has_its_own_words);
  tcase_add_test(tests, a_fifo_waits_for_its_writer_and_ends_with_it);
  tcase_add_test(tests, a_followed_fifo_takes_the_next_program);
  tcase_add_test(tests, a_fifo_whose_program_says_nothing);
  tcase_add_test(tests, a_followed_file_grows);
  tcase_add_test(tests, a_file_written_anew_is_a_new_stream);
  tcase_add_test(tests, a_loop_begins_again);
  tcase_add_test(tests, an_empty_loop_backs_off);
  tcase_add_test(tests, standard_input_that_is_a_pipe);
  tcase_add_test(tests, standard_input_that_is_a_file_begins_where_it_is);
  tcase_add_test(tests, a_device_is_read_to_its_end);
  tcase_add_test(tests, options_are_checked);
  return check_main("file", tests);
}
