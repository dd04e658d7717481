/* assets.h: the page's files, compressed, as embed.py writes them into the plugin. Constant; for any thread. */
#ifndef EVPIPE_DASHBOARD_ASSETS_H
#define EVPIPE_DASHBOARD_ASSETS_H

#include <stddef.h>
#include <stdint.h>

struct asset {
  const char *path; /* "/assets/page.js"; the first is "/" */
  const char *type; /* Content-Type */
  const char *etag; /* in its quotes: of what is in the file */
  const uint8_t *data; /* gzip */
  size_t size;
};

extern const struct asset assets[];
extern const size_t n_assets;

#endif
