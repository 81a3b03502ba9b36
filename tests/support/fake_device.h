// SPDX-License-Identifier: Apache-2.0
/* A device as the kernel would show it, in memory: what happens to interfaces when `authorized` is written,
 * what a driver does when it is probed, and what goes wrong. Behaves as drivers/usb/core of Linux 6.1 does
 * where the enforcer can see it. */
#ifndef SKM_TEST_FAKE_DEVICE_H
#define SKM_TEST_FAKE_DEVICE_H

#include "device_ops.h"

#define FAKE_INTERFACES_MAX 8

struct fake_interface {
	struct skm_usb_interface announced; /* what the descriptors say */
	uint8_t live_class;		    /* what appears; 0 = as announced */
	bool authorized;
	bool has_driver;
	const char *driver; /* which, while has_driver */
	bool ever_had_driver;
};

struct fake_device {
	const char *port;
	uint8_t descriptors[512];
	size_t descriptor_bytes;
	const char *serial;
	const char *hub_port; /* where the hub tells the connect type "hardwired"; NULL = nowhere */
	bool authorized;
	int configuration;	     /* the one the kernel chooses when authorised */
	bool controller_is_open;     /* interface_authorized_default is 1 */
	bool controller_is_stubborn; /* and cannot be closed */
	unsigned interface_count;
	struct fake_interface interfaces[FAKE_INTERFACES_MAX];

	/* A driver that matches by vendor and product whatever the class is, and comes before those of a
	 * class; NULL = none. */
	const char *vendor_driver;
	bool is_class_driver_absent; /* not loaded (yet) */
	bool is_broken;		     /* the drivers of its class do not want it */

	bool is_gone;	  /* unplugged: everything fails with ENODEV */
	unsigned gone_at; /* becomes gone at that call (1 = the first); 0 = never */
	unsigned fail_at; /* that call fails with EIO */
	unsigned calls;
	unsigned hang_at; /* that call never returns (worker tests) */
};

/* Builds descriptors for the interfaces given (one configuration each value of .announced.configuration). */
void fake_device_init(struct fake_device *fake, const char *port, const struct skm_usb_interface *interfaces,
	unsigned count);
struct skm_device_ops fake_device_ops(struct fake_device *fake);

extern const struct skm_usb_interface fake_keyboard;	 /* 1:0 03:01:01 */
extern const struct skm_usb_interface fake_storage;	 /* 1:0 08:06:50 */
extern const struct skm_usb_interface fake_composite[2]; /* keyboard on 1:0, storage on 1:1 */

#endif
