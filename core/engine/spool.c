#include "engine/spool_state.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Pages that a message costs beside its bytes: leaf, pointer map, sequence, header; one of 800 for a large one's map. */
enum { EXTRA_PAGES = 8 };
/* An empty spool gives back to the file system what it does not use, if that is worth the writing. */
enum { FREE_PAGES_KEPT = 2048 };

const char *spool_error(const struct spool *spool)
{
  return spool->error;
}

struct spool_content spool_content(const struct spool *spool)
{
  return spool->content;
}

uint64_t spool_last_id(const struct spool *spool)
{
  return spool->last_id;
}

/* ---------------------------------------------------------------------------------------------------- statements */

/* Runs it to its end, and makes it ready for the next time. */
static int finish(struct spool *spool, enum spool_statement which)
{
  int code = sqlite3_step(spool->statements[which]);
  int reset = sqlite3_reset(spool->statements[which]);
  sqlite3_clear_bindings(spool->statements[which]);
  return code == SQLITE_ROW ? SQLITE_OK : reset;
}

/* The first column of the first row. */
static int number_of(struct spool *spool, enum spool_statement which, uint64_t *number)
{
  sqlite3_stmt *statement = spool->statements[which];
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) *number = (uint64_t)sqlite3_column_int64(statement, 0);
  int reset = sqlite3_reset(statement);
  return code == SQLITE_ROW ? SQLITE_OK : reset;
}

/* Word by word, so that it costs little beside the write; for accidents, not against an enemy. */
static uint64_t checksum(const uint8_t *data, size_t size)
{
  uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ size;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    sum = (sum ^ le64toh(word)) * UINT64_C(0x9e3779b97f4a7c15);
    sum ^= sum >> 32;
  }
  for (; size; data++, size--) sum = (sum ^ *data) * UINT64_C(0x100000001b3);
  return sum;
}

/* ------------------------------------------------------------------------------------------------------- putting */

/* The file, its log, and for a while the message in both. One that is alone is always taken. */
static int has_room(struct spool *spool, size_t size, bool alone, bool *room)
{
  uint64_t pages = 0, unused = 0,
           more = (size / SPOOL_PAGE_SIZE + size / SPOOL_PAGE_SIZE / 512 + EXTRA_PAGES) * SPOOL_PAGE_SIZE;
  int code = number_of(spool, PAGES, &pages);
  if (code == SQLITE_OK) code = number_of(spool, FREE_PAGES, &unused);
  *room = alone || (pages - unused) * SPOOL_PAGE_SIZE + spool->log_size + 2 * more <= spool->options.max_size;
  return code;
}

/* A file that was removed still takes what is written, and gives nothing back after a crash. */
static bool is_in_place(const struct spool *spool)
{
  struct stat status;
  return !stat(spool->options.path, &status) && status.st_ino == spool->inode && status.st_dev == spool->device;
}

/* On a full disk the log may have no room for this, of all things: then it is used from its begin again, if the file
   can take what is in it. */
static int delete_removed(struct spool *spool)
{
  sqlite3_bind_int64(spool->statements[REMOVE], 1, spool_whole(spool->removed));
  int code = finish(spool, REMOVE);
  if (code == SQLITE_FULL && spool_execute(spool, "PRAGMA wal_checkpoint(RESTART)") == SQLITE_OK) {
    sqlite3_bind_int64(spool->statements[REMOVE], 1, spool_whole(spool->removed));
    code = finish(spool, REMOVE);
  }
  spool->undeleted = code != SQLITE_OK;
  return code;
}

static int write_message(struct spool *spool, const struct evp_message *message)
{
  sqlite3_stmt *put = spool->statements[PUT];
  sqlite3_bind_int64(put, 1, spool_whole(message->id));
  sqlite3_bind_int64(put, 2, spool_whole(message->items));
  sqlite3_bind_int64(put, 3, message->first_time);
  sqlite3_bind_int64(put, 4, message->last_time);
  sqlite3_bind_int64(put, 5, spool_whole(checksum(message->data, message->size)));
  sqlite3_bind_blob64(put, 6, message->size ? message->data : (const void *)"", message->size, SQLITE_STATIC);
  return finish(spool, PUT);
}

enum spool_status spool_put(struct spool *spool, const struct evp_message *message)
{
  bool room;
  if (!is_in_place(spool)) {
    spool_say(
      spool->error, spool->options.path, "was moved or removed while evpipe runs; put it back, or restart evpipe");
    return SPOOL_TROUBLE;
  }
  if (spool->undeleted) delete_removed(spool);
  int code = has_room(spool, message->size, !spool->content.messages, &room);
  if (code != SQLITE_OK) return spool_fail(spool, code);
  if (!room) return SPOOL_FULL;
  code = write_message(spool, message);
  if (code != SQLITE_OK) return spool_fail(spool, code);
  if (!spool->content.messages || message->id < spool->content.first_id) spool->content.first_id = message->id;
  spool->content.messages++;
  spool->content.items += message->items;
  spool->content.bytes += message->size;
  if (message->id > spool->last_id) spool->last_id = message->id;
  return SPOOL_OK;
}

/* ------------------------------------------------------------------------------------------------------- taking out */

static void forget_first(struct spool *spool)
{
  free(spool->loaded);
  spool->loaded = NULL;
  spool->unlike_file = false;
  spool->first = (struct evp_message){0};
}

