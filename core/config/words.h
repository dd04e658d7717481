/* words.h: a text split into words as a shell would: blanks, quotes, backslashes. Nothing is expanded. */
#ifndef EVPIPE_CONFIG_WORDS_H
#define EVPIPE_CONFIG_WORDS_H

#include "config/memory.h"
#include <evpipe.h>

/* NULL, or what is wrong with the text; then *words is left alone. */
const char *split_words(struct config_memory *, const char *text, struct evp_strings *words);

#endif
