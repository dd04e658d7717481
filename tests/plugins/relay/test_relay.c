/* The sink relay, call by call: who gets which bytes, what is counted when, and that nothing is kept. */
#include "check_main.h"
#include "sink_host.h"
#include "socket_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROLOGUE "hdr:defs;"
enum { LARGE = 100 * 1024 };

static struct sink_host *host;
static char folder[] = "/tmp/evpipe-relay-XXXXXX", path[64];
static uint8_t local[256], other_local[256];
static struct sink_host_stream stream, other;
static uint8_t large[LARGE];

static void open_relay(const char *options)
{
  char all[256];
  snprintf(all, sizeof all, "unix=%s %s", path, options);
  host = sink_host_new(&evp_plugin_entry, all);
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
  ck_assert(host->wants_prologue);
  ck_assert_int_eq(evp_plugin_entry.start(host->self), EVP_OK);
}

static void begin(struct sink_host_stream *which, uint8_t *memory)
{
  ck_assert_uint_le(evp_plugin_entry.stream_size, sizeof local);
  memset(memory, 0, sizeof local);
  *which = (struct sink_host_stream){.source = which == &stream ? "app" : "other",
    .local = memory,
    .prologue = (const uint8_t *)PROLOGUE,
    .prologue_size = 9};
  ck_assert_int_eq(evp_plugin_entry.stream_begin(host->self, sink_host_stream(which)), EVP_OK);
}

static void end(struct sink_host_stream *which)
{
  ck_assert_int_eq(evp_plugin_entry.stream_end(host->self, sink_host_stream(which)), EVP_OK);
}

static void setup(void)
{
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/s", folder);
  memset(large, 'L', sizeof large);
}

static void close_relay(void)
{
  evp_plugin_entry.stop(host->self);
  sink_host_free(host);
  ck_assert_int_eq(sink_host_batches, 0);
  ck_assert_int_eq(stream.references, 0);
  ck_assert_int_eq(access(path, F_OK), -1);
  rmdir(folder);
}

static void look(void)
{
  ck_assert_int_eq(evp_plugin_entry.ready(host->self), EVP_OK);
}

static int reader(void)
{
  struct sockaddr_un address;
  socklen_t size;
  ck_assert_ptr_null(unix_address_parse(&address, &size, path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
  look();
  return fd;
}

static void write_batch(struct sink_host_stream *which, struct evp_batch batch)
{
  batch.signal = EVP_BYTES;
  batch.stream = sink_host_stream(which);
  ck_assert_int_eq(evp_plugin_entry.write(host->self, &batch), EVP_OK);
}

/* `text`; `sync` is its first '|'. */
static struct evp_batch framed(const char *text)
{
  uint32_t n = (uint32_t)strlen(text), sync = (uint32_t)strcspn(text, "|");
  return (struct evp_batch){.bytes = (const uint8_t *)text, .n = n, .sync = sync, .flags = EVP_BATCH_FRAMED};
}

static struct evp_batch with_prologue(const char *text, uint64_t before, uint64_t after)
{
  struct evp_batch batch = framed(text);
  batch.prologue = before;
  batch.prologue_end = after;
  return batch;
}

static void assert_reads(int fd, const char *text)
{
  char got[256] = {0};
  ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
  ck_assert_str_eq(n < 0 ? "" : got, text);
}

static void assert_closed(int fd)
{
  char byte;
  ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
  close(fd);
}

static void assert_open(int fd)
{
  char byte;
  ck_assert(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

START_TEST(test_early_and_late)
{
  open_relay("");
  int early = reader();
  begin(&stream, local);
  write_batch(
    &stream, (struct evp_batch){.bytes = (const uint8_t *)"junk", .n = 4, .sync = 4, .flags = EVP_BATCH_LEADING});
  write_batch(&stream, with_prologue("hd", 0, 0)); /* a header that is cut has no sync */
  write_batch(&stream, with_prologue("r:|defs;", 4, 4));
  assert_reads(early, "hdr:|defs;");
  int late = reader();
  assert_reads(late, "hdr:");
  write_batch(&stream, with_prologue("aa", 9, 9));
  assert_reads(late, "defs;");
  write_batch(&stream, with_prologue("bb|cc", 9, 9));
  write_batch(&stream, with_prologue("dd", 9, 9));
  assert_reads(early, "aabb|ccdd");
  assert_reads(late, "|ccdd");
  end(&stream);
  assert_closed(early);
  assert_closed(late);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "drop 4 leading\n"));
  close_relay();
}
END_TEST

START_TEST(test_unframed_sync_is_not_believed)
{
  open_relay("");
  begin(&stream, local);
  write_batch(&stream, with_prologue("|a", 0, 9));
  int late = reader();
  assert_reads(late, PROLOGUE);
  struct evp_batch batch = with_prologue("x|y", 9, 9);
  batch.flags = 0;
  write_batch(&stream, batch);
  assert_open(late);
  write_batch(&stream, with_prologue("z|b", 9, 9));
  assert_reads(late, "|b");
  end(&stream);
  assert_closed(late);
  close_relay();
}
END_TEST

START_TEST(test_gap)
{
  open_relay("");
  int live = reader();
  begin(&stream, local);
  write_batch(&stream, with_prologue("|a", 0, 9));
  int late = reader();
  struct evp_gap gap = {.stream = sink_host_stream(&stream), .signal = EVP_BYTES, .items = 7};
  ck_assert_int_eq(evp_plugin_entry.gap(host->self, &gap), EVP_OK);
  assert_reads(live, "|a");
  assert_closed(live);
  write_batch(&stream, with_prologue("|b", 9, 9));
  assert_reads(late, PROLOGUE "|b");
  end(&stream);
  assert_closed(late);
  close_relay();
}
END_TEST

START_TEST(test_two_streams)
{
  open_relay("");
  int first = reader();
  begin(&stream, local);
  begin(&other, other_local);
  write_batch(&stream, with_prologue("|a", 0, 9));
  write_batch(&other, with_prologue("|b", 0, 9));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "drop 2 other_stream\n"));
  end(&stream);
  assert_reads(first, "|a");
  assert_closed(first);
  int second = reader();
  assert_reads(second, PROLOGUE);
  write_batch(&other, with_prologue("c|d", 9, 9));
  assert_reads(second, "|d");
  end(&other);
  assert_closed(second);
  close_relay();
}
END_TEST

