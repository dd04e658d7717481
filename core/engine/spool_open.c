#include "engine/spool_state.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How a file is known for a spool: SQLite keeps both numbers at fixed places of its header. */
enum { APPLICATION_ID = 0x65767053 /* "evpS" */, VERSION = 1 };
enum { HEADER_SIZE = 100, HEADER_APPLICATION_ID = 68 };

/* Pages of PATH-wal, before it is used from its begin again. */
enum { LOG_PAGES_MIN = 16, LOG_PAGES_MAX = 1000 };

/* `progress` is a table of its own: to change a column of `message` would write all its bytes again. */
static const char *const schema =
  "CREATE TABLE owner(plugin TEXT NOT NULL, format INTEGER NOT NULL);"
  "INSERT INTO owner VALUES('', 0);"
  "CREATE TABLE message(id INTEGER PRIMARY KEY AUTOINCREMENT, items INTEGER NOT NULL, first_time INTEGER NOT NULL,"
  " last_time INTEGER NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL);"
  "CREATE TABLE progress(one INTEGER PRIMARY KEY, id INTEGER NOT NULL, delivered INTEGER NOT NULL,"
  " items INTEGER NOT NULL);";

static const char *const texts[STATEMENTS] = {
  [PUT] = "REPLACE INTO message VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
  [FIRST] = ("SELECT message.id, coalesce(progress.items, message.items), first_time, last_time, checksum,"
             " coalesce(delivered, 0), data FROM message LEFT JOIN progress ON progress.id = message.id"
             " WHERE message.id > ?1 ORDER BY message.id LIMIT 1"),
  [REMOVE] = "DELETE FROM message WHERE id <= ?1",
  [ADVANCE] = "REPLACE INTO progress VALUES(1, ?1, ?2, ?3)",
  [PAGES] = "PRAGMA page_count",
  [FREE_PAGES] = "PRAGMA freelist_count",
};

/* ------------------------------------------------------------------------------------------------------- errors */

void spool_say(char error[SPOOL_ERROR_MAX], const char *path, const char *format, ...)
{
  va_list arguments;
  int used = snprintf(error, SPOOL_ERROR_MAX, "spool %.200s: ", path);
  va_start(arguments, format);
  vsnprintf(error + used, SPOOL_ERROR_MAX - (size_t)used, format, arguments);
  va_end(arguments);
}

static enum spool_status classify(int code)
{
  switch (code & 0xff) {
  case SQLITE_OK:
  case SQLITE_DONE:
    return SPOOL_OK;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return SPOOL_BROKEN;
  default:
    return SPOOL_TROUBLE;
  }
}

/* What SQLite's code means for the user; the system's own word where there is one. */
enum spool_status spool_fail(struct spool *spool, int code)
{
  const char *path = spool->options.path;
  int system = spool->database ? sqlite3_system_errno(spool->database) : 0;
  const char *reason = system ? strerror(system) : sqlite3_errstr(code);
  switch (code & 0xff) {
  case SQLITE_BUSY:
    spool_say(spool->error, path, "is in use: by another evpipe, or by another node of this one; each needs its own");
    break;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    spool_say(spool->error, path,
      "is damaged (%s); move it and its -wal away and start again: `sqlite3 FILE .recover` may get messages out of it",
      sqlite3_errstr(code));
    break;
  case SQLITE_FULL:
    spool_say(spool->error, path, "the disk is full (%s)", reason);
    break;
  case SQLITE_READONLY:
  case SQLITE_CANTOPEN:
    spool_say(spool->error, path, "can not be written (%s); its folder, too, must be writable", reason);
    break;
  default:
    spool_say(spool->error, path, "%s (SQLite's code %d)", reason, code);
  }
  return classify(code);
}

int spool_execute(struct spool *spool, const char *sql)
{
  return sqlite3_exec(spool->database, sql, NULL, NULL, NULL);
}

