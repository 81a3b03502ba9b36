// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/decision.h"

/* What an auditor would want to read; one row for each line of the table and for its exceptions. */
Test(device, kinds)
{
	static const struct {
		uint8_t class_code, subclass, protocol;
		enum skm_device_kind kind;
	} rows[] = {
		{0x00, 0x00, 0x00, SKM_KIND_UNKNOWN},
		{0x01, 0x01, 0x00, SKM_KIND_AUDIO},
		{0x02, 0x02, 0x01, SKM_KIND_SERIAL},
		{0x02, 0x02, 0x00, SKM_KIND_SERIAL},
		{0x02, 0x02, 0xff, SKM_KIND_NETWORK},
		{0x02, 0x06, 0x00, SKM_KIND_NETWORK},
		{0x02, 0x0c, 0x07, SKM_KIND_NETWORK},
		{0x02, 0x0c, 0x00, SKM_KIND_MODEM},
		{0x02, 0x0d, 0x00, SKM_KIND_NETWORK},
		{0x02, 0x0e, 0x00, SKM_KIND_NETWORK},
		{0x02, 0x01, 0x00, SKM_KIND_MODEM},
		{0x02, 0x09, 0x01, SKM_KIND_MODEM},
		{0x03, 0x01, 0x01, SKM_KIND_KEYBOARD},
		{0x03, 0x01, 0x02, SKM_KIND_MOUSE},
		{0x03, 0x00, 0x00, SKM_KIND_HID},
		{0x03, 0x00, 0x01, SKM_KIND_HID},
		{0x03, 0x01, 0x00, SKM_KIND_HID},
		{0x03, 0x02, 0x01, SKM_KIND_HID},
		{0x04, 0x00, 0x00, SKM_KIND_UNKNOWN},
		{0x05, 0x00, 0x00, SKM_KIND_PHYSICAL},
		{0x06, 0x01, 0x01, SKM_KIND_IMAGING},
		{0x07, 0x01, 0x02, SKM_KIND_PRINTER},
		{0x08, 0x06, 0x50, SKM_KIND_STORAGE},
		{0x08, 0x06, 0x62, SKM_KIND_STORAGE},
		{0x08, 0x04, 0x00, SKM_KIND_STORAGE},
		{0x08, 0xff, 0xff, SKM_KIND_STORAGE},
		{0x09, 0x00, 0x02, SKM_KIND_HUB},
		{0x0a, 0x00, 0x00, SKM_KIND_MODEM},
		{0x0b, 0x00, 0x00, SKM_KIND_SMART_CARD},
		{0x0d, 0x00, 0x00, SKM_KIND_CONTENT_SECURITY},
		{0x0e, 0x01, 0x00, SKM_KIND_VIDEO},
		{0x0f, 0x00, 0x00, SKM_KIND_HEALTHCARE},
		{0x10, 0x01, 0x00, SKM_KIND_VIDEO},
		{0x11, 0x00, 0x00, SKM_KIND_BILLBOARD},
		{0x12, 0x00, 0x00, SKM_KIND_MISCELLANEOUS},
		{0x13, 0x00, 0x00, SKM_KIND_VIDEO},
		{0x14, 0x00, 0x00, SKM_KIND_MISCELLANEOUS},
		{0x3c, 0x00, 0x00, SKM_KIND_MISCELLANEOUS},
		{0x77, 0x00, 0x00, SKM_KIND_UNKNOWN},
		{0xdc, 0x01, 0x01, SKM_KIND_MEASUREMENT},
		{0xe0, 0x01, 0x01, SKM_KIND_WIRELESS},
		{0xe0, 0x01, 0x03, SKM_KIND_NETWORK},
		{0xe0, 0x02, 0x01, SKM_KIND_WIRELESS},
		{0xef, 0x01, 0x01, SKM_KIND_MISCELLANEOUS},
		{0xef, 0x02, 0x01, SKM_KIND_MISCELLANEOUS},
		{0xef, 0x04, 0x01, SKM_KIND_NETWORK},
		{0xef, 0x05, 0x00, SKM_KIND_VIDEO},
		{0xfe, 0x01, 0x01, SKM_KIND_FIRMWARE_UPGRADE},
		{0xfe, 0x02, 0x00, SKM_KIND_APPLICATION},
		{0xfe, 0x03, 0x00, SKM_KIND_MEASUREMENT},
		{0xff, 0x42, 0x01, SKM_KIND_VENDOR},
		{0xff, 0xfe, 0x02, SKM_KIND_VENDOR},
	};
	bool is_seen[SKM_KIND_COUNT_] = {false};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		struct skm_usb_interface interface = {
			1, 0, rows[i].class_code, rows[i].subclass, rows[i].protocol};
		enum skm_device_kind kind = skm_usb_interface_kind(&interface);
		cr_assert_eq(kind, rows[i].kind, "%02x:%02x:%02x is %s instead of %s", rows[i].class_code,
			rows[i].subclass, rows[i].protocol, skm_device_kind_to_string(kind),
			skm_device_kind_to_string(rows[i].kind));
		is_seen[kind] = true;
	}
	for (unsigned i = 0; i < SKM_KIND_COUNT_; i++)
		cr_assert(is_seen[i], "no row for %s", skm_device_kind_to_string((enum skm_device_kind)i));
}

