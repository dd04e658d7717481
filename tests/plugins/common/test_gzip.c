/* gzip: what is packed is what was given, whatever its size; what is damaged, or too much, is refused. */
#include "check_main.h"
#include "gzip.h"
#include <stdlib.h>
#include <string.h>

static struct evp_buf made(size_t size)
{
  struct evp_buf text = {0};
  ck_assert(evp_buf_grow(&text, size));
  for (size_t i = 0; i < size; i++) text.data[i] = (uint8_t)(i * i >> 3);
  text.size = size;
  return text;
}

static void expect_unpacked(const uint8_t *packed, size_t size, const struct evp_buf *wanted)
{
  struct evp_buf text = {0};
  ck_assert(evp_buf_append(&text, "before", 6));
  ck_assert(gzip_unpack(packed, size, wanted->size, &text));
  ck_assert_uint_eq(text.size, 6 + wanted->size);
  ck_assert_mem_eq(text.data, "before", 6);
  if (wanted->size) ck_assert_mem_eq(text.data + 6, wanted->data, wanted->size);
  free(text.data);
}

START_TEST(what_was_packed_comes_back)
{
  static const size_t sizes[] = {0, 1, 17, 1000, 65536, 3000000, 10};
  struct gzip *gzip = gzip_new();
  ck_assert_ptr_nonnull(gzip);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* one after the other: room is used again */
    struct evp_buf text = made(sizes[i]);
    const uint8_t *packed;
    size_t size = gzip_pack(gzip, text.data ? (void *)text.data : "", text.size, &packed);
    ck_assert_uint_gt(size, 0);
    expect_unpacked(packed, size, &text);
    free(text.data);
  }
  gzip_free(gzip);
}
END_TEST

START_TEST(a_text_becomes_what_it_is_packed)
{
  struct evp_buf text = made(5000), packed = made(5000);
  ck_assert(gzip_replace(&packed));
  ck_assert_uint_lt(packed.size, 5000);
  expect_unpacked(packed.data, packed.size, &text);
  free(text.data);
  free(packed.data);
}
END_TEST

START_TEST(what_is_packed_tells_it)
{
  struct evp_buf text = made(5000);
  ck_assert(!gzip_is_packed(text.data, text.size));
  ck_assert(!gzip_is_packed("\x1f\x8b", 2) && !gzip_is_packed(NULL, 0));
  ck_assert(gzip_replace(&text));
  ck_assert(gzip_is_packed(text.data, text.size));
  ck_assert_uint_eq(gzip_unpacked_size(text.data, text.size), 5000);
  ck_assert_uint_eq(gzip_unpacked_size(text.data, 17), 0);
  free(text.data);
}
END_TEST

START_TEST(damage_is_refused)
{
  struct evp_buf packed = made(5000), text = {0};
  ck_assert(gzip_replace(&packed));
  ck_assert(!gzip_unpack(packed.data, packed.size, 4999, &text));
  for (size_t size = 0; size < packed.size; size += 1 + size / 20)
    ck_assert(!gzip_unpack(packed.data, size, 1 << 20, &text));
  for (size_t at = 10; at < packed.size; at += 7) {
    packed.data[at] ^= 1;
    ck_assert(!gzip_unpack(packed.data, packed.size, 1 << 20, &text));
    packed.data[at] ^= 1;
  }
  ck_assert_uint_eq(text.size, 0);
  ck_assert(gzip_unpack(packed.data, packed.size, 5000, &text));
  free(text.data);
  free(packed.data);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("gzip");
  tcase_add_test(tests, what_was_packed_comes_back);
  tcase_add_test(tests, a_text_becomes_what_it_is_packed);
  tcase_add_test(tests, what_is_packed_tells_it);
  tcase_add_test(tests, damage_is_refused);
  return check_main("gzip", tests);
}
