/* place.h: puts a file where it belongs, never over another one: if its name is taken, NAME-2, NAME-3, ...
 *
 * Owner    the recording. Threads  one at a time.
 * Errors   false, and errno.
 */
#ifndef EVPIPE_RECORDER_PLACE_H
#define EVPIPE_RECORDER_PLACE_H

#include "file.h"
#include "name.h"

struct place {
  const char *path; /* the template */
  bool create_directories;
  bool sync; /* the folder's entry goes to the disk, too */
};

/* A new file under its name, or under NAME.part while that is not known. *number: 1, or what was put behind the name. */
bool place_create(const struct place *, const struct name_facts *, bool part, struct file *, unsigned *number);
/* The file gets the name that is known now. */
bool place_rename(const struct place *, const struct name_facts *, struct file *, unsigned *number);

#endif
