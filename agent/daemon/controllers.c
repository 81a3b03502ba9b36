// SPDX-License-Identifier: Apache-2.0
#include "controllers.h"

#include <stdio.h>
#include <string.h>

static void record(struct skm_controllers *controllers, const char *name, enum skm_event event,
	enum skm_outcome outcome, const char *detail)
{
	struct skm_record one;
	skm_record_init(&one, event);
	one.outcome = outcome;
	(void)snprintf(one.rule, sizeof(one.rule), "builtin:gate");
	(void)snprintf(one.object, sizeof(one.object), "%s", name);
	(void)snprintf(one.detail, sizeof(one.detail), "%s", detail);
	controllers->recorder->record(controllers->recorder->user, &one);
}

static struct skm_controller *find(struct skm_controllers *controllers, const char *name)
{
	for (unsigned i = 0; i < controllers->known.controller_count; i++)
		if (strcmp(controllers->known.controllers[i].name, name) == 0)
			return &controllers->known.controllers[i];
	return NULL;
}

void skm_controllers_check(struct skm_controllers *controllers, const char *name)
{
	struct skm_controller before;
	char detail[160];
	int r = skm_controller_close(controllers->sys_root, name, &before);
	if (r == -ENODEV)
		return;
	bool was_known = find(controllers, name) != NULL;
	struct skm_gate_state *known = &controllers->known;
	if (r < 0) {
		(void)snprintf(detail, sizeof(detail), "cannot be closed: %s", strerrordesc_np(-r));
		record(controllers, name, SKM_EVENT_CONTROLLER_OPEN, SKM_OUTCOME_ERROR, detail);
		return;
	}
	if (!was_known && known->controller_count < SKM_CONTROLLERS_MAX)
		known->controllers[known->controller_count++] = before;
	if (skm_controller_is_closed(&before))
		return;
	(void)snprintf(detail, sizeof(detail),
		"authorized_default was %d, interface_authorized_default was %d; now both 0",
		before.authorized_default, before.interface_authorized_default);
	bool is_expected = !was_known && before.authorized_default == 0;
	record(controllers, name, is_expected ? SKM_EVENT_CONTROLLER_CLOSED : SKM_EVENT_CONTROLLER_OPEN,
		SKM_OUTCOME_BLOCKED, detail);
}

void skm_controllers_forget(struct skm_controllers *controllers, const char *name)
{
	struct skm_controller *controller = find(controllers, name);
	if (controller)
		*controller = controllers->known.controllers[--controllers->known.controller_count];
}

void skm_controllers_check_all(struct skm_controllers *controllers)
{
	struct skm_gate_state before = {0};
	char detail[128];
	if (skm_gate_read(controllers->sys_root, &before) == 0)
		for (unsigned i = 0; i < before.controller_count; i++)
			skm_controllers_check(controllers, before.controllers[i].name);
	int r = skm_gate_close(controllers->sys_root, &before);
	if (before.has_module_parameter && before.module_default != 0) {
		(void)snprintf(detail, sizeof(detail), "usbcore's default for new controllers was %d; %s",
			before.module_default, r < 0 ? "cannot be closed" : "now 0");
		record(controllers, "usbcore", SKM_EVENT_CONTROLLER_OPEN,
			r < 0 ? SKM_OUTCOME_ERROR : SKM_OUTCOME_BLOCKED, detail);
	}
}

void skm_controllers_report(struct skm_controllers *controllers, uint16_t bus_number, bool is_open)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "usb%u", bus_number);
	if (is_open)
		record(controllers, name, SKM_EVENT_CONTROLLER_OPEN, SKM_OUTCOME_ERROR, "cannot be closed");
	else
		record(controllers, name, SKM_EVENT_CONTROLLER_OPEN, SKM_OUTCOME_BLOCKED,
			"was open when a device was looked at; closed");
}
