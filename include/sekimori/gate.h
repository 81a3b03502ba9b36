// SPDX-License-Identifier: Apache-2.0
/* The kernel's own gate: what a host controller does with a new device before anybody has judged it.
 *
 * Source: Documentation/usb/authorization.rst and drivers/usb/core/{hcd,sysfs}.c.
 *   /sys/module/usbcore/parameters/authorized_default   for controllers to come: 0 none, 1 all, 2 internal,
 * -1 by kernel /sys/bus/usb/devices/usbN/authorized_default        0 none, 1 all, 2 internal; any other
 * positive number becomes 1 /sys/bus/usb/devices/usbN/interface_authorized_default   0 or 1; always 1 on a
 * new controller, no module parameter What is written is always read back. */
#ifndef SEKIMORI_GATE_H
#define SEKIMORI_GATE_H

#include <stdbool.h>

#include "sekimori/result.h"

#define SKM_CONTROLLERS_MAX 64

struct skm_controller {
	char name[16];			  /* "usb3" */
	int authorized_default;		  /* as read; -1 = could not be read */
	int interface_authorized_default; /* as read; -1 = could not be read */
};

struct skm_gate_state {
	bool has_module_parameter; /* usbcore is there at all */
	int module_default;	   /* as read */
	unsigned controller_count;
	bool has_more; /* more than SKM_CONTROLLERS_MAX: counts as not closed */
	struct skm_controller controllers[SKM_CONTROLLERS_MAX];
};

/* sys_root is "/sys", or a test's folder. 0 or -errno; a kernel without USB has no controllers and is closed.
 */
SKM_NODISCARD int skm_gate_read(const char *sys_root, struct skm_gate_state *ret_state);
bool skm_controller_is_closed(const struct skm_controller *controller);
bool skm_gate_is_closed(const struct skm_gate_state *state);
/* Writes 0 where it is not 0, reads back. *ret_before (may be NULL) is what was found. 0 = closed now;
 * -EACCES, -EIO … when something stays open. */
SKM_NODISCARD int skm_gate_close(const char *sys_root, struct skm_gate_state *ret_before);
/* One controller, by its name. Its root hub's own interface, which is the controller and no device, is opened
 * if the closed default caught it: without its hub driver the bus would be dead. Same results; -ENODEV when
 * it is gone. */
SKM_NODISCARD int skm_controller_close(
	const char *sys_root, const char *name, struct skm_controller *ret_before);

#endif
