#include "eventlog/prologue.h"

#include <errno.h>
#include <evpipe/events.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  MARKER = 24, /* a block marker, whole */
  BLOCK_MAX = 1 << 20, /* a block is closed when it is larger */
  SECRETS_MAX = 1 << 16 /* more are in no sound log: a definition that has one more is left out */
};

/* Bytes that grow. */
struct bytes {
  uint8_t *data;
  size_t size, capacity;
};

struct prologue {
  pthread_mutex_t lock; /* over what readers see: memory.data, length, secrets, left_out, problem */
  uint64_t max_memory, max_size;
  uint64_t length; /* readable */
  uint64_t written; /* in memory and file together; what is beyond `length` is not readable yet */
  struct bytes memory; /* the first max_memory bytes */
  int file; /* the bytes after them; -1: none yet */
  struct evp_secret *secrets; /* ascending; also those of the block under construction */
  uint32_t n_secrets, secrets_room;

  struct bytes block; /* under construction; its marker is filled in last */
  uint64_t records; /* in it */
  uint64_t begin, end;
  uint16_t cap;

  uint64_t left_out;
  char problem[160];
};

struct prologue *prologue_new(uint64_t max_memory, uint64_t max_size)
{
  struct prologue *prologue = calloc(1, sizeof *prologue);
  if (!prologue) return NULL;
  pthread_mutex_init(&prologue->lock, NULL);
  prologue->max_memory = max_memory;
  prologue->max_size = max_size;
  prologue->file = -1;
  return prologue;
}

void prologue_free(struct prologue *prologue)
{
  if (!prologue) return;
  if (prologue->file >= 0) close(prologue->file);
  free(prologue->memory.data);
  free(prologue->block.data);
  free(prologue->secrets);
  pthread_mutex_destroy(&prologue->lock);
  free(prologue);
}

static bool bytes_reserve(struct bytes *bytes, size_t more)
{
  if (bytes->capacity - bytes->size >= more) return true;
  size_t capacity = bytes->capacity ? bytes->capacity : 4096;
  while (capacity - bytes->size < more) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  uint8_t *data = realloc(bytes->data, capacity);
  if (!data) return false;
  bytes->data = data;
  bytes->capacity = capacity;
  return true;
}

static bool leave_out(struct prologue *prologue, uint64_t records, const char *why, const char *detail)
{
  pthread_mutex_lock(&prologue->lock);
  prologue->left_out += records;
  if (!prologue->problem[0])
    snprintf(prologue->problem, sizeof prologue->problem, "%s%s%s", why, detail ? ": " : "", detail ? detail : "");
  pthread_mutex_unlock(&prologue->lock);
  return false;
}

static int open_temporary(void)
{
  const char *folder = getenv("TMPDIR");
  if (!folder || !*folder) folder = "/tmp";
  int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/evpipe-XXXXXX", folder) >= (int)sizeof path) return errno = ENAMETOOLONG, -1;
  file = mkostemp(path, O_CLOEXEC);
  if (file >= 0) unlink(path);
  return file;
}

static bool spill(struct prologue *prologue)
{
  int file = open_temporary();
  pthread_mutex_lock(&prologue->lock);
  prologue->file = file;
  pthread_mutex_unlock(&prologue->lock);
  return file >= 0;
}

