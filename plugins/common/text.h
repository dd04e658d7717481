/* text.h: appends text to a struct evp_buf: strings, numbers, JSON. What our text-making plugins share.
 *
 * Owner    the caller; a buffer of one's own begins zeroed and ends with text_free().
 * Threads  one at a time for each buffer.
 * Errors   false: no memory. What was appended before stays; cut it off by setting `size` back.
 */
#ifndef EVPIPE_COMMON_TEXT_H
#define EVPIPE_COMMON_TEXT_H

#include <evpipe.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_INTEGER_MAX = 20, TEXT_DOUBLE_MAX = 32 };

/* Not evp_buf_append(): that is a loop over bytes, in a header that may not include <string.h>'s inline functions. */
static inline bool text_put(struct evp_buf *text, const void *data, size_t size)
{
  if (text->capacity - text->size < size && !evp_buf_grow(text, size)) return false;
  if (size) memcpy(text->data + text->size, data, size);
  text->size += size;
  return true;
}

static inline bool text_put_string(struct evp_buf *text, const char *string)
{
  return text_put(text, string, strlen(string));
}

static inline bool text_put_char(struct evp_buf *text, char character)
{
  return text_put(text, &character, 1);
}

static inline void text_free(struct evp_buf *text)
{
  free(text->data);
  *text = (struct evp_buf){0};
}

/* Write the number to `to`, which has room for TEXT_..._MAX bytes, without NUL; the bytes written. */
size_t text_format_unsigned(char *to, uint64_t value);
size_t text_format_integer(char *to, int64_t value);
/* The shortest decimal form that reads back as the same double; "NaN", "+Inf", "-Inf". */
size_t text_format_double(char *to, double value);

bool text_put_unsigned(struct evp_buf *, uint64_t value);
bool text_put_integer(struct evp_buf *, int64_t value);
bool text_put_double(struct evp_buf *, double value);
bool text_printf(struct evp_buf *, const char *format, ...) EVP_PRINTF(2, 3);

/* With its quotes. What is not UTF-8 becomes U+FFFD, so that the output always is JSON (RFC 8259). */
bool text_put_json(struct evp_buf *, const char *string, size_t size);
bool text_put_json_string(struct evp_buf *, const char *string);

/* Unix ns as RFC 3339 in UTC: "2026-11-24T01:48:59.123456789Z". */
bool text_put_time(struct evp_buf *, int64_t unix_time);

/* For terminals: control characters (C0, C1, DEL) and what is not UTF-8 become U+FFFD, so that what comes from a stream
   can neither move the cursor nor forge a line. */
bool text_put_visible(struct evp_buf *, const char *string, size_t size);

#endif
