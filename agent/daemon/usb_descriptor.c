// SPDX-License-Identifier: Apache-2.0
/* The gate's eyes. An unauthorised device has no interface directories and udev no ID_USB_INTERFACES, so what
 * a device can do must be read from its descriptors, which the device itself wrote.
 *
 * The yardstick is what the kernel would make of the same bytes (usb_parse_configuration in
 * drivers/usb/core/config.c): an interface that the kernel sees must never be missing here; one that only we
 * see costs an attacker his own device. What the kernel skips with a warning is refused where it could be a
 * lie about where something begins or ends. libusb was rejected: it reads configurations from the same file,
 * but stops quietly at what it does not understand. */
#include <string.h>

#include "usb_descriptor.h"

/* USB 2.0, table 9-5 */
#define TYPE_DEVICE 0x01
#define TYPE_CONFIGURATION 0x02
#define TYPE_INTERFACE 0x04

/* USB 2.0, tables 9-8, 9-10, 9-12: sizes and offsets */
#define HEADER_BYTES 2u /* bLength, bDescriptorType: the least that any descriptor has */
#define DEVICE_BYTES 18u
#define DEVICE_CLASS 4u
#define DEVICE_VENDOR 8u
#define DEVICE_PRODUCT 10u
#define DEVICE_RELEASE 12u
#define DEVICE_CONFIGURATIONS 17u
#define CONFIGURATION_BYTES 9u
#define CONFIGURATION_TOTAL 2u
#define CONFIGURATION_VALUE 5u
#define INTERFACE_BYTES 9u
#define INTERFACE_NUMBER 2u
#define INTERFACE_CLASS 5u
#define INTERFACE_SUBCLASS 6u
#define INTERFACE_PROTOCOL 7u

#define CONFIGURATIONS_MAX 8u /* USB_MAXCONFIG, drivers/usb/core/config.c */
#define CLASS_HID 0x03

struct cursor {
	const uint8_t *bytes;
	size_t len;
};

static uint16_t little_endian16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* A 16-bit member of the device descriptor, or 0 where the bytes do not reach. */
static uint16_t member16(const uint8_t *bytes, size_t len, size_t offset)
{
	return len >= offset + 2 ? little_endian16(bytes + offset) : 0;
}

/* The order of skm_device.interfaces. */
static int compare_interfaces(const struct skm_usb_interface *a, const struct skm_usb_interface *b)
{
	_Static_assert(sizeof(*a) == 5, "the bytes of an entry are its order");
	return memcmp(a, b, sizeof(*a));
}

/* Keeps the entries sorted and distinct. */
static enum skm_descriptor_state add_interface(
	struct skm_device *device, const struct skm_usb_interface *interface)
{
	size_t low = 0, high = device->interface_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_interfaces(&device->interfaces[middle], interface);
		if (order == 0)
			return SKM_DESCRIPTOR_OK;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (device->interface_count == SKM_USB_INTERFACES_MAX)
		return SKM_DESCRIPTOR_TOO_LARGE;
	memmove(&device->interfaces[low + 1], &device->interfaces[low],
		(device->interface_count - low) * sizeof(device->interfaces[0]));
	device->interfaces[low] = *interface;
	device->interface_count++;
	return SKM_DESCRIPTOR_OK;
}

/* One descriptor inside a configuration: its length was checked to lie within. */
static enum skm_descriptor_state read_descriptor(
	struct skm_device *device, uint8_t configuration, const uint8_t *bytes, uint8_t length)
{
	switch (bytes[1]) {
	case TYPE_DEVICE:
	case TYPE_CONFIGURATION:
		/* Then the configuration ended before it said it would: who knows whose the next interface
		 * is? */
		return SKM_DESCRIPTOR_CONTRADICTION;
	case TYPE_INTERFACE: {
		if (length < INTERFACE_BYTES)
			return SKM_DESCRIPTOR_CONTRADICTION;
		struct skm_usb_interface interface = {
			.configuration = configuration,
			.number = bytes[INTERFACE_NUMBER],
			.class_code = bytes[INTERFACE_CLASS],
			.subclass = bytes[INTERFACE_SUBCLASS],
			.protocol = bytes[INTERFACE_PROTOCOL],
		};
		return add_interface(device, &interface);
	}
	default:
		return SKM_DESCRIPTOR_OK;
	}
}

