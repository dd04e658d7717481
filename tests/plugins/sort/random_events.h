/* random_events.h: made-up logs in every kind of disorder, and what a stable sort makes of them. */
#ifndef EVPIPE_TEST_RANDOM_EVENTS_H
#define EVPIPE_TEST_RANDOM_EVENTS_H

#include "fake_host.h"

enum disorder { ORDERED, REVERSED, RANDOM, EQUAL, BLOCKS };

uint32_t random_next(uint32_t *seed);
/* Each payload begins with the event's place in the log. */
struct fake_log *random_log(enum disorder, size_t n, uint32_t seed);

/* The log's events by time, those of equal times in their order; to be freed. */
const struct evp_event **stable_order(const struct fake_log *);

/* A block marker, and an event whose payload is its time. */
void add_marker(struct fake_log *, uint64_t begin, uint64_t end, uint16_t cap);
void add_event(struct fake_log *, uint64_t time, uint16_t cap);

#endif
