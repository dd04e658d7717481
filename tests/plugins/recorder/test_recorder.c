/* The sink `recorder` at the contract: a log in pieces, with gaps between them and a disk that is full now and then. Each file
 * must be sound, whatever happened, and everything that is not in one must have been counted. */
#include "check_main.h"
#include "recording.h"
#include "sink_host.h"
#include "text.h"
#include <dirent.h>
#include <evpipe/events.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARKER = 24, BLOCKS = 12, RECORDS = 9, BOUNDARIES = 1 + BLOCKS * (RECORDS + 1) + 1 };

static const struct evp_plugin *const plugin = &evp_plugin_entry;
static const struct evp_event_type types[] = {{.number = 18, .size = 14, .description = "Block marker"},
  {.number = 19, .size = 0xffff, .description = "User message"}};
static const char header[] = "hdrbhetb"
                             "etb\0\0\22\0\16\0\0\0\0\0\0\0\0ete\0"
                             "etb\0\0\23\xff\xff\0\0\0\0\0\0\0\0ete\0"
                             "hetehdredatb";
enum { HEADER = sizeof header - 1 };

static char folder[64];
static struct sink_host *host;
static struct recording local;
static bool disk_was_full;
static rlim_t largest_file = RLIM_INFINITY;
static struct sink_host_stream facts;
static const struct evp_stream *stream;

/* The log, and where in it what ends. */
static struct evp_buf whole_log;
static size_t boundaries[BOUNDARIES], blocks[BLOCKS + 1];
static size_t n_boundaries;

/* ------------------------------------------------------------------------------------------------------------- the log */

static void put_number(uint64_t value, int bytes)
{
  while (bytes--) text_put_char(&whole_log, (char)(value >> 8 * bytes));
}

static void put_message(unsigned number)
{
  char text[64];
  int size =
    snprintf(text, sizeof text, "message %u %.*s", number, (int)(number % 30), "..............................");
  put_number(19, 2);
  put_number(number, 8);
  put_number((uint64_t)size, 2);
  text_put(&whole_log, text, (size_t)size);
}

static void make_log(void)
{
  text_put(&whole_log, header, HEADER);
  boundaries[n_boundaries++] = whole_log.size;
  for (unsigned b = 0; b < BLOCKS; b++) {
    size_t at = blocks[b] = whole_log.size;
    put_number(18, 2);
    put_number(b * 100, 8);
    put_number(0, 4);
    put_number(b * 100 + 99, 8);
    put_number(0, 2);
    boundaries[n_boundaries++] = whole_log.size;
    for (unsigned i = 0; i < RECORDS; i++) {
      put_message(b * 100 + i);
      boundaries[n_boundaries++] = whole_log.size;
    }
    uint8_t *size = whole_log.data + at + 10;
    size[2] = (uint8_t)((whole_log.size - at) >> 8);
    size[3] = (uint8_t)(whole_log.size - at);
  }
  blocks[BLOCKS] = whole_log.size;
  put_number(0xffff, 2);
  boundaries[n_boundaries++] = whole_log.size;
}

static size_t whole_at(size_t place)
{
  size_t whole = 0;
  for (size_t i = 0; i < n_boundaries && boundaries[i] <= place; i++) whole = boundaries[i];
  return whole;
}

/* The block that is not over at that boundary. */
static uint64_t block_at(size_t place)
{
  for (size_t b = 0; b < BLOCKS; b++)
    if (place > blocks[b] && place < blocks[b + 1]) return blocks[b];
  return UINT64_MAX;
}

static struct evp_batch piece(size_t from, size_t to)
{
  struct evp_batch batch = {.signal = EVP_BYTES,
    .flags = EVP_BATCH_FRAMED,
    .stream = stream,
    .origin = "test",
    .bytes = whole_log.data + from,
    .n = (uint32_t)(to - from),
    .sync = (uint32_t)(to - from),
    .offset = from,
    .whole = whole_at(to),
    .block = block_at(whole_at(to)),
    .prologue = HEADER};
  for (size_t b = BLOCKS; b-- > 0;)
    if (blocks[b] >= from && blocks[b] + MARKER <= batch.whole) batch.sync = (uint32_t)(blocks[b] - from);
  if (from == 0 && batch.whole >= HEADER) batch.sync = 0;
  if (batch.sync == 0 && from == 0) batch.prologue = 0;
  batch.prologue_end = batch.whole >= HEADER ? HEADER : 0;
  if (batch.whole == whole_log.size) batch.flags |= EVP_BATCH_ENDED;
  return batch;
}

