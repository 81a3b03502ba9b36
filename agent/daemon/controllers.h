// SPDX-License-Identifier: Apache-2.0
/* Keeps every host controller closed, and says when one was not. */
#ifndef SEKIMORI_CONTROLLERS_H
#define SEKIMORI_CONTROLLERS_H

#include "recorder.h"
#include "sekimori/gate.h"

/* Zero-initialised but for the first two members, which are borrowed. */
struct skm_controllers {
	const char *sys_root;
	const struct skm_recorder *recorder;
	struct skm_gate_state known; /* the controllers that we have closed once */
};

/* A controller appeared, or is to be checked. Every new one opens interfaces by itself
 * (drivers/usb/core/hcd.c), so finding it so is no alarm (CONTROLLER_CLOSED); anything else is
 * (CONTROLLER_OPEN). */
void skm_controllers_check(struct skm_controllers *controllers, const char *name);
void skm_controllers_forget(struct skm_controllers *controllers, const char *name);
/* All of them, and the default for those to come. */
void skm_controllers_check_all(struct skm_controllers *controllers);
/* A worker found the controller of a device open; `is_open`: and could not close it. */
void skm_controllers_report(struct skm_controllers *controllers, uint16_t bus_number, bool is_open);

#endif
