// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "usb_descriptor.h"
#include "usb_samples.h"

/* Parses an exact-size copy, so that AddressSanitizer sees the first byte read past the end. */
static struct skm_device parse(const uint8_t *bytes, size_t len)
{
	struct skm_device device;
	memset(&device, 0xa5, sizeof(device)); /* whatever stood there before must not matter */
	uint8_t *copy = malloc(len ? len : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, len);
	skm_usb_descriptors_parse(copy, len, &device);
	free(copy);
	return device;
}

static const char *describe(const struct skm_device *device)
{
	static char text[SKM_USB_INTERFACES_MAX * 32];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < device->interface_count; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u.%u %02x:%02x:%02x",
			i == 0 ? "" : ", ", interface->configuration, interface->number,
			interface->class_code, interface->subclass, interface->protocol);
	}
	return text;
}

/* Nothing may remain of what was read before the fault. */
static void assert_refused(const char *name, const struct skm_device *device, enum skm_descriptor_state state)
{
	static const struct skm_usb_interface none[SKM_USB_INTERFACES_MAX];
	cr_assert_str_eq(skm_descriptor_state_to_string(device->descriptor_state),
		skm_descriptor_state_to_string(state), "%s: %s instead of %s", name,
		skm_descriptor_state_to_string(device->descriptor_state),
		skm_descriptor_state_to_string(state));
	cr_assert_eq(device->interface_count, 0, "%s", name);
	cr_assert_eq(memcmp(device->interfaces, none, sizeof(none)), 0, "%s", name);
}

Test(usb_descriptor, real_devices)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(usb_samples); i++) {
		const struct usb_sample *sample = &usb_samples[i];
		struct skm_device device = parse(sample->bytes, sample->len);
		cr_assert_eq(device.descriptor_state, SKM_DESCRIPTOR_OK, "%s: %s", sample->name,
			skm_descriptor_state_to_string(device.descriptor_state));
		cr_assert_str_eq(
			describe(&device), sample->interfaces, "%s: %s", sample->name, describe(&device));
	}
}

Test(usb_descriptor, ids)
{
	struct skm_device device = parse(sample_hub, sizeof(sample_hub));
	cr_assert_eq(device.vendor_id, 0x05e3);
	cr_assert_eq(device.product_id, 0x0610);
	cr_assert_eq(device.release, 0x0100);
	cr_assert_eq(device.device_class, 0x09);
	/* as far as the bytes reach, whatever else is wrong */
	device = parse(sample_hub, 11);
	cr_assert_eq(device.vendor_id, 0x05e3);
	cr_assert_eq(device.product_id, 0);
	cr_assert_eq(device.release, 0);
	cr_assert_eq(device.device_class, 0x09);
}

Test(usb_descriptor, leaves_other_members_alone)
{
	struct skm_device device = {
		.port = "1-2", .device_number = 7, .serial = "S", .connect_type = SKM_CONNECT_HOTPLUG};
	skm_usb_descriptors_parse(sample_stick, sizeof(sample_stick), &device);
	cr_assert_str_eq(device.port, "1-2");
	cr_assert_str_eq(device.serial, "S");
	cr_assert_eq(device.device_number, 7);
	cr_assert_eq(device.connect_type, SKM_CONNECT_HOTPLUG);
}

/* A device that was cut off is refused at whatever byte; only whole input interfaces are believed, as the
 * kernel does. */
Test(usb_descriptor, truncated_at_every_byte)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(usb_samples); i++) {
		const struct usb_sample *sample = &usb_samples[i];
		for (size_t len = 0; len < sample->len; len++) {
			char name[96];
			(void)snprintf(name, sizeof(name), "%s cut to %zu", sample->name, len);
			struct skm_device device = parse(sample->bytes, len);
			if (device.descriptor_state != SKM_DESCRIPTOR_OK) {
				assert_refused(name, &device,
					len == 0 ? SKM_DESCRIPTOR_EMPTY : SKM_DESCRIPTOR_TRUNCATED);
				continue;
			}
			const char *seen = describe(&device);
			cr_assert_gt(device.interface_count, 0, "%s", name);
			cr_assert_eq(
				strncmp(seen, sample->interfaces, strlen(seen)), 0, "%s: %s", name, seen);
			for (size_t j = 0; j < device.interface_count; j++)
				cr_assert_eq(device.interfaces[j].class_code, 0x03, "%s: %s", name, seen);
		}
	}
}

