/* prologue.h: what a late reader needs to understand a stream: the header and every defining record, as a small
 * eventlog of its own. Append-only; what was readable once stays the same for ever.
 *
 * Owner    the stream. Written by the lane, read by any thread (reads take a lock, and never see a half-written block).
 * Memory   up to max_memory in memory, beyond that in an unlinked temporary file ($TMPDIR, else /tmp), up to max_size.
 */
#ifndef EVPIPE_PROLOGUE_H
#define EVPIPE_PROLOGUE_H

#include <evpipe.h>

struct prologue;

struct prologue *prologue_new(uint64_t max_memory, uint64_t max_size);
void prologue_free(struct prologue *);

/* The stream's header, hdrb to datb, as it came. */
bool prologue_header(struct prologue *, const uint8_t *data, size_t size);
/* A defining record, whole (type, time, [length,] payload). Records of one cap are put together into one block until
   prologue_seal(), which makes them readable; a block's times are those of its earliest and its latest record. False:
   full, or no memory or disk; said once by prologue_problem(). `secret` (NULL: none) is what in it may have to be hidden,
   its offset that within the record. */
bool prologue_append(
  struct prologue *, uint16_t cap, uint64_t time, const uint8_t *record, size_t size, const struct evp_secret *secret);
uint64_t prologue_seal(struct prologue *); /* the readable length from now on */

uint64_t prologue_length(const struct prologue *); /* readable bytes */
size_t prologue_read(const struct prologue *, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size);
/* Those of the secrets that lie in [begin, end), at most n; how many. */
uint32_t prologue_secrets(
  const struct prologue *, uint64_t begin, uint64_t end, struct evp_secret *secrets, uint32_t n);
const char *prologue_problem(
  const struct prologue *, uint64_t *left_out); /* why records were left out; NULL: none were */

#endif