/* The row that the statement stands at. */
static int load(struct spool *spool)
{
  sqlite3_stmt *row = spool->statements[FIRST];
  const void *data = sqlite3_column_blob(row, 6);
  size_t size = (size_t)sqlite3_column_bytes(row, 6), delivered = (size_t)sqlite3_column_int64(row, 5);
  if (!data && size) return SQLITE_NOMEM;
  spool->loaded = malloc(size ? size : 1);
  if (!spool->loaded) return SQLITE_NOMEM;
  if (size) memcpy(spool->loaded, data, size);
  spool->damaged = spool_whole(checksum(spool->loaded, size)) != sqlite3_column_int64(row, 4) || delivered > size;
  if (delivered > size) delivered = 0;
  spool->first = (struct evp_message){.data = spool->loaded + delivered,
    .size = size - delivered,
    .id = (uint64_t)sqlite3_column_int64(row, 0),
    .items = (uint64_t)sqlite3_column_int64(row, 1),
    .format = spool->options.format,
    .first_time = sqlite3_column_int64(row, 2),
    .last_time = sqlite3_column_int64(row, 3)};
  spool->content.first_id = spool->first.id;
  return SQLITE_OK;
}

enum spool_status spool_first(struct spool *spool, struct evp_message *message)
{
  if (!spool->content.messages) return SPOOL_EMPTY;
  if (!spool->loaded) {
    sqlite3_bind_int64(spool->statements[FIRST], 1, spool_whole(spool->removed));
    int code = sqlite3_step(spool->statements[FIRST]);
    int loaded = code == SQLITE_ROW ? load(spool) : SQLITE_CORRUPT; /* fewer than were counted */
    int reset = sqlite3_reset(spool->statements[FIRST]);
    if (code != SQLITE_ROW && code != SQLITE_DONE) loaded = reset;
    if (loaded != SQLITE_OK) return spool_fail(spool, loaded);
  }
  *message = spool->first;
  return spool->damaged ? SPOOL_DAMAGED : SPOOL_OK;
}

/* Without a wait for the disk: the next put, which waits, covers it. */
static enum spool_status lazily(struct spool *spool, int (*change)(struct spool *))
{
  int code = spool_execute(spool, "PRAGMA synchronous=NORMAL");
  if (code == SQLITE_OK) code = change(spool);
  enum spool_status status = code == SQLITE_OK ? SPOOL_OK : spool_fail(spool, code);
  spool_execute(spool, "PRAGMA synchronous=FULL");
  return status;
}

static int write_progress(struct spool *spool)
{
  sqlite3_bind_int64(spool->statements[ADVANCE], 1, spool_whole(spool->first.id));
  sqlite3_bind_int64(spool->statements[ADVANCE], 2, (int64_t)(spool->first.data - spool->loaded));
  sqlite3_bind_int64(spool->statements[ADVANCE], 3, spool_whole(spool->first.items));
  return finish(spool, ADVANCE);
}

enum spool_status spool_advance(struct spool *spool, size_t delivered, uint64_t items)
{
  struct evp_message *first = &spool->first;
  if (!spool->loaded) return SPOOL_OK;
  if (delivered > first->size) delivered = first->size;
  spool->content.items -= first->items - items;
  spool->content.bytes -= delivered;
  first->items = items;
  first->data += delivered;
  first->size -= delivered;
  return spool->unlike_file ? SPOOL_OK : lazily(spool, write_progress);
}

/* Both or none: what was delivered counts bytes of the row. */
static int write_first(struct spool *spool)
{
  int code = spool_execute(spool, "BEGIN");
  if (code == SQLITE_OK) code = write_message(spool, &spool->first);
  if (code == SQLITE_OK) code = write_progress(spool);
  if (code == SQLITE_OK) code = spool_execute(spool, "COMMIT");
  if (code != SQLITE_OK) spool_execute(spool, "ROLLBACK");
  return code;
}

enum spool_status spool_replace(struct spool *spool, struct evp_buf *bytes)
{
  bool room;
  if (!spool->loaded || !bytes->data) return SPOOL_OK;
  spool->content.bytes += bytes->size;
  spool->content.bytes -= spool->first.size;
  free(spool->loaded);
  spool->loaded = bytes->data;
  spool->first.data = bytes->data;
  spool->first.size = bytes->size;
  *bytes = (struct evp_buf){0};
  spool->unlike_file = true;
  int code = has_room(spool, spool->first.size, spool->content.messages == 1, &room);
  if (code != SQLITE_OK) return spool_fail(spool, code);
  if (!room) return SPOOL_FULL;
  enum spool_status status = lazily(spool, write_first);
  spool->unlike_file = status != SPOOL_OK;
  return status;
}

/* What a back end that was long away left behind in the file. */
static int shrink(struct spool *spool)
{
  uint64_t unused = 0;
  int code = number_of(spool, FREE_PAGES, &unused);
  if (code != SQLITE_OK || unused < FREE_PAGES_KEPT) return code;
  return spool_execute(spool, "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)");
}

static int take_out(struct spool *spool)
{
  int code = delete_removed(spool);
  return code == SQLITE_OK && !spool->content.messages ? shrink(spool) : code;
}

enum spool_status spool_remove(struct spool *spool)
{
  if (!spool->loaded) return SPOOL_OK;
  spool->content.messages--;
  spool->content.items -= spool->first.items;
  spool->content.bytes -= spool->first.size;
  spool->removed = spool->first.id;
  forget_first(spool);
  return lazily(spool, take_out);
}

void spool_close(struct spool *spool)
{
  if (!spool) return;
  if (spool->undeleted) delete_removed(spool);
  spool_dispose(spool);
}
