// SPDX-License-Identifier: Apache-2.0
/* What the enforcer asks of the kernel about one device. The device is an O_PATH descriptor of its sysfs
 * folder, never a path: when it is unplugged and another one takes its port, everything through the old
 * descriptor fails with ENOENT or ENODEV, so no decision is ever inherited. sysfs_ops.c is the real one;
 * tests bring their own. */
#ifndef SEKIMORI_DEVICE_OPS_H
#define SEKIMORI_DEVICE_OPS_H

#include "sekimori/device.h"
#include "sekimori/gate.h"

#define SKM_INTERFACE_NAME_BYTES (SKM_USB_PORT_BYTES + 8) /* "1-2.3:255.31" */
#define SKM_DRIVER_NAME_BYTES 32			  /* longer ones are cut: none that matters here is */
#define SKM_LIVE_INTERFACES_MAX 32 /* USB_MAXINTERFACES: of the one active configuration */

struct skm_device_ops {
	/* Reads an attribute, "name" or "folder/name". 0 and the length, or -errno (-EFBIG: larger than
	 * size). */
	int (*read)(void *user, int device, const char *name, char *buf, size_t size, size_t *ret_len);
	/* May take as long as the device pleases. 0 or -errno. */
	int (*write)(void *user, int device, const char *name, const char *value);
	/* The driver that has the interface; "" = none. 0 or -errno. */
	int (*driver)(void *user, int device, const char *interface, char ret_name[SKM_DRIVER_NAME_BYTES]);
	/* The interface folders that exist now. 0, or -E2BIG for more than max. */
	int (*interfaces)(void *user, int device, char (*ret_names)[SKM_INTERFACE_NAME_BYTES], size_t max,
		size_t *ret_count);
	/* Lets that driver look at an interface. 0 when it took it, -ENODEV when it did not, -EBUSY when some
	 * driver has it, -ENOENT when the driver is not loaded, other -errno when it could not be asked.
	 * NULL: lets all drivers look; 0 or -errno, and that none wants it is no error. */
	int (*probe)(void *user, const char *interface, const char *driver);
	/* As skm_controller_close, by bus number. */
	int (*close_controller)(void *user, uint16_t bus_number, struct skm_controller *ret_before);
	/* BLAKE2b-256. */
	void (*hash)(void *user, const void *data, size_t len, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES]);
	void *user;
};

/* The real kernel below sys_root ("/sys"), which is borrowed. */
struct skm_device_ops skm_sysfs_ops(const char *sys_root);

#endif