/* No subclass or protocol of the storage class may be called anything else. */
Test(device, storage_is_always_storage)
{
	for (unsigned rest = 0; rest < 65536; rest++) {
		struct skm_usb_interface interface = {1, 0, 0x08, (uint8_t)(rest >> 8), (uint8_t)rest};
		cr_assert_eq(skm_usb_interface_kind(&interface), SKM_KIND_STORAGE, "%04x", rest);
	}
}

Test(device, kind_words)
{
	for (unsigned i = 0; i < SKM_KIND_COUNT_; i++) {
		enum skm_device_kind kind = (enum skm_device_kind)i, back = SKM_KIND_COUNT_;
		cr_assert_eq(skm_device_kind_from_string(skm_device_kind_to_string(kind), &back), 0);
		cr_assert_eq(back, kind, "%s", skm_device_kind_to_string(kind));
		cr_assert_gt(strlen(skm_device_kind_to_text(kind, true)), 0);
		cr_assert_gt(strlen(skm_device_kind_to_text(kind, false)), 0);
	}
	enum skm_device_kind untouched = SKM_KIND_AUDIO;
	cr_assert_eq(skm_device_kind_from_string("Mass-Storage", &untouched), -EINVAL);
	cr_assert_eq(skm_device_kind_from_string("", &untouched), -EINVAL);
	cr_assert_eq(untouched, SKM_KIND_AUDIO);
	cr_assert_str_eq(skm_device_kind_to_string((enum skm_device_kind)99), "unknown");
	cr_assert_str_eq(skm_device_kind_to_string(SKM_KIND_STORAGE), "mass-storage");
	cr_assert_str_eq(skm_device_kind_to_text(SKM_KIND_STORAGE, true), "USBメモリ等の記憶装置");
	cr_assert_str_eq(skm_device_kind_to_text((enum skm_device_kind)99, false), "unknown device");
}

Test(device, connect_type_words)
{
	for (unsigned i = 0; i < SKM_CONNECT_TYPE_COUNT_; i++) {
		enum skm_connect_type type = (enum skm_connect_type)i, back = SKM_CONNECT_TYPE_COUNT_;
		cr_assert_eq(skm_connect_type_from_string(skm_connect_type_to_string(type), &back), 0);
		cr_assert_eq(back, type);
	}
	enum skm_connect_type untouched = SKM_CONNECT_HARDWIRED;
	cr_assert_eq(skm_connect_type_from_string("wired", &untouched), -EINVAL);
	cr_assert_eq(untouched, SKM_CONNECT_HARDWIRED);
	cr_assert_str_eq(skm_connect_type_to_string((enum skm_connect_type)99), "unknown");
}

Test(device, descriptor_state_words)
{
	for (unsigned i = 0; i < SKM_DESCRIPTOR_STATE_COUNT_; i++)
		for (unsigned j = 0; j < i; j++)
			cr_assert_str_neq(skm_descriptor_state_to_string((enum skm_descriptor_state)i),
				skm_descriptor_state_to_string((enum skm_descriptor_state)j));
	cr_assert_str_eq(skm_descriptor_state_to_string((enum skm_descriptor_state)99), "unknown");
}

