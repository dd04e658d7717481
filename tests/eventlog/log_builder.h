/* log_builder.h: for tests: makes eventlogs by hand, right ones and wrong ones. Memory is never short in a test. */
#ifndef EVPIPE_TESTS_LOG_BUILDER_H
#define EVPIPE_TESTS_LOG_BUILDER_H

#include <stddef.h>
#include <stdint.h>

struct log_builder {
  uint8_t *data;
  size_t size, capacity;
  size_t block; /* where the open block begins; SIZE_MAX: none */
  uint16_t sizes[65536];
};

struct log_type {
  uint16_t number, size; /* 0xffff: variable */
};

struct log_builder *log_new(void);
void log_free(struct log_builder *);
void log_bytes(struct log_builder *, const void *data, size_t size);
void log_u16(struct log_builder *, uint16_t);
void log_u32(struct log_builder *, uint32_t);
void log_u64(struct log_builder *, uint64_t);
/* A whole header. */
void log_header(struct log_builder *, const struct log_type *types, size_t n);
/* Its parts. */
void log_header_begin(struct log_builder *);
void log_type(struct log_builder *, uint16_t number, uint16_t size, const char *description, size_t description_size);
void log_header_end(struct log_builder *);
/* The types most tests use: 0 to 4, 8, 9, 10, 18, 19, 29, 30, 32, 43, 164, 169. */
void log_usual_header(struct log_builder *);

/* Its size is filled in by log_block_end(). */
void log_block(struct log_builder *, uint64_t begin, uint64_t end, uint16_t cap);
void log_block_end(struct log_builder *);
void log_block_size(struct log_builder *, uint32_t size); /* of the open block, which is then no longer open */
/* type, time, length if the header declares it variable, payload. */
void log_record(struct log_builder *, uint16_t type, uint64_t time, const void *payload, size_t size);
void log_record_u32(struct log_builder *, uint16_t type, uint64_t time, uint32_t value);
/* An info table record; `lie` is added to its length. */
void log_provenance(struct log_builder *, uint64_t time, uint64_t address, const char *name, int lie);
void log_end(struct log_builder *);

#endif
