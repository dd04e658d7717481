#include "label.h"

#include "hash.h"
#include "utf8.h"

#include <stdio.h>

enum { HASH_SIZE = 17 }; /* # and 16 hexadecimal digits */

void label_begin(struct label *label)
{
  label->size = 0;
  label->cut = false;
  label->hash = hash_name("", 0);
}

void label_add(struct label *label, const void *piece, size_t size)
{
  label->hash = hash_name_more(label->hash, piece, size);
  if (label->cut) return;
  size_t rest;
  label->size +=
    utf8_repair(label->text + label->size, LABEL_MAX - label->size, piece, size, UTF8_REPLACE_CONTROLS, &rest);
  label->cut = rest > 0;
}

void label_end(struct label *label)
{
  if (label->cut) {
    label->size = utf8_cut(label->text, label->size, LABEL_MAX - HASH_SIZE);
    snprintf(label->text + label->size, HASH_SIZE + 1, "#%016llx", (unsigned long long)label->hash);
    label->size += HASH_SIZE;
  }
  label->text[label->size] = '\0';
}

void label_make(struct label *label, const void *text, size_t size)
{
  label_begin(label);
  label_add(label, text, size);
  label_end(label);
}
