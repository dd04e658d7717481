/* notify.h: tells systemd how we do, when it asked to be told (sd_notify(3): a datagram to $NOTIFY_SOCKET). */
#ifndef EVPIPE_NOTIFY_H
#define EVPIPE_NOTIFY_H

void notify_service_manager(const char *state); /* "READY=1", "STOPPING=1"; errors are nobody's concern */

#endif