/* "config index 0 descriptor too short (expected 59, got 34)": a keyboard that an office bought a hundred of.
 */
Test(usb_descriptor, short_keyboard_is_believed)
{
	struct skm_device device = parse(sample_media_keyboard, 18 + 34);
	cr_assert_eq(device.descriptor_state, SKM_DESCRIPTOR_OK);
	cr_assert_str_eq(describe(&device), "1.0 03:01:01");
	/* not in the middle of a descriptor, not before any interface */
	device = parse(sample_media_keyboard, 18 + 33);
	assert_refused("inside an endpoint", &device, SKM_DESCRIPTOR_TRUNCATED);
	device = parse(sample_media_keyboard, 18 + 9);
	assert_refused("only the head", &device, SKM_DESCRIPTOR_TRUNCATED);
	/* not when the first of two configurations is the short one */
	device = parse(sample_second_configuration, 18 + 34);
	assert_refused("the second configuration is missing", &device, SKM_DESCRIPTOR_TRUNCATED);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

Test(usb_descriptor, malformed)
{
	const struct {
		const char *name;
		const uint8_t *bytes;
		size_t len;
		enum skm_descriptor_state state;
	} rows[] = {
		{"device descriptor of length 17",
			BYTES(17, 0x01, U16(0x0200), 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"device descriptor of another type",
			BYTES(18, 0x02, U16(0x0200), 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"bLength 0", BYTES(DEVICE(1, 2), CONFIGURATION(20, 1), INTERFACE(0, 0, 3, 1, 1), 0, 0),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"bLength 1", BYTES(DEVICE(1, 2), CONFIGURATION(20, 1), INTERFACE(0, 0, 3, 1, 1), 1, 0x21),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"one byte behind the last descriptor",
			BYTES(DEVICE(1, 2), CONFIGURATION(19, 1), INTERFACE(0, 0, 3, 1, 1), 9),
			SKM_DESCRIPTOR_TRUNCATED},
		{"wTotalLength too small by an interface",
			BYTES(DEVICE(1, 2), CONFIGURATION(34, 2), HID_FUNCTION(0, 1, 1), STICK_FUNCTION(1)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"wTotalLength ends inside an interface",
			BYTES(DEVICE(1, 2), CONFIGURATION(38, 2), HID_FUNCTION(0, 1, 1), STICK_FUNCTION(1)),
			SKM_DESCRIPTOR_TRUNCATED},
		{"wTotalLength smaller than the configuration descriptor",
			BYTES(DEVICE(1, 2), CONFIGURATION(8, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"wTotalLength 0", BYTES(DEVICE(1, 2), CONFIGURATION(0, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"wTotalLength too big", BYTES(DEVICE(1, 2), CONFIGURATION(33, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_TRUNCATED},
		{"wTotalLength 65535", BYTES(DEVICE(1, 2), CONFIGURATION(65535, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_TRUNCATED},
		{"wTotalLength of the first swallows the second configuration",
			BYTES(DEVICE_OF(0, 1, 2, 1), CONFIGURATION(66, 1), HID_FUNCTION(0, 1, 1),
				CONFIGURATION_OF(2, 32, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"configuration descriptor of length 8",
			BYTES(DEVICE(1, 2), 8, 0x02, U16(17), 1, 1, 0, 0x80, INTERFACE(0, 0, 3, 1, 1)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"configuration descriptor longer than its configuration",
			BYTES(DEVICE(1, 2), 40, 0x02, U16(34), 1, 1, 0, 0xa0, 50, HID_FUNCTION(0, 1, 1)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"configuration descriptor longer than all there is, short file",
			BYTES(DEVICE(1, 2), 200, 0x02, U16(300), 1, 1, 0, 0xa0, 50, HID_FUNCTION(0, 1, 1)),
			SKM_DESCRIPTOR_TRUNCATED},
		{"another descriptor where a configuration should begin",
			BYTES(DEVICE(1, 2), INTERFACE(0, 0, 3, 1, 1)), SKM_DESCRIPTOR_CONTRADICTION},
		{"interface descriptor shorter than 9",
			BYTES(DEVICE(1, 2), CONFIGURATION(17, 1), 8, 0x04, 0, 0, 0, 0x08, 0x06, 0x50),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"device descriptor inside a configuration",
			BYTES(DEVICE(1, 2), CONFIGURATION(52, 1), HID_FUNCTION(0, 1, 1), DEVICE(1, 2)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"descriptor of unknown type that runs past the end",
			BYTES(DEVICE(1, 2), CONFIGURATION(36, 1), HID_FUNCTION(0, 1, 1), 30, 0xee),
			SKM_DESCRIPTOR_TRUNCATED},
		{"fewer configurations than announced",
			BYTES(DEVICE_OF(0, 1, 2, 2), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 1)),
			SKM_DESCRIPTOR_TRUNCATED},
		{"more configurations than announced",
			BYTES(DEVICE_OF(0, 1, 2, 1), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 1),
				CONFIGURATION_OF(2, 32, 1), STICK_FUNCTION(0)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"configurations although none is announced",
			BYTES(DEVICE_OF(0, 1, 2, 0), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 1)),
			SKM_DESCRIPTOR_CONTRADICTION},
		{"nine configurations announced", BYTES(DEVICE_OF(0, 1, 2, 9)), SKM_DESCRIPTOR_TOO_LARGE},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		struct skm_device device = parse(rows[i].bytes, rows[i].len);
		assert_refused(rows[i].name, &device, rows[i].state);
	}
	uint8_t *huge = calloc(1, SKM_DESCRIPTORS_BYTES_MAX + 1);
	cr_assert_not_null(huge);
	memcpy(huge, sample_stick, sizeof(sample_stick));
	struct skm_device device = parse(huge, SKM_DESCRIPTORS_BYTES_MAX + 1);
	free(huge);
	assert_refused("more bytes than eight configurations can have", &device, SKM_DESCRIPTOR_TOO_LARGE);
}

Test(usb_descriptor, sloppy_but_honest)
{
	const struct {
		const char *name;
		const uint8_t *bytes;
		size_t len;
		const char *interfaces;
	} rows[] = {
		{"no configuration", BYTES(DEVICE_OF(0, 1, 2, 0)), ""},
		{"configuration without interfaces", BYTES(DEVICE(1, 2), CONFIGURATION(9, 0)), ""},
		{"bNumInterfaces too small",
			BYTES(DEVICE(1, 2), CONFIGURATION(57, 1), HID_FUNCTION(0, 1, 1), STICK_FUNCTION(1)),
			"1.0 03:01:01, 1.1 08:06:50"},
		{"bNumInterfaces too big", BYTES(DEVICE(1, 2), CONFIGURATION(34, 9), HID_FUNCTION(0, 1, 1)),
			"1.0 03:01:01"},
		{"the same interface twice",
			BYTES(DEVICE(1, 2), CONFIGURATION(59, 1), HID_FUNCTION(0, 1, 1),
				HID_FUNCTION(0, 1, 1)),
			"1.0 03:01:01"},
		{"the same interface number with another class",
			BYTES(DEVICE(1, 2), CONFIGURATION(57, 1), STICK_FUNCTION(0), HID_FUNCTION(0, 1, 1)),
			"1.0 03:01:01, 1.0 08:06:50"},
		{"interfaces out of order",
			BYTES(DEVICE(1, 2), CONFIGURATION(59, 2), HID_FUNCTION(5, 1, 1),
				HID_FUNCTION(3, 0, 0)),
			"1.3 03:00:00, 1.5 03:01:01"},
		{"two configurations of the same value",
			BYTES(DEVICE_OF(0, 1, 2, 2), CONFIGURATION(34, 1), HID_FUNCTION(0, 1, 1),
				CONFIGURATION(32, 1), STICK_FUNCTION(0)),
			"1.0 03:01:01, 1.0 08:06:50"},
		{"longer interface and configuration descriptors",
			BYTES(DEVICE(1, 2), 10, 0x02, U16(21), 1, 1, 0, 0xa0, 50, 0, 11, 0x04, 0, 0, 0, 0x08,
				0x06, 0x50, 0, 0, 0),
			"1.0 08:06:50"},
		{"descriptors of unknown type",
			BYTES(DEVICE(1, 2), CONFIGURATION(38, 1), 4, 0xee, 1, 2, HID_FUNCTION(0, 1, 1)),
			"1.0 03:01:01"},
		/* What a wrong length hides from the kernel's walk does not exist for the kernel, either. */
		{"an interface inside a descriptor of unknown type",
			BYTES(DEVICE(1, 2), CONFIGURATION(45, 2), HID_FUNCTION(0, 1, 1), 11, 0xee,
				INTERFACE(1, 0, 0x08, 0x06, 0x50)),
			"1.0 03:01:01"},
		{"an interface behind a descriptor of unknown type",
			BYTES(DEVICE(1, 2), CONFIGURATION(45, 2), HID_FUNCTION(0, 1, 1), 2, 0xee,
				INTERFACE(1, 0, 0x08, 0x06, 0x50)),
			"1.0 03:01:01, 1.1 08:06:50"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		struct skm_device device = parse(rows[i].bytes, rows[i].len);
		cr_assert_eq(device.descriptor_state, SKM_DESCRIPTOR_OK, "%s: %s", rows[i].name,
			skm_descriptor_state_to_string(device.descriptor_state));
		cr_assert_str_eq(
			describe(&device), rows[i].interfaces, "%s: %s", rows[i].name, describe(&device));
	}
}

static size_t append(uint8_t *to, size_t at, const uint8_t *bytes, size_t len)
{
	memcpy(to + at, bytes, len);
	return at + len;
}

Test(usb_descriptor, eight_configurations)
{
	uint8_t bytes[18 + 8 * 32];
	size_t len = append(bytes, 0, (const uint8_t[]){DEVICE_OF(0, 1, 2, 8)}, 18);
	for (unsigned i = 1; i <= 8; i++) {
		len = append(bytes, len, (const uint8_t[]){CONFIGURATION_OF((uint8_t)i, 32, 1)}, 9);
		len = append(bytes, len, (const uint8_t[]){STICK_FUNCTION(0)}, 23);
	}
	struct skm_device device = parse(bytes, len);
	cr_assert_eq(device.descriptor_state, SKM_DESCRIPTOR_OK);
	cr_assert_eq(device.interface_count, 8);
	cr_assert_eq(device.interfaces[7].configuration, 8);
}

/* `count` distinct entries in falling order, which is the slow way to sort them in. */
static struct skm_device parse_many(unsigned count)
{
	uint8_t bytes[18 + 9 + 300 * 9];
	size_t total = 9 + 9 * (size_t)count;
	size_t len = append(bytes, 0, (const uint8_t[]){DEVICE(1, 2)}, 18);
	len = append(bytes, len, (const uint8_t[]){CONFIGURATION(total, 255)}, 9);
	for (unsigned i = count; i-- > 0;)
		len = append(bytes, len,
			(const uint8_t[]){INTERFACE((uint8_t)(i / 2), 0, 0xff, (uint8_t)(i % 2), 0)}, 9);
	return parse(bytes, len);
}

Test(usb_descriptor, as_many_interfaces_as_there_is_room_for)
{
	struct skm_device device = parse_many(SKM_USB_INTERFACES_MAX);
	cr_assert_eq(device.descriptor_state, SKM_DESCRIPTOR_OK);
	cr_assert_eq(device.interface_count, SKM_USB_INTERFACES_MAX);
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++) {
		cr_assert_eq(device.interfaces[i].number, i / 2);
		cr_assert_eq(device.interfaces[i].subclass, i % 2);
	}
	device = parse_many(SKM_USB_INTERFACES_MAX + 1);
	assert_refused("one more", &device, SKM_DESCRIPTOR_TOO_LARGE);
}