Test(device, verdict_words)
{
	for (unsigned i = 0; i < SKM_VERDICT_COUNT_; i++) {
		enum skm_verdict verdict = (enum skm_verdict)i, back = SKM_VERDICT_COUNT_;
		cr_assert_eq(skm_verdict_from_string(skm_verdict_to_string(verdict), &back), 0);
		cr_assert_eq(back, verdict);
	}
	enum skm_verdict untouched = SKM_VERDICT_PARTIAL;
	cr_assert_eq(skm_verdict_from_string("ALLOW", &untouched), -EINVAL);
	cr_assert_eq(untouched, SKM_VERDICT_PARTIAL);
	cr_assert_str_eq(skm_verdict_to_string((enum skm_verdict)99), "deny");
}

static void change_port(struct skm_device *device)
{
	strcpy(device->port, "1-3");
}
static void change_bus(struct skm_device *device)
{
	device->bus_number++;
}
static void change_number(struct skm_device *device)
{
	device->device_number++;
}
static void change_vendor(struct skm_device *device)
{
	device->vendor_id++;
}
static void change_product(struct skm_device *device)
{
	device->product_id++;
}
static void change_release(struct skm_device *device)
{
	device->release++;
}
static void change_class(struct skm_device *device)
{
	device->device_class++;
}
static void change_state(struct skm_device *device)
{
	device->descriptor_state = SKM_DESCRIPTOR_TRUNCATED;
}
static void change_manufacturer(struct skm_device *device)
{
	device->manufacturer[0] = 'x';
}
static void change_product_name(struct skm_device *device)
{
	device->product[SKM_USB_STRING_BYTES - 2] = 'x';
}
static void change_serial(struct skm_device *device)
{
	device->serial[1] = '\0';
}
static void change_hash(struct skm_device *device)
{
	device->descriptor_hash[31] ^= 1;
}
static void change_count(struct skm_device *device)
{
	device->interface_count--;
}
static void change_interface(struct skm_device *device)
{
	device->interfaces[1].protocol ^= 1;
}

static const struct {
	const char *name;
	void (*change)(struct skm_device *device);
} changes[] = {
	{"port", change_port},
	{"bus", change_bus},
	{"devnum", change_number},
	{"vendor", change_vendor},
	{"product id", change_product},
	{"release", change_release},
	{"class", change_class},
	{"state", change_state},
	{"manufacturer", change_manufacturer},
	{"product", change_product_name},
	{"serial", change_serial},
	{"hash", change_hash},
	{"interface count", change_count},
	{"interface", change_interface},
};

static struct skm_device example(void)
{
	struct skm_device device = {.port = "1-2",
		.bus_number = 1,
		.device_number = 5,
		.vendor_id = 0x0781,
		.product_id = 0x5581,
		.manufacturer = "M",
		.serial = "4C53",
		.interface_count = 2};
	memset(device.product, 'P', sizeof(device.product) - 1); /* as long as it may be */
	device.interfaces[1].number = 1;
	return device;
}

Test(device, equal)
{
	static struct skm_device a, b;
	a = b = example();
	cr_assert(skm_device_equal(&a, &b));
	for (size_t i = 0; i < SKM_ARRAY_SIZE(changes); i++) {
		b = a;
		changes[i].change(&b);
		cr_assert_not(skm_device_equal(&a, &b), "%s", changes[i].name);
		cr_assert_not(skm_device_equal(&b, &a), "%s", changes[i].name);
	}
}

Test(device, equal_ignores_what_is_no_value)
{
	static struct skm_device a, b;
	a = b = example();
	b.serial[100] = 'x';			/* behind the end of the string */
	b.interfaces[2].number = 9;		/* behind the last interface */
	b.connect_type = SKM_CONNECT_HARDWIRED; /* of the port, not of the device */
	cr_assert(skm_device_equal(&a, &b));
	a.interface_count = b.interface_count =
		SKM_USB_INTERFACES_MAX + 1; /* cannot be: nothing is read past the array */
	cr_assert_not(skm_device_equal(&a, &b));
}
