/* json_writer.h: writes JSON (RFC 8259) behind what a struct evp_buf holds: it sees to commas, quotes and what has no words in
 * JSON, and remembers that memory ran out, so that one asks once, at the end.
 *
 *   struct json json = {.text = &buffer};
 *   json_object(&json, NULL);
 *   json_string(&json, "name", name);
 *   json_array(&json, "values");
 *   json_unsigned(&json, NULL, 17);
 *   json_end(&json, ']');
 *   json_end(&json, '}');
 *   if (json.failed) ...
 *
 * Owner    the caller. Threads  one at a time for each buffer.
 * Keys     are our own words, written as they are; NULL for the items of an array and the outermost value.
 */
#ifndef EVPIPE_COMMON_JSON_WRITER_H
#define EVPIPE_COMMON_JSON_WRITER_H

#include "text.h"

struct json {
  struct evp_buf *text;
  bool comma; /* something stands before on this level */
  bool failed; /* no memory */
};

void json_object(struct json *, const char *key);
void json_array(struct json *, const char *key);
void json_end(struct json *, char bracket); /* '}' or ']' */
/* A key of any text, for the value that is written next, with key NULL. */
void json_name(struct json *, const char *name);

void json_integer(struct json *, const char *key, int64_t);
void json_unsigned(struct json *, const char *key, uint64_t);
void json_double(struct json *, const char *key, double); /* what is not finite is null */
void json_bool(struct json *, const char *key, bool);
void json_null(struct json *, const char *key);
/* "1764165000.123456", the digits behind left off. */
void json_seconds(struct json *, const char *key, int64_t nanoseconds);
void json_string(struct json *, const char *key, const char *); /* NULL: null; what is not UTF-8 is U+FFFD */
void json_bytes(struct json *, const char *key, const char *, size_t size);
void json_word(struct json *, const char *key, const char *word); /* a string that is our own word: as it is */
/* A string in which each byte is the character of that number, so that nothing is lost. */
void json_octets(struct json *, const char *key, const uint8_t *, size_t size);
/* Finished JSON: a value, or several with their commas. Nothing at all is fine. */
void json_raw(struct json *, const char *key, const void *, size_t size);

#endif
