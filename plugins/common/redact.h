/* redact.h: the option `redact` of sinks that hand eventlog bytes on: the program's arguments and environment are
 * overwritten with `x`, sizes kept. The NULs between the strings stay, so that one still sees how many there were.
 *
 *   struct mine { struct evp_strings redact; struct redaction redaction; };
 *   REDACT_OPTION(struct mine, redact)               in the option table
 *   redact_create(&mine->redaction, ctx, &mine->redact)    in create
 *
 * What is not understood can not be redacted: bytes before the header and bytes of which the framing is not known do not go
 * on; after these it goes on at a place where a reader may begin (redact_begin).
 *
 * Owner    the instance; `struct redact_stream` lies in what a sink has for each stream, zeroed.
 * Threads  one at a time.
 */
#ifndef EVPIPE_COMMON_REDACT_H
#define EVPIPE_COMMON_REDACT_H

#include <evpipe.h>

struct redaction {
  uint32_t kinds; /* set of evp_secret_kind; 0: nothing is redacted, and all of this costs nothing */
  uint8_t *copy;
  size_t room;
};

struct redact_stream {
  bool lost; /* waits for a place to begin at */
};

#define REDACT_OPTION(o, m) \
  EVP_STRINGS(o, m, \
    "What of the program to overwrite with `x`: `arguments`, `environment`, or both. Bytes that are not understood " \
    "are " \
    "then left out, counted as `unframed`.")

/* False: a word is wrong (said). */
bool redact_create(struct redaction *, struct evp_ctx *, const struct evp_strings *words);
void redact_free(struct redaction *);

/* From which of the batch's bytes on they may go on: 0, its `sync`, or n (none). Those before it are for the caller to
   count: evp_drop(ctx, ..., "unframed"). */
uint32_t redact_begin(const struct redaction *, struct redact_stream *, const struct evp_batch *);
/* Is there anything in the batch (of bytes) to overwrite? */
bool redact_needed(const struct redaction *, const struct evp_batch *);
/* Overwrites it in bytes[0..batch->n), a copy of the batch's bytes. */
void redact_copy(const struct redaction *, const struct evp_batch *, uint8_t *bytes);
/* The batch's bytes, as they are if there is nothing to overwrite, else a copy that holds until the next call. NULL: no
   memory. */
const uint8_t *redact_bytes(struct redaction *, const struct evp_batch *);
/* evp_prologue_read(), redacted. */
size_t redact_prologue(
  const struct redaction *, const struct evp_stream *, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size);
/* The event's payload, as it is if there is nothing to overwrite, else a copy that holds until the next call. NULL: no
   memory. */
const uint8_t *redact_payload(struct redaction *, const struct evp_event *);

#endif
