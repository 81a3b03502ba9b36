// SPDX-License-Identifier: Apache-2.0
/* What works without being registered, so that a new keyboard never needs an administrator at the terminal.
 * Everything here takes input or reads a card; nothing here has a recording function. */
#include "policy_office.h"

#define CLASS_HID 0x03 /* Device Class Definition for HID 1.11, section 4 */

static bool is_boot_input(const struct skm_usb_interface *interface)
{
	enum skm_device_kind kind = skm_usb_interface_kind(interface);
	return kind == SKM_KIND_KEYBOARD || kind == SKM_KIND_MOUSE;
}

/* HID without the boot protocol: media keys, a receiver's second half, or a channel of unknown purpose
 * (hidraw). It is believed only next to a boot keyboard or mouse and in a number that such devices have. */
static bool belongs_to_boot_input(const struct skm_device *device, uint8_t configuration)
{
	bool has_boot_input = false;
	unsigned hid_count = 0;
	const struct skm_usb_interface *previous = NULL;
	for (size_t i = 0; i < device->interface_count; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		if (interface->configuration != configuration || interface->class_code != CLASS_HID)
			continue;
		/* sorted by number: the alternate settings of one interface are neighbours and count once */
		if (!previous || previous->number != interface->number)
			hid_count++;
		previous = interface;
		has_boot_input = has_boot_input || is_boot_input(interface);
	}
	return has_boot_input && hid_count <= SKM_OFFICE_HID_INTERFACES_MAX;
}

bool skm_office_allows(const struct skm_device *device, size_t index)
{
	const struct skm_usb_interface *interface = &device->interfaces[index];
	enum skm_device_kind kind = skm_usb_interface_kind(interface);
	if (kind == SKM_KIND_HUB || kind == SKM_KIND_SMART_CARD || is_boot_input(interface))
		return true;
	return kind == SKM_KIND_HID && belongs_to_boot_input(device, interface->configuration);
}

bool skm_office_allows_early(const struct skm_device *device, size_t index)
{
	enum skm_device_kind kind = skm_usb_interface_kind(&device->interfaces[index]);
	return kind == SKM_KIND_HUB || kind == SKM_KIND_KEYBOARD;
}
