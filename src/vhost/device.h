#pragma once

/* The device: a front end's session, the connections of its guest, and the events of both. It ends
 * the event loop itself: with EXIT_SUCCESS when the front end has gone and the last bytes of its
 * guest have arrived, with EXIT_FAILURE (having said why) when guest or front end broke the
 * rules. */

#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Device Device;

/* @listener is the socket listening on @uds_path; both are borrowed. Returns 0 or -errno. */
int device_new(sd_event *event, const char *uds_path, int listener, uint32_t guest_cid,
               Device **ret);
Device *device_free(Device *device);

/* Gives the device its front end, once; takes @fd on success only. Returns 0 or -errno. */
int device_attach(Device *device, int fd);

/* Ends the session, as if the front end had gone. */
void device_end(Device *device);