/* ----------------------------------------------------------------------------------------------------------- the sink */

static void setup(void)
{
  strcpy(folder, "/tmp/evpipe-recorder-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  facts = (struct sink_host_stream){.source = "app",
    .service = "oddball",
    .types = types,
    .n_types = 2,
    .prologue = (const uint8_t *)header,
    .prologue_size = HEADER,
    .end.block = UINT64_MAX,
    .local = &local};
  stream = sink_host_stream(&facts);
  signal(SIGXFSZ, SIG_IGN); /* as the core does */
  if (!whole_log.size) make_log();
}

static void end_host(void)
{
  if (host) {
    plugin->stop(host->self);
    sink_host_free(host);
  }
  host = NULL;
}

static void each_file(void (*visit)(const char *path))
{
  char path[512];
  DIR *dir = opendir(folder);
  for (struct dirent *entry; (entry = readdir(dir));) {
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.') visit(path);
  }
  closedir(dir);
}

static void delete_file(const char *path)
{
  unlink(path);
}

static void teardown(void)
{
  end_host();
  each_file(delete_file);
  rmdir(folder);
}

static enum evp_status create(const char *name, const char *more, uint32_t signals)
{
  char options[512];
  snprintf(options, sizeof options, "path=%s/%s %s", folder, name, more);
  host = sink_host_new(plugin, options);
  host->input_signals = signals;
  return sink_host_create(host);
}

static void begin(const char *name, const char *more)
{
  ck_assert_int_eq(create(name, more, EVP_BYTES), EVP_OK);
  ck_assert_int_eq(plugin->start(host->self), EVP_OK);
  ck_assert_int_eq(plugin->stream_begin(host->self, stream), EVP_OK);
}

/* How large a file may become while the recorder is called: Check has files of its own. */
static void limit_now(rlim_t size)
{
  struct rlimit limit = {size, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limit);
}

static void limit(rlim_t size)
{
  largest_file = size;
}

static void give(size_t from, size_t to)
{
  struct evp_batch batch = piece(from, to);
  limit_now(largest_file);
  enum evp_status status = plugin->write(host->self, &batch);
  limit_now(RLIM_INFINITY);
  ck_assert_int_eq(status, EVP_OK);
}

static void tick(void)
{
  limit_now(largest_file);
  enum evp_status status = plugin->tick(host->self, 1, NULL);
  limit_now(RLIM_INFINITY);
  ck_assert_int_eq(status, EVP_OK);
}

static void tell_gap(uint64_t items)
{
  struct evp_gap gap = {.stream = stream, .signal = EVP_BYTES, .items = items};
  ck_assert_int_eq(plugin->gap(host->self, &gap), EVP_OK);
}

static void end(size_t at)
{
  facts.state = at == whole_log.size ? EVP_STREAM_COMPLETE : EVP_STREAM_CUT;
  facts.end = (struct evp_stream_end){whole_at(at), block_at(whole_at(at)), at == whole_log.size};
  ck_assert_int_eq(plugin->stream_end(host->self, stream), EVP_OK);
  facts.state = EVP_STREAM_OPEN;
}

static uint64_t dropped(void)
{
  uint64_t sum = 0;
  for (const char *at = sink_host_said(host); (at = strstr(at, "drop ")); at++) sum += strtoull(at + 5, NULL, 10);
  return sum;
}

/* ----------------------------------------------------------------------------------------------------------- the files */

static struct {
  bool unmarked_may_be; /* the disk was full when the end marker was to be written */
  size_t files, unmarked, bytes, messages;
  bool seen[BLOCKS * 100];
} found;