static bool write_file(struct prologue *prologue, const uint8_t *data, size_t size, uint64_t offset)
{
  if (prologue->file < 0 && !spill(prologue)) return false;
  while (size > 0) {
    ssize_t written = pwrite(prologue->file, data, size, (off_t)offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data += written;
    size -= (size_t)written;
    offset += (uint64_t)written;
  }
  return true;
}

static bool write_memory(struct prologue *prologue, const uint8_t *data, size_t size)
{
  pthread_mutex_lock(&prologue->lock);
  bool room = bytes_reserve(&prologue->memory, size);
  if (room) {
    memcpy(prologue->memory.data + prologue->memory.size, data, size);
    prologue->memory.size += size;
  }
  pthread_mutex_unlock(&prologue->lock);
  if (!room) errno = ENOMEM;
  return room;
}

/* All or nothing. Once something is in the file, all that follows goes there. */
static bool store(struct prologue *prologue, const uint8_t *data, size_t size)
{
  bool spilled = prologue->written > prologue->memory.size;
  bool fits = !spilled && prologue->written + size <= prologue->max_memory;
  bool stored = fits ? write_memory(prologue, data, size)
                     : write_file(prologue, data, size, prologue->written - prologue->memory.size);
  if (stored) prologue->written += size;
  return stored;
}

static void put_u16(uint8_t *to, uint16_t value)
{
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

static void put_u32(uint8_t *to, uint32_t value)
{
  put_u16(to, (uint16_t)(value >> 16));
  put_u16(to + 2, (uint16_t)value);
}

static void put_u64(uint8_t *to, uint64_t value)
{
  put_u32(to, (uint32_t)(value >> 32));
  put_u32(to + 4, (uint32_t)value);
}

/* Under the lock. */
static bool reserve_secret(struct prologue *prologue)
{
  if (prologue->n_secrets < prologue->secrets_room) return true;
  uint32_t room = prologue->secrets_room ? prologue->secrets_room * 2 : 8;
  if (room > SECRETS_MAX) return false;
  struct evp_secret *secrets = reallocarray(prologue->secrets, room, sizeof *secrets);
  if (!secrets) return false;
  prologue->secrets = secrets;
  prologue->secrets_room = room;
  return true;
}

/* Of the record that comes next into the block. */
static bool note_secret(struct prologue *prologue, const struct evp_secret *secret)
{
  pthread_mutex_lock(&prologue->lock);
  bool room = reserve_secret(prologue);
  if (room) {
    struct evp_secret *noted = &prologue->secrets[prologue->n_secrets++];
    *noted = *secret;
    noted->offset += prologue->written + prologue->block.size;
  }
  pthread_mutex_unlock(&prologue->lock);
  return room;
}

/* Those of a block that could not be stored. */
static void forget_secrets(struct prologue *prologue)
{
  pthread_mutex_lock(&prologue->lock);
  while (prologue->n_secrets && prologue->secrets[prologue->n_secrets - 1].offset >= prologue->written)
    prologue->n_secrets--;
  pthread_mutex_unlock(&prologue->lock);
}

static void close_block(struct prologue *prologue)
{
  if (prologue->records == 0) return;
  uint8_t *marker = prologue->block.data;
  put_u16(marker, EVP_BLOCK_MARKER);
  put_u64(marker + 2, prologue->begin);
  put_u32(marker + 10, (uint32_t)prologue->block.size);
  put_u64(marker + 14, prologue->end);
  put_u16(marker + 22, prologue->cap);
  if (!store(prologue, marker, prologue->block.size)) {
    leave_out(prologue, prologue->records, "definitions can not be kept", strerror(errno));
    forget_secrets(prologue);
  }
  prologue->block.size = 0;
  prologue->records = 0;
}

static bool begin_block(struct prologue *prologue, uint16_t cap, uint64_t time)
{
  if (!bytes_reserve(&prologue->block, MARKER)) return false;
  prologue->block.size = MARKER;
  prologue->cap = cap;
  prologue->begin = prologue->end = time;
  return true;
}

bool prologue_header(struct prologue *prologue, const uint8_t *data, size_t size)
{
  if (size > prologue->max_size) return leave_out(prologue, 0, "the header is larger than the prologue may be", NULL);
  if (!store(prologue, data, size)) return leave_out(prologue, 0, "the header can not be kept", strerror(errno));
  prologue_seal(prologue);
  return true;
}

bool prologue_append(struct prologue *prologue, uint16_t cap, uint64_t time, const uint8_t *record, size_t size,
  const struct evp_secret *secret)
{
  if (prologue->records && (prologue->cap != cap || prologue->block.size > BLOCK_MAX)) close_block(prologue);
  if (prologue->written + prologue->block.size + size + MARKER > prologue->max_size)
    return leave_out(prologue, 1, "the prologue is full (prologue: max_size)", NULL);
  if (prologue->written == 0) return leave_out(prologue, 1, "there is no header", NULL);
  bool begun = prologue->records || begin_block(prologue, cap, time);
  if (!begun || !bytes_reserve(&prologue->block, size))
    return leave_out(prologue, 1, "definitions can not be kept", strerror(ENOMEM));
  if (secret && !note_secret(prologue, secret))
    return leave_out(prologue, 1, "there are too many definitions with secrets", NULL);
  memcpy(prologue->block.data + prologue->block.size, record, size);
  prologue->block.size += size;
  prologue->records++;
  if (time < prologue->begin) prologue->begin = time;
  if (time > prologue->end) prologue->end = time;
  return true;
}

uint64_t prologue_seal(struct prologue *prologue)
{
  close_block(prologue);
  if (prologue->length == prologue->written) return prologue->length;
  pthread_mutex_lock(&prologue->lock);
  prologue->length = prologue->written;
  pthread_mutex_unlock(&prologue->lock);
  return prologue->length;
}

/* Readers hold a const prologue: what is locked does not change what they read. */
static pthread_mutex_t *lock_of(const struct prologue *prologue)
{
  return (pthread_mutex_t *)&prologue->lock;
}

uint64_t prologue_length(const struct prologue *prologue)
{
  pthread_mutex_lock(lock_of(prologue));
  uint64_t length = prologue->length;
  pthread_mutex_unlock(lock_of(prologue));
  return length;
}

static size_t read_file(int file, uint64_t offset, uint8_t *buffer, size_t size)
{
  size_t got = 0;
  while (got < size) {
    ssize_t n = pread(file, buffer + got, size - got, (off_t)(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += (size_t)n;
  }
  return got;
}

size_t prologue_read(const struct prologue *prologue, uint64_t offset, uint64_t end, uint8_t *buffer, size_t size)
{
  pthread_mutex_lock(lock_of(prologue));
  if (end > prologue->length) end = prologue->length;
  if (offset >= end) size = 0;
  if (size > end - offset) size = (size_t)(end - offset);
  size_t in_memory = prologue->memory.size;
  size_t copied = 0;
  if (size && offset < in_memory) {
    copied = size < in_memory - offset ? size : in_memory - (size_t)offset;
    memcpy(buffer, prologue->memory.data + offset, copied);
  }
  int file = prologue->file;
  pthread_mutex_unlock(lock_of(prologue));
  if (copied == size) return copied;
  return copied + read_file(file, offset + copied - in_memory, buffer + copied, size - copied);
}

/* Index of the first secret that ends behind `begin`. */
static uint32_t first_secret(const struct prologue *prologue, uint64_t begin)
{
  uint32_t low = 0, high = prologue->n_secrets;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct evp_secret *secret = &prologue->secrets[middle];
    if (secret->offset + secret->size <= begin)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint32_t prologue_secrets(
  const struct prologue *prologue, uint64_t begin, uint64_t end, struct evp_secret *secrets, uint32_t n)
{
  pthread_mutex_lock(lock_of(prologue));
  uint32_t copied = 0;
  for (uint32_t i = first_secret(prologue, begin); i < prologue->n_secrets && copied < n; i++) {
    if (prologue->secrets[i].offset >= end) break;
    secrets[copied++] = prologue->secrets[i];
  }
  pthread_mutex_unlock(lock_of(prologue));
  return copied;
}

const char *prologue_problem(const struct prologue *prologue, uint64_t *left_out)
{
  pthread_mutex_lock(lock_of(prologue));
  *left_out = prologue->left_out;
  const char *problem = prologue->problem[0] ? prologue->problem : NULL;
  pthread_mutex_unlock(lock_of(prologue));
  return problem;
}
