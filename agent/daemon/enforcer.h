// SPDX-License-Identifier: Apache-2.0
/* Reads what a device is and brings the kernel's state to what was decided, interface by interface. May block
 * on the device: runs in a worker process only. Idempotent: what is already as it should be is not written.
 */
#ifndef SEKIMORI_ENFORCER_H
#define SEKIMORI_ENFORCER_H

#include "device_ops.h"
#include "sekimori/decision.h"

struct skm_live_interface {
	struct skm_usb_interface interface; /* of the current alternate setting */
	bool is_authorized;
	char driver[SKM_DRIVER_NAME_BYTES]; /* that has it; "" = none */
};

/* What the kernel holds of the device at this moment. */
struct skm_live_state {
	bool is_authorized;
	uint8_t configuration; /* 0 = none */
	unsigned interface_count;
	struct skm_live_interface interfaces[SKM_LIVE_INTERFACES_MAX];
	/* The device's controller, as it was found; closed again if it was open. */
	bool controller_was_open;
	bool controller_is_open;		    /* it could not be closed */
	char foreign_driver[SKM_DRIVER_NAME_BYTES]; /* of SKM_ENFORCER_DRIVER */
};

/* Documented outcomes; negative errno is anything else, and then the device was closed as far as the kernel
 * allowed. */
enum skm_enforcer_result {
	SKM_ENFORCER_GONE = 1,	   /* unplugged, or swapped for another at the same port */
	SKM_ENFORCER_MISMATCH = 2, /* shows interfaces that its descriptors did not: closed again */
	SKM_ENFORCER_CONTROLLER_OPEN =
		3,		 /* the controller would open every interface by itself: nothing was opened */
	SKM_ENFORCER_DRIVER = 4, /* a driver took it that does not belong to its class: closed again */
};

/* Reads only, and needs no privilege: what the device is. 0 or -errno. */
SKM_NODISCARD int skm_enforcer_describe(
	const struct skm_device_ops *ops, int device, const char *port, struct skm_device *ret_device);

/* `port` is the kernel's name of the device. 0 or SKM_ENFORCER_GONE or -errno. */
SKM_NODISCARD int skm_enforcer_inspect(const struct skm_device_ops *ops, int device, const char *port,
	struct skm_device *ret_device, struct skm_live_state *ret_live);

/* Opens what the decision allows and closes the rest. *ret_live is the state afterwards, set whatever the
 * result. */
SKM_NODISCARD int skm_enforcer_apply(const struct skm_device_ops *ops, int device,
	const struct skm_device *description, const struct skm_decision *decision,
	struct skm_live_state *ret_live);

/* As skm_enforcer_apply with a decision that allows something, for the caller that has this very moment
 * inspected the device and found it closed, behind a controller that is closed: `live` is that finding, then
 * the state afterwards. */
SKM_NODISCARD int skm_enforcer_open(const struct skm_device_ops *ops, int device,
	const struct skm_device *description, const struct skm_decision *decision,
	struct skm_live_state *live);

/* Pure: is the kernel's state what the decision asks for? */
bool skm_enforcer_is_satisfied(const struct skm_device *description, const struct skm_decision *decision,
	const struct skm_live_state *live);

#endif