static struct evp_buf read_file(const char *path)
{
  struct evp_buf data = {0};
  struct stat stat;
  int fd = open(path, O_RDONLY);
  ck_assert_msg(fd >= 0 && !fstat(fd, &stat), "%s", path);
  ck_assert(evp_buf_grow(&data, (size_t)stat.st_size + 1));
  data.size = (size_t)stat.st_size;
  ck_assert_int_eq(read(fd, data.data, data.size), stat.st_size);
  close(fd);
  return data;
}

/* Header, blocks that are as long as they say and full of whole records, the end marker, nothing else. */
static void check_file(const char *path)
{
  struct evp_buf data = read_file(path);
  size_t at = HEADER;
  ck_assert_msg(data.size >= HEADER + 2, "%s has %zu bytes", path, data.size);
  ck_assert_mem_eq(data.data, header, HEADER);
  while (at < data.size && evp_u16(data.data + at) == 18) {
    size_t stop = at + evp_u32(data.data + at + 10);
    ck_assert_uint_le(stop, data.size);
    for (at += MARKER; at < stop; found.messages++) {
      ck_assert_uint_eq(evp_u16(data.data + at), 19);
      found.seen[evp_u64(data.data + at + 2)] = true;
      at += 12u + evp_u16(data.data + at + 10);
    }
    ck_assert_uint_eq(at, stop);
  }
  bool marked = at + 2 == data.size && evp_u16(data.data + at) == 0xffff;
  ck_assert_msg(marked || (found.unmarked_may_be && at == data.size), "%s does not end well", path);
  found.unmarked += !marked;
  found.files++;
  found.bytes += data.size;
  text_free(&data);
}

static void check_files(void)
{
  memset(&found, 0, sizeof found);
  found.unmarked_may_be = disk_was_full;
  each_file(check_file);
}

/* ----------------------------------------------------------------------------------------------------------- the tests */

START_TEST(test_any_two_pieces)
{
  for (size_t at = 1; at < whole_log.size; at++) {
    begin("x", "");
    give(0, at);
    give(at, whole_log.size);
    end(whole_log.size);
    check_files();
    ck_assert_uint_eq(found.bytes, whole_log.size);
    ck_assert_str_eq(sink_host_said(host), "");
    end_host();
    each_file(delete_file);
  }
}
END_TEST

/* What was there when the kill comes is whole, but for the end marker and the size of the last block. */
START_TEST(test_cut_anywhere)
{
  for (size_t at = 1; at < whole_log.size; at++) {
    begin("x", "");
    give(0, at);
    end(at);
    check_files();
    size_t whole = whole_at(at);
    ck_assert_uint_eq(found.files, whole >= HEADER);
    if (found.files) ck_assert_uint_eq(found.bytes, whole + 2);
    ck_assert_uint_eq(dropped(), at - whole);
    end_host();
    each_file(delete_file);
  }
}
END_TEST

/* The queue drops pieces, and goes on at one in which a reader may begin. */
static bool lose(size_t from, size_t to, bool *losing, uint64_t *lost)
{
  struct evp_batch batch = piece(from, to);
  if (!*losing && rand() % 6) return false;
  bool starts = !*losing;
  if (!starts && batch.sync < batch.n) {
    *losing = false;
    tell_gap(*lost);
    *lost = 0;
    return false;
  }
  *losing = true;
  *lost += batch.n;
  return true;
}

static void play(unsigned seed, bool full_disk, const char *options)
{
  srand(seed);
  bool losing = false;
  uint64_t lost = 0, all_lost = 0;
  disk_was_full = full_disk;
  begin("{seq}", options);
  for (size_t at = 0, to; at < whole_log.size; at = to) {
    to = at + 1 + (size_t)rand() % 120;
    if (to > whole_log.size) to = whole_log.size;
    if (full_disk) limit(rand() % 3 ? RLIM_INFINITY : local.file.size + (rlim_t)rand() % 200);
    if (lose(at, to, &losing, &lost))
      all_lost += to - at;
    else
      give(at, to);
  }
  limit(RLIM_INFINITY);
  if (losing) tell_gap(lost);
  end(losing ? whole_at(boundaries[0]) : whole_log.size);
  check_files();
  uint64_t recorded = whole_log.size - all_lost - dropped();
  uint64_t frame = found.files * (HEADER + 2) - 2 * found.unmarked;
  /* The header and the end marker are counted once at most, if they were recorded as they came. */
  ck_assert_msg(found.bytes - frame <= recorded && recorded <= found.bytes - frame + HEADER + 2,
    "seed %u: %zu bytes in %zu files, but %" PRIu64 " recorded\n%s", seed, found.bytes, found.files, recorded,
    sink_host_said(host));
  end_host();
  each_file(delete_file);
}