/* Counted, but not by write(): what one reader lost the sink got. */
START_TEST(test_slow_reader)
{
  open_relay("slow_reader.max_size=200000");
  int slow = reader();
  begin(&stream, local);
  struct evp_batch batch = {.bytes = large, .n = LARGE, .sync = 0, .flags = EVP_BATCH_FRAMED};
  for (int i = 0; i < 10; i++) write_batch(&stream, batch);
  ck_assert_ptr_null(strstr(sink_host_said(host), "drop"));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "is cut off: it reads too slowly"));
  ck_assert_int_eq(sink_host_batches, 0);
  ck_assert_int_eq(evp_plugin_entry.flush(host->self), EVP_OK);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), " slow_reader\n"));
  end(&stream);
  close(slow);
  close_relay();
}
END_TEST

START_TEST(test_linger)
{
  open_relay("slow_reader.linger=1000000");
  int slow = reader();
  begin(&stream, local);
  struct evp_batch batch = {.bytes = large, .n = LARGE, .sync = 0, .flags = EVP_BATCH_FRAMED};
  for (int i = 0; i < 10; i++) write_batch(&stream, batch);
  ck_assert_int_gt(sink_host_batches, 0);
  end(&stream);
  ck_assert_uint_gt(host->tick_every, 0);
  ck_assert_int_eq(evp_plugin_entry.tick(host->self, UINT64_MAX, NULL), EVP_OK);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "slow_reader.linger"));
  ck_assert_uint_eq(host->tick_every, 0);
  close(slow);
  close_relay();
}
END_TEST

START_TEST(test_redact)
{
  static const struct evp_secret secrets[] = {{2, 3, EVP_ARGUMENTS}}, in_prologue[] = {{4, 4, EVP_ARGUMENTS}};
  open_relay("redact=arguments");
  ck_assert(host->wants_secrets);
  int live = reader();
  begin(&stream, local);
  stream.secrets = in_prologue;
  stream.n_secrets = 1;
  struct evp_batch batch = with_prologue("|:abc:", 0, 9);
  batch.secrets = secrets;
  batch.n_secrets = 1;
  write_batch(&stream, batch);
  int late = reader();
  assert_reads(live, "|:xxx:");
  assert_reads(late, "hdr:xxxx;");
  batch.flags = 0; /* not understood: not handed on, and who reads begins anew */
  write_batch(&stream, batch);
  assert_closed(live);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "drop 6 unframed\n"));
  write_batch(&stream, with_prologue("a|b", 9, 9));
  assert_reads(late, "|b");
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "drop 1 unframed\n"));
  end(&stream);
  assert_closed(late);
  close_relay();
}
END_TEST

START_TEST(test_local_addresses)
{
  static const struct {
    const char *text;
    bool local;
  } cases[] = {{"localhost:1", true}, {"127.0.0.1:1", true}, {"127.9.9.9:1", true}, {"[::1]:1", true},
    {"0.0.0.0:1", false}, {"[::]:1", false}, {"example.org:1", false}, {"10.0.0.1:1", false},
    {"127.0.0.1.example.org:1", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct tcp_address address;
    ck_assert_ptr_null(tcp_address_parse(&address, cases[i].text));
    ck_assert_msg(tcp_address_is_local(&address) == cases[i].local, "%s", cases[i].text);
  }
  rmdir(folder);
}
END_TEST

int main(void)
{
  TCase *cases = tcase_create("relay");
  tcase_add_checked_fixture(cases, setup, NULL);
  tcase_add_test(cases, test_early_and_late);
  tcase_add_test(cases, test_unframed_sync_is_not_believed);
  tcase_add_test(cases, test_gap);
  tcase_add_test(cases, test_two_streams);
  tcase_add_test(cases, test_slow_reader);
  tcase_add_test(cases, test_linger);
  tcase_add_test(cases, test_redact);
  tcase_add_test(cases, test_local_addresses);
  return check_main("relay", cases);
}
