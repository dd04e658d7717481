/* bands_json.h: a band in JSON: the members of its object that say which one it is. Threads  that of the sink. */
#ifndef EVPIPE_DASHBOARD_BANDS_JSON_H
#define EVPIPE_DASHBOARD_BANDS_JSON_H

#include "bands.h"
#include "json_writer.h"

static inline void band_json(struct json *json, const struct band *band)
{
  json_unsigned(json, "id", band->id);
  json_string(json, "name", band_part(band, BAND_NAME));
  json_string(json, "module", band_part(band, BAND_MODULE));
  json_string(json, "type", band_part(band, BAND_TYPE));
  json_string(json, "srcloc", band_part(band, BAND_SRCLOC));
}

#endif