START_TEST(test_gaps)
{
  for (unsigned seed = 0; seed < 300; seed++) play(seed, false, seed % 2 ? "" : "rotate.max_size=4KiB");
}
END_TEST

START_TEST(test_full_disk)
{
  for (unsigned seed = 0; seed < 300; seed++) play(seed, true, seed % 2 ? "" : "rotate.max_age=1us");
}
END_TEST

/* Definitions that came in a gap are put in before what follows it, and only those. */
START_TEST(test_prologue_after_a_gap)
{
  static uint8_t prologue[HEADER + MARKER];
  memcpy(prologue, header, HEADER);
  memcpy(prologue + HEADER, whole_log.data + blocks[0], MARKER);
  prologue[HEADER + 12] = 0;
  prologue[HEADER + 13] = MARKER;
  facts.prologue = prologue;
  facts.prologue_size = sizeof prologue;
  begin("x", "");
  give(0, blocks[2]);
  tell_gap(blocks[4] - blocks[2]);
  struct evp_batch batch = piece(blocks[4], whole_log.size);
  batch.prologue = batch.prologue_end = sizeof prologue;
  ck_assert_int_eq(plugin->write(host->self, &batch), EVP_OK);
  end(whole_log.size);
  check_files();
  ck_assert_uint_eq(found.bytes, whole_log.size - (blocks[4] - blocks[2]) + MARKER);
}
END_TEST

START_TEST(test_exact_after_a_gap)
{
  char path[128];
  begin("x", "fidelity=exact");
  ck_assert(!host->wants_prologue);
  give(0, blocks[2] + 5);
  tell_gap(100);
  give(blocks[3] - 7, blocks[4]);
  end(blocks[4]);
  snprintf(path, sizeof path, "%s/x", folder);
  struct evp_buf data = read_file(path);
  ck_assert_uint_eq(data.size, blocks[2] + 5 + blocks[4] - blocks[3]);
  ck_assert_mem_eq(data.data + blocks[2] + 5, whole_log.data + blocks[3], blocks[4] - blocks[3]);
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "100 bytes are missing behind byte"));
  ck_assert_uint_eq(dropped(), 7);
  text_free(&data);
}
END_TEST

START_TEST(test_said_once)
{
  begin("x", "");
  limit(HEADER + 10);
  for (size_t b = 0; b < BLOCKS; b++) give(b ? blocks[b] : 0, blocks[b + 1]);
  const char *first = strstr(sink_host_said(host), "error ");
  ck_assert_ptr_nonnull(first);
  ck_assert_ptr_null(strstr(first + 1, "error "));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "incomplete"));
  ck_assert_uint_eq(dropped(), blocks[BLOCKS]);
  limit(RLIM_INFINITY);
  end(blocks[BLOCKS]);
  check_files();
  ck_assert_uint_eq(found.files, 0);
}
END_TEST

/* Frames are ended by the clock; what is in one that can not be written is lost, counted, and only that. */
START_TEST(test_zstd_frames)
{
  char path[128];
  struct stat before, after;
  begin("x", "compression=zstd");
  snprintf(path, sizeof path, "%s/x.zst", folder);
  give(0, blocks[2]);
  ck_assert(!stat(path, &before) && before.st_size == 0);
  tick();
  ck_assert(!stat(path, &before) && before.st_size > 0);
  give(blocks[2], blocks[5]);
  limit((rlim_t)before.st_size + 3);
  tick();
  ck_assert(!stat(path, &after) && after.st_size == before.st_size);
  ck_assert_uint_eq(dropped(), blocks[5] - blocks[2]);
  limit(RLIM_INFINITY);
  give(blocks[5], whole_log.size);
  end(whole_log.size);
  ck_assert(!stat(path, &after) && after.st_size > before.st_size);
  ck_assert_uint_eq(dropped(), blocks[5] - blocks[2]);
}
END_TEST

