#include "engine/command_sender.h"
#include "engine/node.h"
#include "engine/time.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>

/* Between two commands, so that the program reads each by itself: a read that ends within a command's name confuses
   eventlog-socket's parser. */
#define GAP (10 * (uint64_t)NS_PER_MS)
/* So often, at last, one looks whether a program that reads nothing has read the last one. */
#define GAP_MAX (1 * (uint64_t)NS_PER_S)

/* A busy program has not come to what it was sent before. A Unix socket knows; TCP knows only what has not arrived. */
static bool is_unread(int fd)
{
  int bytes;
  return fd >= 0 && !ioctl(fd, SIOCOUTQ, &bytes) && bytes > 0;
}

static void pause_for(struct command_sender *sender, uint64_t pause)
{
  sender->pause = pause < GAP ? GAP : pause < GAP_MAX ? pause : GAP_MAX;
  sender->at = time_monotonic() + sender->pause;
}

static void tell(const struct evp_ctx *ctx, enum log_level level, const char *what, const struct command *command)
{
  size_t size;
  const char *name = command_name_space(command, &size);
  instance_log(ctx, level, "command %.*s %u %s", (int)size, name, command_id(command), what);
}

bool command_send(struct command_sender *sender, struct command_queue *queue, int fd, struct evp_ctx *ctx)
{
  struct command command;
  if (!queue) *sender = (struct command_sender){0}; /* the next stream is another connection */
  if (command_queue_is_empty(queue) || time_monotonic() < sender->at) return true;
  if (!command_queue_first(queue, &command)) return true;
  if (is_unread(fd)) return pause_for(sender, 2 * sender->pause), true;
  enum evp_status status = ctx->node->plugin->send(ctx->self, command.bytes, command.size);
  sender->waits = status == EVP_AGAIN;
  if (sender->waits) return true;
  command_queue_take(queue);
  pause_for(sender, GAP);
  if (status == EVP_OK) {
    tell(ctx, LOG_LEVEL_INFO, "sent", &command);
    return true;
  }
  tell(ctx, LOG_LEVEL_WARNING, "not sent", &command);
  statistics_add(&ctx->node->statistics.errors, 1);
  return status == EVP_REJECT;
}

uint64_t command_deadline(const struct command_sender *sender, const struct command_queue *queue)
{
  return sender->waits || command_queue_is_empty(queue) ? UINT64_MAX : sender->at;
}
