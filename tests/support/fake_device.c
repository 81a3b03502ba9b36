// SPDX-License-Identifier: Apache-2.0
#include "fake_device.h"

#include <stdio.h>
#include <string.h>

const struct skm_usb_interface fake_keyboard = {
	.configuration = 1, .class_code = 3, .subclass = 1, .protocol = 1};
const struct skm_usb_interface fake_storage = {
	.configuration = 1, .class_code = 8, .subclass = 6, .protocol = 0x50};
const struct skm_usb_interface fake_composite[2] = {
	{.configuration = 1, .number = 0, .class_code = 3, .subclass = 1, .protocol = 1},
	{.configuration = 1, .number = 1, .class_code = 8, .subclass = 6, .protocol = 0x50},
};

static void put(struct fake_device *fake, const void *bytes, size_t len)
{
	memcpy(fake->descriptors + fake->descriptor_bytes, bytes, len);
	fake->descriptor_bytes += len;
}

void fake_device_init(struct fake_device *fake, const char *port, const struct skm_usb_interface *interfaces,
	unsigned count)
{
	uint8_t configurations = 0;
	*fake = (struct fake_device){
		.port = port, .serial = "S1", .configuration = interfaces[0].configuration};
	fake->interface_count = count;
	for (unsigned i = 0; i < count; i++) {
		fake->interfaces[i].announced = interfaces[i];
		configurations += i == 0 || interfaces[i].configuration != interfaces[i - 1].configuration;
	}
	const uint8_t device[18] = {
		18, 1, 0, 2, 0, 0, 0, 64, 0x81, 0x07, 0x81, 0x55, 0, 1, 1, 2, 3, configurations};
	put(fake, device, sizeof(device));
	for (unsigned i = 0; i < count;) {
		unsigned n = 1;
		while (i + n < count && interfaces[i + n].configuration == interfaces[i].configuration)
			n++;
		const uint8_t configuration[9] = {
			9, 2, (uint8_t)(9 + 9 * n), 0, (uint8_t)n, interfaces[i].configuration, 0, 0x80, 50};
		put(fake, configuration, sizeof(configuration));
		for (unsigned k = i; k < i + n; k++) {
			const uint8_t interface[9] = {9, 4, interfaces[k].number, 0, 0,
				interfaces[k].class_code, interfaces[k].subclass, interfaces[k].protocol, 0};
			put(fake, interface, sizeof(interface));
		}
		i += n;
	}
}

static int step(struct fake_device *fake)
{
	fake->calls++;
	if (fake->calls == fake->hang_at)
		for (;;)
			(void)pause();
	if (fake->calls == fake->gone_at)
		fake->is_gone = true;
	if (fake->is_gone)
		return -ENODEV;
	return fake->calls == fake->fail_at ? -EIO : 0;
}

static struct fake_interface *find(struct fake_device *fake, const char *name)
{
	char expected[SKM_INTERFACE_NAME_BYTES];
	for (unsigned i = 0; fake->authorized && i < fake->interface_count; i++) {
		const struct skm_usb_interface *one = &fake->interfaces[i].announced;
		(void)snprintf(
			expected, sizeof(expected), "%s:%u.%u", fake->port, one->configuration, one->number);
		if (one->configuration == fake->configuration &&
			strncmp(name, expected, strlen(expected)) == 0 &&
			(name[strlen(expected)] == '/' || !name[strlen(expected)]))
			return &fake->interfaces[i];
	}
	return NULL;
}

static int give(char *buf, size_t size, size_t *ret_len, const char *text)
{
	if (strlen(text) >= size)
		return -EFBIG;
	memcpy(buf, text, strlen(text) + 1);
	*ret_len = strlen(text);
	return 0;
}

static int read_interface(const struct fake_interface *interface, const char *attribute, char *buf,
	size_t size, size_t *ret_len)
{
	char text[8];
	uint8_t class_code = interface->live_class ? interface->live_class : interface->announced.class_code;
	if (strcmp(attribute, "bInterfaceClass") == 0)
		(void)snprintf(text, sizeof(text), "%02x\n", class_code);
	else if (strcmp(attribute, "bInterfaceSubClass") == 0)
		(void)snprintf(text, sizeof(text), "%02x\n", interface->announced.subclass);
	else if (strcmp(attribute, "bInterfaceProtocol") == 0)
		(void)snprintf(text, sizeof(text), "%02x\n", interface->announced.protocol);
	else if (strcmp(attribute, "authorized") == 0)
		(void)snprintf(text, sizeof(text), "%d\n", interface->authorized);
	else
		return -ENOENT;
	return give(buf, size, ret_len, text);
}

static int fake_read(void *user, int device, const char *name, char *buf, size_t size, size_t *ret_len)
{
	struct fake_device *fake = user;
	char text[16];
	(void)device;
	int r = step(fake);
	if (r < 0)
		return r;
	struct fake_interface *interface = find(fake, name);
	if (interface)
		return read_interface(interface, strrchr(name, '/') + 1, buf, size, ret_len);
	if (strcmp(name, "descriptors") == 0) {
		memcpy(buf, fake->descriptors, fake->descriptor_bytes);
		*ret_len = fake->descriptor_bytes;
		return 0;
	}
	if (strcmp(name, "serial") == 0 && fake->serial) {
		char line[SKM_USB_STRING_BYTES + 2];
		(void)snprintf(line, sizeof(line), "%s\n", fake->serial);
		return give(buf, size, ret_len, line);
	}
	if (strcmp(name, "busnum") == 0 || strcmp(name, "devnum") == 0)
		return give(buf, size, ret_len, "1\n");
	if (fake->hub_port && strcmp(name, fake->hub_port) == 0)
		return give(buf, size, ret_len, "hardwired\n");
	if (strcmp(name, "port/connect_type") == 0)
		return give(buf, size, ret_len, "hotplug\n");
	if (strcmp(name, "authorized") == 0)
		return give(buf, size, ret_len, fake->authorized ? "1\n" : "0\n");
	if (strcmp(name, "bConfigurationValue") == 0) {
		(void)snprintf(text, sizeof(text), fake->authorized ? "%d\n" : "\n", fake->configuration);
		return give(buf, size, ret_len, text);
	}
	return -ENOENT;
}