START_TEST(test_name_when_it_is_known)
{
  char path[128];
  begin("{program}-{pid}", "");
  give(0, blocks[1]);
  snprintf(path, sizeof path, "%s/unknown-unknown.part", folder);
  ck_assert(!access(path, F_OK));
  facts.program = "../x";
  give(blocks[1], blocks[2]);
  ck_assert(!access(path, F_OK));
  facts.pid = 12;
  snprintf(path, sizeof path, "%s/_._x-12", folder);
  close(open(path, O_CREAT | O_WRONLY, 0600));
  give(blocks[2], blocks[3]);
  snprintf(path, sizeof path, "%s/_._x-12-2", folder);
  ck_assert(!access(path, F_OK));
  ck_assert_ptr_nonnull(strstr(sink_host_said(host), "a file of that name exists"));
  end(blocks[3]);
}
END_TEST

START_TEST(test_options)
{
  static const struct {
    const char *name, *options;
    uint32_t signals;
    const char *said;
  } bad[] = {{"x", "rotate.max_size=1MiB", EVP_BYTES, "option path: needs {seq}"},
    {"{seq}", "rotate.max_size=10", EVP_BYTES, "option rotate.max_size: must be 4KiB or more"},
    {"{seq}", "rotate.max_age=1s fidelity=exact", EVP_BYTES, "option rotate: does not go with"},
    {"{seq}", "keep.files=3", EVP_BYTES, "option path: needs {start}"},
    {"{seq}/{start}", "keep.size=1MiB", EVP_BYTES, "option path: can not have placeholders in its folder"},
    {"{start}", "keep.files=-1", EVP_BYTES, "option keep.files: can not be negative"},
    {"x", "", EVP_BYTES | EVP_EVENTS, "option from: brings bytes and events"},
    {"x", "fidelity=exact", EVP_EVENTS, "option fidelity: exact is for bytes"},
    {"x", "level=99", EVP_BYTES, "option level: must be from 1 to"},
    {"{x}", "", EVP_BYTES, "option path: '{x}' is no"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ck_assert_int_eq(create(bad[i].name, bad[i].options, bad[i].signals), EVP_ERROR);
    ck_assert_msg(strstr(sink_host_said(host), bad[i].said), "%s", sink_host_said(host));
    end_host();
  }
}
END_TEST

/* A file that is written, by whomever, stays. */
START_TEST(test_keep)
{
  char path[128];
  snprintf(path, sizeof path, "%s/19700101T000000Z-1-3", folder);
  close(open(path, O_CREAT | O_WRONLY, 0600));
  begin("{start}-{seq}", "keep.files=1 rotate.max_age=1us");
  struct sink_host *first = host;
  give(0, blocks[1]);
  ck_assert(access(path, F_OK));
  snprintf(path, sizeof path, "%s/19700101T000000Z-1", folder);
  ck_assert(!access(path, F_OK));
  ck_assert_int_eq(create("{start}-{seq}", "keep.files=1", EVP_BYTES), EVP_OK);
  keeper_tidy(((struct recorder *)host->self)->keeper);
  ck_assert(!access(path, F_OK));
  end_host();
  host = first;
  give(blocks[1], blocks[2]);
  ck_assert(access(path, F_OK));
  end(blocks[2]);
  check_files();
  ck_assert_uint_eq(found.files, 1);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("recorder");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, test_any_two_pieces);
  tcase_add_test(tests, test_cut_anywhere);
  tcase_add_test(tests, test_gaps);
  tcase_add_test(tests, test_full_disk);
  tcase_add_test(tests, test_prologue_after_a_gap);
  tcase_add_test(tests, test_exact_after_a_gap);
  tcase_add_test(tests, test_said_once);
  tcase_add_test(tests, test_zstd_frames);
  tcase_add_test(tests, test_name_when_it_is_known);
  tcase_add_test(tests, test_options);
  tcase_add_test(tests, test_keep);
  return check_main("recorder", tests);
}
