/* memory.h: what a configuration is made of lives and dies together. */
#ifndef EVPIPE_CONFIG_MEMORY_H
#define EVPIPE_CONFIG_MEMORY_H

#include <stddef.h>

struct config_memory;

struct config_memory *config_memory_new(void);
void config_memory_free(struct config_memory *);
/* Zeroed; never NULL: a configuration that does not fit into memory ends the program with a message. */
void *config_alloc(struct config_memory *, size_t size);
char *config_string(struct config_memory *, const char *text, size_t size);
char *config_format(struct config_memory *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