static const char *class_driver(const struct fake_interface *interface)
{
	switch (interface->announced.class_code) {
	case 3:
		return "usbhid";
	case 8:
		return "usb-storage";
	case 9:
		return "hub";
	default:
		return NULL;
	}
}

static void bind_driver(struct fake_interface *interface, const char *driver)
{
	interface->has_driver = true;
	interface->driver = driver;
	interface->ever_had_driver = true;
}

/* As the kernel does it when all drivers may look. */
static void offer_to_all(const struct fake_device *fake, struct fake_interface *interface)
{
	bool is_wanted = class_driver(interface) && !fake->is_class_driver_absent && !fake->is_broken;
	if (fake->vendor_driver)
		bind_driver(interface, fake->vendor_driver);
	else if (is_wanted)
		bind_driver(interface, class_driver(interface));
}

static void authorize(struct fake_device *fake, bool on)
{
	for (unsigned i = 0; i < fake->interface_count && on != fake->authorized; i++) {
		fake->interfaces[i].authorized = on && fake->controller_is_open;
		fake->interfaces[i].has_driver = false;
		if (fake->interfaces[i].authorized &&
			fake->interfaces[i].announced.configuration == fake->configuration)
			offer_to_all(fake, &fake->interfaces[i]);
	}
	fake->authorized = on;
}

static int fake_write(void *user, int device, const char *name, const char *value)
{
	struct fake_device *fake = user;
	(void)device;
	int r = step(fake);
	if (r < 0)
		return r;
	bool on = strcmp(value, "1") == 0;
	if (strcmp(name, "authorized") == 0) {
		authorize(fake, on);
		return 0;
	}
	struct fake_interface *interface = find(fake, name);
	if (!interface)
		return -ENOENT;
	interface->authorized = on;
	if (!on)
		interface->has_driver = false;
	return 0;
}

static int fake_driver(void *user, int device, const char *name, char ret_name[SKM_DRIVER_NAME_BYTES])
{
	struct fake_device *fake = user;
	(void)device;
	int r = step(fake);
	if (r < 0)
		return r;
	const struct fake_interface *interface = find(fake, name);
	bool is_bound = interface && interface->has_driver;
	(void)snprintf(ret_name, SKM_DRIVER_NAME_BYTES, "%s", is_bound ? interface->driver : "");
	return 0;
}

static int fake_interfaces(
	void *user, int device, char (*ret_names)[SKM_INTERFACE_NAME_BYTES], size_t max, size_t *ret_count)
{
	struct fake_device *fake = user;
	size_t count = 0;
	(void)device;
	int r = step(fake);
	if (r < 0)
		return r;
	for (unsigned i = 0; fake->authorized && i < fake->interface_count && count < max; i++) {
		const struct skm_usb_interface *one = &fake->interfaces[i].announced;
		if (one->configuration == fake->configuration)
			(void)snprintf(ret_names[count++], SKM_INTERFACE_NAME_BYTES, "%s:%u.%u", fake->port,
				one->configuration, one->number);
	}
	*ret_count = count;
	return 0;
}

static int fake_probe(void *user, const char *name, const char *driver)
{
	struct fake_device *fake = user;
	int r = step(fake);
	if (r < 0)
		return r;
	struct fake_interface *interface = find(fake, name);
	if (!interface || !interface->authorized)
		return driver ? -ENODEV : 0;
	if (!driver) {
		offer_to_all(fake, interface);
		return 0;
	}
	if (fake->is_class_driver_absent)
		return -ENOENT;
	if (!class_driver(interface) || strcmp(driver, class_driver(interface)) != 0 || fake->is_broken)
		return -ENODEV;
	bind_driver(interface, class_driver(interface));
	return 0;
}

static int fake_close_controller(void *user, uint16_t bus_number, struct skm_controller *ret_before)
{
	struct fake_device *fake = user;
	(void)bus_number;
	*ret_before = (struct skm_controller){.interface_authorized_default = fake->controller_is_open};
	if (fake->controller_is_stubborn)
		return -EIO;
	fake->controller_is_open = false;
	return 0;
}

static void fake_hash(void *user, const void *data, size_t len, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES])
{
	(void)user;
	memset(ret_hash, 0, SKM_DESCRIPTOR_HASH_BYTES);
	for (size_t i = 0; i < len; i++)
		ret_hash[i % SKM_DESCRIPTOR_HASH_BYTES] ^= ((const uint8_t *)data)[i];
}

struct skm_device_ops fake_device_ops(struct fake_device *fake)
{
	return (struct skm_device_ops){.read = fake_read,
		.write = fake_write,
		.driver = fake_driver,
		.interfaces = fake_interfaces,
		.probe = fake_probe,
		.close_controller = fake_close_controller,
		.hash = fake_hash,
		.user = fake};
}
