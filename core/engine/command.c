#include "engine/command.h"
#include "engine/lane.h"
#include "engine/node.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[] = {0xf0, 0x9e, 0x97, 0x8c};

enum { VERSION_AT = sizeof magic, LENGTH_AT, NAME_AT };

struct command_queue {
  const struct evp_ctx *ctx; /* this and the next: while it is open */
  struct source *source;
  struct command_queue *next; /* under the node's commands_lock, as is the node's list */
  pthread_mutex_t lock; /* of what follows */
  bool closed;
  atomic_uint n; /* written under the lock */
  unsigned first;
  struct command commands[COMMANDS_MAX]; /* a ring */
};

/* ------------------------------------------------------------------------------------------------------- one command */

uint8_t command_built_in(const char *word)
{
  static const char *const words[] = {"start-profile", "stop-profile", "start-heap", "stop-heap", "census"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcmp(words[i], word)) return (uint8_t)(i + 1);
  return 0;
}

bool command_write(struct command *command, const char *name_space, uint8_t id)
{
  size_t size = name_space ? strnlen(name_space, COMMAND_NAME_MAX + 1) : 0;
  if (!size || size > COMMAND_NAME_MAX) return false;
  memcpy(command->bytes, magic, sizeof magic);
  command->bytes[VERSION_AT] = 0;
  command->bytes[LENGTH_AT] = (uint8_t)size;
  memcpy(command->bytes + NAME_AT, name_space, size);
  command->bytes[NAME_AT + size] = id;
  command->size = NAME_AT + size + 1;
  return true;
}

const char *command_name_space(const struct command *command, size_t *size)
{
  *size = command->bytes[LENGTH_AT];
  return (const char *)command->bytes + NAME_AT;
}

uint8_t command_id(const struct command *command)
{
  return command->bytes[command->size - 1];
}

/* ------------------------------------------------------------------------------------------------------------- queue */

struct command_queue *command_queue_new(const struct evp_ctx *ctx, struct source *source)
{
  struct node *node = ctx->node;
  struct command_queue *queue = calloc(1, sizeof *queue);
  if (!queue) return NULL;
  pthread_mutex_init(&queue->lock, NULL);
  queue->ctx = ctx;
  queue->source = source;
  pthread_mutex_lock(&node->commands_lock);
  queue->next = node->commands;
  node->commands = queue;
  pthread_mutex_unlock(&node->commands_lock);
  return queue;
}

static void take_out_of_list(struct command_queue *queue)
{
  struct node *node = queue->ctx->node;
  pthread_mutex_lock(&node->commands_lock);
  struct command_queue **link = &node->commands;
  while (*link && *link != queue) link = &(*link)->next;
  if (*link) *link = queue->next;
  pthread_mutex_unlock(&node->commands_lock);
}

void command_queue_close(struct command_queue *queue)
{
  if (!queue || queue->closed) return; /* only its owner writes this */
  take_out_of_list(queue);
  pthread_mutex_lock(&queue->lock);
  queue->closed = true;
  unsigned left = atomic_exchange(&queue->n, 0);
  pthread_mutex_unlock(&queue->lock);
  const struct pipeline_node *config = queue->ctx->node->config;
  const struct pipeline_instance *instance = queue->ctx->instance;
  if (left) /* always said: with what was refused before, the node's budget of lines is used up */
    log_line(LOG_LEVEL_WARNING, config->name, config->place, "%u commands%s%s were not sent: the stream is over", left,
      instance ? " for " : "", instance ? instance->path : "");
}

void command_queue_free(struct command_queue *queue)
{
  if (!queue) return;
  command_queue_close(queue);
  pthread_mutex_destroy(&queue->lock);
  free(queue);
}

/* Under the lock the queue is not closed: the source is there, and in its lane. */
enum evp_status command_queue_push(struct command_queue *queue, const struct command *command)
{
  enum evp_status status = EVP_OK;
  pthread_mutex_lock(&queue->lock);
  unsigned n = atomic_load(&queue->n);
  if (queue->closed) {
    status = EVP_END;
  } else if (n == COMMANDS_MAX) {
    instance_log(queue->ctx, LOG_LEVEL_WARNING,
      "a command was refused: %d wait already, and the program reads none (is it built with control?)", COMMANDS_MAX);
    status = EVP_REJECT;
  } else {
    queue->commands[(queue->first + n) % COMMANDS_MAX] = *command;
    atomic_store(&queue->n, n + 1);
    lane_ask(queue->source);
  }
  pthread_mutex_unlock(&queue->lock);
  return status;
}

bool command_queue_is_empty(const struct command_queue *queue)
{
  return !queue || !atomic_load_explicit(&((struct command_queue *)(uintptr_t)queue)->n, memory_order_acquire);
}

bool command_queue_first(struct command_queue *queue, struct command *command)
{
  pthread_mutex_lock(&queue->lock);
  bool any = atomic_load(&queue->n);
  if (any) *command = queue->commands[queue->first];
  pthread_mutex_unlock(&queue->lock);
  return any;
}

void command_queue_take(struct command_queue *queue)
{
  pthread_mutex_lock(&queue->lock);
  queue->first = (queue->first + 1) % COMMANDS_MAX;
  atomic_fetch_sub(&queue->n, 1);
  pthread_mutex_unlock(&queue->lock);
}

struct commands_pushed commands_push_all(struct node *node, const struct command *command)
{
  struct commands_pushed pushed = {0};
  pthread_mutex_lock(&node->commands_lock);
  for (struct command_queue *queue = node->commands; queue; queue = queue->next) {
    pushed.streams++;
    pushed.queued += command_queue_push(queue, command) == EVP_OK;
  }
  pthread_mutex_unlock(&node->commands_lock);
  return pushed;
}
