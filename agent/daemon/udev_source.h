// SPDX-License-Identifier: Apache-2.0
/* The kernel's USB events and the list of what is there. The only file that includes libudev.
 *
 * The monitor listens to the kernel's own netlink group, not to udevd: it works before udevd runs, when it is
 * stopped, and when its rules were deleted. */
#ifndef SEKIMORI_UDEV_SOURCE_H
#define SEKIMORI_UDEV_SOURCE_H

#include "sekimori/device.h"
#include "sekimori/loop.h"

enum skm_usb_action { SKM_USB_ADD, SKM_USB_REMOVE, SKM_USB_CHANGE /* change, bind, unbind, move … */ };
enum skm_usb_object {
	SKM_USB_CONTROLLER, /* a root hub, "usb3" */
	SKM_USB_DEVICE,	    /* "1-2.3" */
	SKM_USB_INTERFACE,  /* "1-2.3:1.0" */
};

struct skm_usb_event {
	enum skm_usb_action action;
	enum skm_usb_object object;
	const char *syspath;		/* borrowed for the call */
	const char *name;		/* last part of syspath */
	uint16_t vendor_id, product_id; /* as the event says; 0 when it does not */
};

struct skm_udev_source;

/* `on_overflow`: events were lost; everything is to be scanned again. */
struct skm_udev_handler {
	int (*on_event)(void *user, const struct skm_usb_event *event);
	int (*on_overflow)(void *user);
	void *user;
};

/* Begins to listen at once. `group` is "kernel" (tests with an imitated udev: "udev"). 0 or -errno. */
SKM_NODISCARD int skm_udev_source_new(struct skm_loop *loop, const char *group, uint32_t receive_buffer_bytes,
	const struct skm_udev_handler *handler, struct skm_udev_source **ret_source);
struct skm_udev_source *skm_udev_source_free(struct skm_udev_source *source);
/* Calls on_event with SKM_USB_ADD for every controller and device that is there now, parents before children.
 */
SKM_NODISCARD int skm_udev_source_scan(struct skm_udev_source *source,
	int (*on_event)(void *user, const struct skm_usb_event *), void *user);
/* 0 or -errno; takes effect at once. */
int skm_udev_source_set_buffer(struct skm_udev_source *source, uint32_t receive_buffer_bytes);

#endif