/* Without a prepared statement: what is asked once. `text` gets a copy of the first column, if it is not NULL. */
static int ask(struct spool *spool, const char *sql, uint64_t *numbers, int n, char *text, size_t room)
{
  sqlite3_stmt *statement;
  int code = sqlite3_prepare_v2(spool->database, sql, -1, &statement, NULL);
  if (code != SQLITE_OK) return code;
  code = sqlite3_step(statement);
  for (int i = 0; code == SQLITE_ROW && i < n; i++) numbers[i] = (uint64_t)sqlite3_column_int64(statement, i);
  if (code == SQLITE_ROW && text) {
    const char *column = (const char *)sqlite3_column_text(statement, 0);
    snprintf(text, room, "%s", column ? column : "");
  }
  int final = sqlite3_finalize(statement);
  return code == SQLITE_ROW ? SQLITE_OK : final;
}

/* ------------------------------------------------------------------------------------------------------- opening */

/* The file must be there before SQLite sees it, with a mode that lets only its owner read it; and a file that is
   something else must not be touched. */
static bool look_at_file(struct spool *spool)
{
  const char *path = spool->options.path;
  uint8_t header[HEADER_SIZE] = {0};
  struct stat status;
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
  if (file < 0 && errno == EISDIR) return spool_say(spool->error, path, "is a folder; name a file in it"), false;
  if (file < 0)
    return spool_say(spool->error, path, "can not be opened: %s%s", strerror(errno),
             errno == ENOENT ? "; make its folder first" : ""),
           false;
  bool good = !fstat(file, &status) && S_ISREG(status.st_mode) && pread(file, header, sizeof header, 0) >= 0;
  close(file);
  uint32_t id;
  memcpy(&id, header + HEADER_APPLICATION_ID, sizeof id);
  bool ours = !memcmp(header, "SQLite format 3", 16) && be32toh(id) == APPLICATION_ID;
  if (!good || (status.st_size && !ours))
    return spool_say(spool->error, path, "is no spool of evpipe, and is left as it is; choose another path"), false;
  spool->device = status.st_dev;
  spool->inode = status.st_ino;
  return true;
}