/* Walks over what follows the head of a configuration, to its very end. */
static enum skm_descriptor_state read_body(
	struct skm_device *device, uint8_t configuration, struct cursor body)
{
	while (body.len > 0) {
		if (body.len < HEADER_BYTES)
			return SKM_DESCRIPTOR_TRUNCATED;
		uint8_t length = body.bytes[0];
		if (length < HEADER_BYTES)
			return SKM_DESCRIPTOR_CONTRADICTION;
		if (length > body.len)
			return SKM_DESCRIPTOR_TRUNCATED;
		enum skm_descriptor_state state = read_descriptor(device, configuration, body.bytes, length);
		if (state != SKM_DESCRIPTOR_OK)
			return state;
		body.bytes += length;
		body.len -= length;
	}
	return SKM_DESCRIPTOR_OK;
}

static bool shows_only_hid(const struct skm_device *device)
{
	for (size_t i = 0; i < device->interface_count; i++)
		if (device->interfaces[i].class_code != CLASS_HID)
			return false;
	return device->interface_count > 0;
}

/* One configuration; moves the cursor behind it. */
static enum skm_descriptor_state read_configuration(struct skm_device *device, struct cursor *rest)
{
	if (rest->len < CONFIGURATION_BYTES)
		return SKM_DESCRIPTOR_TRUNCATED;
	const uint8_t *head = rest->bytes;
	size_t total = little_endian16(head + CONFIGURATION_TOTAL);
	uint8_t head_length = head[0];
	if (head[1] != TYPE_CONFIGURATION || head_length < CONFIGURATION_BYTES || total < head_length)
		return SKM_DESCRIPTOR_CONTRADICTION;

	bool is_short = total > rest->len;
	if (is_short) {
		if (rest->len < head_length)
			return SKM_DESCRIPTOR_TRUNCATED;
		total = rest->len;
	}
	struct cursor body = {head + head_length, total - head_length};
	enum skm_descriptor_state state = read_body(device, head[CONFIGURATION_VALUE], body);
	if (state != SKM_DESCRIPTOR_OK)
		return state;
	/* Cheap keyboards announce more than they send ("config index 0 descriptor too short (expected 59,
	 * got 34)"), and the kernel cuts off what it cannot read without correcting the raw bytes. It works
	 * with what is here, so a device that shows nothing but whole input interfaces is believed; an office
	 * must not lose its keyboards to this. */
	if (is_short && !shows_only_hid(device))
		return SKM_DESCRIPTOR_TRUNCATED;
	rest->bytes += total;
	rest->len -= total;
	return SKM_DESCRIPTOR_OK;
}

static enum skm_descriptor_state read_all(struct skm_device *device, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return SKM_DESCRIPTOR_EMPTY;
	if (len < DEVICE_BYTES)
		return SKM_DESCRIPTOR_TRUNCATED;
	if (len > SKM_DESCRIPTORS_BYTES_MAX)
		return SKM_DESCRIPTOR_TOO_LARGE;
	/* The kernel writes this descriptor itself, 18 bytes, with the number of configurations that it could
	 * read. */
	if (bytes[0] != DEVICE_BYTES || bytes[1] != TYPE_DEVICE)
		return SKM_DESCRIPTOR_CONTRADICTION;
	unsigned announced = bytes[DEVICE_CONFIGURATIONS];
	if (announced > CONFIGURATIONS_MAX)
		return SKM_DESCRIPTOR_TOO_LARGE;

	struct cursor rest = {bytes + DEVICE_BYTES, len - DEVICE_BYTES};
	for (unsigned i = 0; i < announced; i++) {
		enum skm_descriptor_state state = read_configuration(device, &rest);
		if (state != SKM_DESCRIPTOR_OK)
			return state;
	}
	/* What stands behind the last announced configuration may be another one. */
	return rest.len == 0 ? SKM_DESCRIPTOR_OK : SKM_DESCRIPTOR_CONTRADICTION;
}

void skm_usb_descriptors_parse(const uint8_t *bytes, size_t len, struct skm_device *device)
{
	device->device_class = len > DEVICE_CLASS ? bytes[DEVICE_CLASS] : 0;
	device->vendor_id = member16(bytes, len, DEVICE_VENDOR);
	device->product_id = member16(bytes, len, DEVICE_PRODUCT);
	device->release = member16(bytes, len, DEVICE_RELEASE);
	device->interface_count = 0;
	memset(device->interfaces, 0, sizeof(device->interfaces));
	device->descriptor_state = read_all(device, bytes, len);
	if (device->descriptor_state != SKM_DESCRIPTOR_OK) {
		device->interface_count = 0;
		memset(device->interfaces, 0, sizeof(device->interfaces));
	}
}
