/* What the plugin makes of a filled message, and of a sealed one that is wanted plain. */
#include "check_main.h"
#include "gzip.h"
#include "sink_host.h"
#include <stdlib.h>
#include <string.h>

static const char line[] = "ghc_heap_live_bytes,service=app value=1i 1\n";
enum { LINE = sizeof line - 1, PACKED_LINES_MAX = 64 * 1024 * 1024 };

static struct sink_host *host;
static struct evp_buf bytes, plain;

static void begin(const char *options)
{
  host = sink_host_new(&evp_plugin_entry, options);
  ck_assert_int_eq(sink_host_create(host), EVP_OK);
}

static void tear_down(void)
{
  free(bytes.data);
  free(plain.data);
  bytes = plain = (struct evp_buf){0};
  sink_host_free(host);
}

static void fill(size_t size)
{
  ck_assert(evp_buf_grow(&bytes, size));
  for (bytes.size = 0; bytes.size < size; bytes.size++) bytes.data[bytes.size] = (uint8_t)line[bytes.size % LINE];
}

static enum evp_status seal(void)
{
  return host->plugin->seal(host->self, &bytes);
}

static enum evp_status unseal(void)
{
  const struct evp_message message = {.data = bytes.data, .size = bytes.size};
  plain.size = 0;
  return host->plugin->unseal(host->self, &message, &plain);
}

static void expect_plain(size_t size)
{
  ck_assert_int_eq(unseal(), EVP_OK);
  ck_assert_uint_eq(plain.size, size);
  for (size_t i = 0; i < size; i++)
    if (plain.data[i] != (uint8_t)line[i % LINE]) ck_abort_msg("byte %zu", i);
}

START_TEST(what_was_sealed_is_small_and_comes_back)
{
  static const size_t sizes[] = {5000 * LINE, LINE, 1000 * LINE};
  begin("url=http://localhost:8086 database=ev");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* the buffer is used again */
    fill(sizes[i]);
    ck_assert_int_eq(seal(), EVP_OK);
    ck_assert(gzip_is_packed(bytes.data, bytes.size));
    ck_assert(sizes[i] == LINE || bytes.size < sizes[i] / 8);
    expect_plain(sizes[i]);
  }
}
END_TEST

START_TEST(without_compression_it_stays_plain)
{
  begin("url=http://localhost:8086 database=ev compression=none");
  fill(10 * LINE);
  ck_assert_int_eq(seal(), EVP_OK);
  ck_assert_uint_eq(bytes.size, 10 * LINE);
  expect_plain(10 * LINE);
  ck_assert(gzip_replace(&bytes)); /* as an earlier process with another `compression` left it */
  expect_plain(10 * LINE);
}
END_TEST

START_TEST(what_is_plain_already_stays_as_it_is)
{
  begin("url=http://localhost:8086 database=ev");
  fill(3 * LINE);
  expect_plain(3 * LINE);
}
END_TEST

START_TEST(damage_is_refused)
{
  begin("url=http://localhost:8086 database=ev");
  fill(100 * LINE);
  ck_assert_int_eq(seal(), EVP_OK);
  size_t whole = bytes.size;
  for (bytes.size = 3; bytes.size < whole; bytes.size++) ck_assert_int_eq(unseal(), EVP_REJECT);
  for (size_t at = 10; at < whole; at += 3) {
    bytes.data[at] ^= 1;
    ck_assert_int_eq(unseal(), EVP_REJECT);
    bytes.data[at] ^= 1;
  }
  ck_assert(gzip_replace(&bytes)); /* packed twice: no lines */
  ck_assert_int_eq(unseal(), EVP_REJECT);
}
END_TEST

/* So that a spool, whatever is in it, makes nobody unpack more. */
START_TEST(what_is_unpacked_is_bounded)
{
  begin("url=http://localhost:8086 database=ev");
  fill(PACKED_LINES_MAX + 1);
  ck_assert_int_eq(seal(), EVP_OK);
  ck_assert_uint_eq(bytes.size, PACKED_LINES_MAX + 1); /* it stays plain */
  ck_assert(gzip_replace(&bytes));
  ck_assert_uint_lt(bytes.size, 1 << 20);
  ck_assert_int_eq(unseal(), EVP_REJECT);
  ck_assert_uint_lt(plain.capacity, 1 << 20);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("seal");
  tcase_add_checked_fixture(tests, NULL, tear_down);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, what_was_sealed_is_small_and_comes_back);
  tcase_add_test(tests, without_compression_it_stays_plain);
  tcase_add_test(tests, what_is_plain_already_stays_as_it_is);
  tcase_add_test(tests, damage_is_refused);
  tcase_add_test(tests, what_is_unpacked_is_bounded);
  return check_main("seal", tests);
}
