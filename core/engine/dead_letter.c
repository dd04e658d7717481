#include "engine/dead_letter.h"
#include "engine/time.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool dead_letter_open(struct node *node, int *file)
{
  const char *path = node->config->sink.dead_letter;
  *file = -1;
  if (!path) return true;
  *file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (*file < 0) node_log(node, LOG_LEVEL_ERROR, "dead_letter %s: can not be opened: %s", path, strerror(errno));
  return *file >= 0;
}

static bool write_all(int file, const void *data, size_t size)
{
  const char *at = data;
  while (size) {
    ssize_t written = write(file, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    at += written;
    size -= (size_t)written;
  }
  return true;
}

/* Node and plugin have names that JSON takes as they are. */
static size_t make_head(
  const struct node *node, const struct evp_message *message, bool sealed, const char *reason, char head[512])
{
  char when[32];
  struct tm utc;
  time_t now = (time_t)((uint64_t)time_unix() / NS_PER_S);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  int size = snprintf(head, 512,
    "{\"time\":\"%s\",\"node\":\"%.100s\",\"plugin\":\"%.100s\",\"format\":%" PRIu32 ",\"id\":%" PRIu64
    ",\"reason\":\"%s\",\"items\":%" PRIu64 ",\"size\":%zu%s}\n",
    when, node->config->name, node->plugin->name, message->format, message->id, reason, message->items, message->size,
    sealed ? ",\"sealed\":true" : "");
  return (size_t)size;
}

/* All of it or nothing, and on the disk before the message is forgotten elsewhere. */
static bool append(int file, const char *head, size_t head_size, const struct evp_message *message)
{
  off_t begin = lseek(file, 0, SEEK_END);
  bool good = write_all(file, head, head_size) && write_all(file, message->data, message->size) &&
              write_all(file, "\n", 1) && (!fdatasync(file) || errno == EINVAL);
  int error = errno;
  if (!good && begin >= 0 && ftruncate(file, begin)) error = errno == EINVAL ? error : errno;
  errno = error;
  return good;
}

void dead_letter_write(struct node *node, int file, const struct evp_message *message, bool sealed, const char *reason)
{
  char head[512];
  size_t head_size = make_head(node, message, sealed, reason, head);
  if (sealed)
    node_log(node, LOG_LEVEL_ERROR,
      "dead_letter %s: a message of %" PRIu64 " items can not be unsealed, and is there as it is",
      node->config->sink.dead_letter, message->items);
  while (flock(file, LOCK_EX) && errno == EINTR) {}
  bool good = append(file, head, head_size, message);
  int error = errno;
  flock(file, LOCK_UN);
  if (good) return;
  statistics_add(&node->statistics.errors, 1);
  node_log(node, LOG_LEVEL_ERROR, "dead_letter %s: %s; a message of %" PRIu64 " items is in no file",
    node->config->sink.dead_letter, strerror(error), message->items);
}
