/* What a sink overwrites in batches, prologue and payloads, and where it goes on after what is not understood. */
#include "check_main.h"
#include "redact.h"
#include "sink_host.h"

#include <evpipe/events.h>
#include <string.h>

static struct sink_host *host;
static struct redaction redaction;

static void setup(void)
{
  host = sink_host_new(NULL, NULL);
}

static void teardown(void)
{
  redact_free(&redaction);
  sink_host_free(host);
}

static bool create(const char *const *words, size_t n)
{
  return redact_create(&redaction, sink_host_ctx(host), &(struct evp_strings){words, n});
}

static bool create_both(void)
{
  return create((const char *[]){"environment", "arguments"}, 2);
}

START_TEST(test_words)
{
  ck_assert(create(NULL, 0));
  ck_assert(!redaction.kinds && !host->wants_secrets);
  ck_assert(create_both());
  ck_assert_uint_eq(redaction.kinds, EVP_ARGUMENTS | EVP_ENVIRONMENT);
  ck_assert(host->wants_secrets);
  ck_assert(!create((const char *[]){"arguments", "args"}, 2));
  ck_assert_str_eq(sink_host_said(host), "option redact: 'args' is neither 'arguments' nor 'environment'\n");
}
END_TEST

START_TEST(test_bytes)
{
  static const struct evp_secret secrets[] = {{2, 5, EVP_ARGUMENTS}, {8, 2, EVP_ENVIRONMENT}};
  struct evp_batch batch = {.bytes = (const uint8_t *)"..ab\0c\0.E=..", .n = 12, .secrets = secrets, .n_secrets = 2};
  ck_assert(create((const char *[]){"arguments"}, 1));
  const uint8_t *bytes = redact_bytes(&redaction, &batch);
  ck_assert_mem_eq(bytes, "..xx\0x\0.E=..", 12);
  ck_assert_mem_eq(batch.bytes, "..ab\0c\0.E=..", 12); /* others see it, too */
  batch.secrets++;
  batch.n_secrets = 1;
  ck_assert(!redact_needed(&redaction, &batch));
  ck_assert_ptr_eq(redact_bytes(&redaction, &batch), batch.bytes);
  ck_assert(create_both());
  ck_assert_mem_eq(redact_bytes(&redaction, &batch), "..ab\0c\0.xx..", 12);
}
END_TEST

START_TEST(test_begin)
{
  struct redact_stream stream = {0};
  struct evp_batch leading = {.n = 10, .sync = 10, .flags = EVP_BATCH_LEADING}, unframed = {.n = 10, .sync = 3},
                   framed = {.n = 10, .sync = 10, .flags = EVP_BATCH_FRAMED}, sync = framed;
  sync.sync = 4;
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &leading), 0); /* not redacting */
  ck_assert(create_both());
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &leading), 10);
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &framed), 0);
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &unframed), 10);
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &framed), 10);
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &sync), 4);
  ck_assert_uint_eq(redact_begin(&redaction, &stream, &framed), 0);
}
END_TEST

/* Forty secrets, more than are asked for at once, in a prologue that is read in pieces of any size. */
START_TEST(test_prologue)
{
  enum { N = 40 };
  uint8_t prologue[N * 10], wanted[N * 10], got[N * 10];
  struct evp_secret secrets[N];
  memset(prologue, '.', sizeof prologue);
  for (uint32_t i = 0; i < N; i++) {
    secrets[i] = (struct evp_secret){i * 10 + 3, 5, i % 3 ? EVP_ARGUMENTS : EVP_ENVIRONMENT};
    memset(prologue + secrets[i].offset, 's', secrets[i].size);
  }
  memcpy(wanted, prologue, sizeof wanted);
  for (uint32_t i = 0; i < N; i++)
    if (i % 3) memset(wanted + secrets[i].offset, 'x', secrets[i].size);
  struct sink_host_stream stream = {
    .prologue = prologue, .prologue_size = sizeof prologue, .secrets = secrets, .n_secrets = N};
  ck_assert(create((const char *[]){"arguments"}, 1));
  for (size_t piece = 1; piece <= sizeof got; piece++) {
    memset(got, 0, sizeof got);
    size_t at = 0, n;
    while ((n = redact_prologue(&redaction, sink_host_stream(&stream), at, UINT64_MAX, got + at,
              piece < sizeof got - at ? piece : sizeof got - at)))
      at += n;
    ck_assert_uint_eq(at, sizeof got);
    ck_assert_mem_eq(got, wanted, sizeof got);
  }
}
END_TEST

START_TEST(test_payload)
{
  struct evp_event event = {.type = EVP_PROGRAM_ARGS, .data = (const uint8_t *)"\0\0\0\7ab\0c", .size = 9};
  ck_assert(create((const char *[]){"arguments"}, 1));
  ck_assert_mem_eq(redact_payload(&redaction, &event), "\0\0\0\7xx\0x", 9);
  event.size = 4;
  ck_assert_ptr_eq(redact_payload(&redaction, &event), event.data);
  event = (struct evp_event){.type = EVP_PROGRAM_ENV, .data = event.data, .size = 9};
  ck_assert_ptr_eq(redact_payload(&redaction, &event), event.data);
  event.type = EVP_RTS_IDENTIFIER;
  ck_assert_ptr_eq(redact_payload(&redaction, &event), event.data);
  event = (struct evp_event){.type = EVP_PROGRAM_INVOCATION, .data = (const uint8_t *)"ab c", .size = 4};
  ck_assert_mem_eq(redact_payload(&redaction, &event), "xxxx", 4);
}
END_TEST

int main(void)
{
  TCase *cases = tcase_create("redact");
  tcase_add_checked_fixture(cases, setup, teardown);
  tcase_add_test(cases, test_words);
  tcase_add_test(cases, test_bytes);
  tcase_add_test(cases, test_begin);
  tcase_add_test(cases, test_prologue);
  tcase_add_test(cases, test_payload);
  return check_main("redact", cases);
}