static int open_database(struct spool *spool)
{
  const char *path = spool->options.path;
  char *name = sqlite3_mprintf("%s%s", path[0] == '/' ? "" : "./", path); /* SQLite has names of its own: ":memory:" */
  if (!name) return SQLITE_NOMEM;
  int code = sqlite3_open_v2(name, &spool->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  sqlite3_free(name);
  return code;
}

/* Exclusive before the first access: then SQLite holds the lock to the end, and needs no shared memory. */
static int prepare_file(struct spool *spool)
{
  char begin[256], mode[16] = "";
  uint64_t version = 0;
  snprintf(begin, sizeof begin, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION_ID, VERSION);
  int code = spool_execute(
    spool, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; BEGIN EXCLUSIVE");
  if (code == SQLITE_OK) code = ask(spool, "PRAGMA user_version", &version, 1, NULL, 0);
  if (code == SQLITE_OK && !version) code = spool_execute(spool, schema);
  if (code == SQLITE_OK) code = spool_execute(spool, version ? "COMMIT" : begin);
  if (code == SQLITE_OK && version > VERSION) return SQLITE_MISMATCH;
  if (code == SQLITE_OK) code = ask(spool, "PRAGMA journal_mode=WAL", NULL, 0, mode, sizeof mode);
  return code == SQLITE_OK && strcmp(mode, "wal") ? SQLITE_CANTOPEN : code;
}

static int set_limits(struct spool *spool)
{
  char sql[256];
  uint64_t pages = spool->options.max_size / 4 / SPOOL_PAGE_SIZE;
  if (pages < LOG_PAGES_MIN) pages = LOG_PAGES_MIN;
  if (pages > LOG_PAGES_MAX) pages = LOG_PAGES_MAX;
  spool->log_size = pages * SPOOL_PAGE_SIZE;
  snprintf(sql, sizeof sql,
    "PRAGMA wal_autocheckpoint=%" PRIu64 "; PRAGMA journal_size_limit=%" PRIu64 "; PRAGMA secure_delete=OFF;"
    "PRAGMA cache_spill=OFF; PRAGMA synchronous=FULL",
    pages, spool->log_size);
  return spool_execute(spool, sql);
}

static int prepare_statements(struct spool *spool)
{
  int code = SQLITE_OK;
  for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
    code = sqlite3_prepare_v3(spool->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &spool->statements[i], NULL);
  return code;
}

/* Frames in PATH-wal have checksums, pages in PATH have not: their structure is looked through here, what messages
   hold when each is read. */
static int check_structure(struct spool *spool)
{
  char verdict[64] = "";
  int code = ask(spool, "PRAGMA quick_check(1)", NULL, 0, verdict, sizeof verdict);
  return code == SQLITE_OK && strcmp(verdict, "ok") ? SQLITE_CORRUPT : code;
}

static int count_content(struct spool *spool)
{
  static const char *const sql =
    "SELECT count(*), total(coalesce(progress.items, message.items)), total(length(data) - coalesce(delivered, 0)),"
    " coalesce(min(message.id), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0)"
    " FROM message LEFT JOIN progress ON progress.id = message.id";
  uint64_t numbers[5] = {0};
  int code = ask(spool, sql, numbers, 5, NULL, 0);
  spool->content = (struct spool_content){numbers[0], numbers[1], numbers[2], numbers[3]};
  spool->last_id = numbers[4];
  return code;
}

/* What another plugin wrote, or this one in another form, deliver() would not understand. */
static bool take_ownership(struct spool *spool)
{
  const struct spool_options *options = &spool->options;
  char plugin[128] = "", sql[256];
  uint64_t format = 0;
  int code = ask(spool, "SELECT plugin FROM owner", NULL, 0, plugin, sizeof plugin);
  if (code == SQLITE_OK) code = ask(spool, "SELECT format FROM owner", &format, 1, NULL, 0);
  bool same = !strcmp(plugin, options->plugin) && format == options->format;
  if (code == SQLITE_OK && !same && spool->content.messages)
    return spool_say(spool->error, options->path,
             "holds %" PRIu64 " messages of plugin %s, format %" PRIu64
             "; this is %s, format %u: deliver them with that "
             "first, or choose another path",
             spool->content.messages, plugin, format, options->plugin, options->format),
           false;
  sqlite3_snprintf(
    sizeof sql, sql, "UPDATE owner SET plugin = %Q, format = %lld", options->plugin, (long long)options->format);
  if (code == SQLITE_OK && !same) code = spool_execute(spool, sql);
  return code == SQLITE_OK || (spool_fail(spool, code), false);
}

static bool set_up(struct spool *spool)
{
  static int (*const steps[])(struct spool *) = {
    open_database, prepare_file, set_limits, check_structure, count_content, prepare_statements};
  if (!look_at_file(spool)) return false;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    int code = steps[i](spool);
    if (code == SQLITE_MISMATCH)
      return spool_say(spool->error, spool->options.path, "was made by a newer evpipe; this one can not read it"),
             false;
    if (code != SQLITE_OK) return spool_fail(spool, code), false;
  }
  return take_ownership(spool);
}

void spool_dispose(struct spool *spool)
{
  for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(spool->statements[i]);
  sqlite3_close(spool->database);
  free(spool->loaded);
  free(spool);
}

struct spool *spool_open(const struct spool_options *options, char error[SPOOL_ERROR_MAX])
{
  struct spool *spool = calloc(1, sizeof *spool);
  if (!spool) return spool_say(error, options->path, "no memory"), NULL;
  spool->options = *options;
  if (set_up(spool)) return spool;
  memcpy(error, spool->error, SPOOL_ERROR_MAX);
  spool_dispose(spool);
  return NULL;
}
