// SPDX-License-Identifier: Apache-2.0
/* The order of the writes is the whole point of this file (drivers/usb/core/{hub,message,sysfs,driver}.c):
 *  - while interface_authorized_default is 0, authorising a device creates its interfaces closed: nothing
 * binds;
 *  - then, and only then, it is known which interfaces there really are, and they are compared with the
 * descriptors that were judged;
 *  - the allowed ones are opened all before any is probed, since a driver of a function with several
 * interfaces claims them together (usb_probe_interface looks at each interface's own flag);
 *  - a class is the device's own word, and many drivers match by vendor and product whatever the class
 * (usb-storage alone by 400 pairs): an interface that is open since it is a hub's, a keyboard's or a card
 * reader's is offered to the drivers of that class and to no other, and when another one has it all the same,
 * the device is closed;
 *  - bind and drivers_probe go by name, which a swap could redirect, but a swapped-in device's interfaces are
 * closed. A whole-device allow, as USBGuard does it, was rejected: it opens the disk of a composite keyboard.
 */
#include "enforcer.h"

#include <stdio.h>
#include <string.h>

#include "policy.h"
#include "sekimori/parse.h"
#include "usb_descriptor.h"

struct session {
	const struct skm_device_ops *ops;
	int device;
};

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* A string attribute; absent is "". The kernel ends each with one newline, which is not the device's. */
static int read_string(const struct session *session, const char *name, char *ret_text, size_t size)
{
	char text[SKM_USB_STRING_BYTES + 4];
	size_t len = 0;
	int r = session->ops->read(session->ops->user, session->device, name, text, sizeof(text), &len);
	if (r == -ENOENT) {
		ret_text[0] = '\0';
		return 0;
	}
	if (r < 0)
		return r;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len >= size)
		return -EFBIG;
	memcpy(ret_text, text, len);
	ret_text[len] = '\0';
	return 0;
}

static int read_number(
	const struct session *session, const char *name, int base, uint64_t max, uint64_t *ret_value)
{
	char text[32];
	int r = read_string(session, name, text, sizeof(text));
	if (r < 0)
		return r;
	if (!text[0])
		return -ENOENT;
	if (base == 10)
		return skm_parse_uint(text, 0, max, ret_value);
	char *end = NULL;
	unsigned long value = strtoul(text, &end, base);
	if (*end || value > max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int read_descriptors(const struct session *session, struct skm_device *device)
{
	const size_t size = SKM_DESCRIPTORS_BYTES_MAX + 2;
	SKM_CLEANUP(skm_free) char *bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	size_t len = 0;
	int r = session->ops->read(session->ops->user, session->device, "descriptors", bytes, size, &len);
	if (r == -EFBIG) {
		device->descriptor_state = SKM_DESCRIPTOR_TOO_LARGE;
		return 0;
	}
	if (r < 0)
		return r;
	skm_usb_descriptors_parse((const uint8_t *)bytes, len, device);
	session->ops->hash(session->ops->user, bytes, len, device->descriptor_hash);
	return 0;
}

/* The hub's folder for the port is there before the device is; the device's own link to it ("port") comes
 * some milliseconds after its event, and waiting for that would be most of the time a plug takes. "3-1" =>
 * "../3-0:1.0/usb3-port1/connect_type", "1-2.3" => "../1-2:1.0/1-2-port3/connect_type" */
static void port_path(const char *port, char *ret_path, size_t size)
{
	const char *dot = strrchr(port, '.');
	const char *dash = strchr(port, '-');
	if (dot)
		(void)snprintf(ret_path, size, "../%.*s:1.0/%.*s-port%s/connect_type", (int)(dot - port),
			port, (int)(dot - port), port, dot + 1);
	else if (dash)
		(void)snprintf(ret_path, size, "../%.*s-0:1.0/usb%.*s-port%s/connect_type",
			(int)(dash - port), port, (int)(dash - port), port, dash + 1);
	else
		ret_path[0] = '\0';
}

static void read_connect_type(const struct session *session, struct skm_device *device)
{
	char path[2 * SKM_USB_PORT_BYTES + 48];
	char word[32] = "";
	port_path(device->port, path, sizeof(path));
	if (read_string(session, path, word, sizeof(word)) < 0 || !word[0])
		(void)!read_string(session, "port/connect_type", word, sizeof(word));
	/* The word is the firmware's and often missing. */
	if (skm_connect_type_from_string(word, &device->connect_type) != 0)
		device->connect_type = SKM_CONNECT_UNKNOWN;
}

static int describe(const struct session *session, const char *port, struct skm_device *device)
{
	uint64_t bus = 0;
	uint64_t number = 0;
	if (strlen(port) >= sizeof(device->port))
		return -EINVAL;
	memcpy(device->port, port, strlen(port) + 1);
	int r = read_number(session, "busnum", 10, UINT16_MAX, &bus);
	if (r == 0)
		r = read_number(session, "devnum", 10, UINT16_MAX, &number);
	if (r == 0)
		r = read_descriptors(session, device);
	if (r == 0)
		r = read_string(session, "manufacturer", device->manufacturer, sizeof(device->manufacturer));
	if (r == 0)
		r = read_string(session, "product", device->product, sizeof(device->product));
	if (r == 0)
		r = read_string(session, "serial", device->serial, sizeof(device->serial));
	device->bus_number = (uint16_t)bus;
	device->device_number = (uint16_t)number;
	return r;
}

/* "1-2:1.0" -> configuration and number. The kernel writes the configuration in decimal. */
static int parse_interface_name(const char *name, struct skm_usb_interface *interface)
{
	unsigned configuration = 0;
	unsigned number = 0;
	char rest = 0;
	const char *colon = strrchr(name, ':');
	if (!colon ||
		sscanf(colon + 1, "%3u.%3u%c", &configuration, &number, &rest) != 2) // NOLINT(cert-err34-c)
		return -EINVAL;
	if (configuration > UINT8_MAX || number > UINT8_MAX)
		return -EINVAL;
	interface->configuration = (uint8_t)configuration;
	interface->number = (uint8_t)number;
	return 0;
}

/* For HID: those of drivers/hid/usbhid, and of drivers/input what usbhid leaves to them. No driver of the
 * kernel's is for card readers; they are used through usbfs. NULL: whatever the kernel has for it. */
static const char *const *drivers_of(const struct skm_usb_interface *interface)
{
	static const char *const hub[] = {"hub", NULL};
	static const char *const input[] = {
		"usbhid", "usbkbd", "usbmouse", "usbtouchscreen", "bcm5974", "appletouch", NULL};
	static const char *const none[] = {NULL};
	enum skm_device_kind kind = skm_usb_interface_kind(interface);
	if (kind == SKM_KIND_HUB)
		return hub;
	if (kind == SKM_KIND_KEYBOARD || kind == SKM_KIND_MOUSE || kind == SKM_KIND_HID)
		return input;
	return kind == SKM_KIND_SMART_CARD ? none : NULL;
}

/* The first interface that a driver has which does not belong to its class, or NULL. */
static const struct skm_live_interface *find_foreign(const struct skm_live_state *live)
{
	for (unsigned i = 0; i < live->interface_count; i++) {
		const struct skm_live_interface *one = &live->interfaces[i];
		const char *const *driver = drivers_of(&one->interface);
		if (!one->driver[0] || strcmp(one->driver, "usbfs") == 0 || !driver)
			continue;
		while (*driver && strcmp(*driver, one->driver) != 0)
			driver++;
		if (!*driver)
			return one;
	}
	return NULL;
}

static int read_live_interface(
	const struct session *session, const char *name, struct skm_live_interface *live)
{
	static const struct {
		const char *attribute;
		int base;
	} attributes[] = {{"bInterfaceClass", 16}, {"bInterfaceSubClass", 16}, {"bInterfaceProtocol", 16},
		{"authorized", 10}};
	uint64_t values[SKM_ARRAY_SIZE(attributes)] = {0};
	char path[SKM_INTERFACE_NAME_BYTES + 32];
	int r = parse_interface_name(name, &live->interface);
	for (size_t i = 0; r == 0 && i < SKM_ARRAY_SIZE(attributes); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, attributes[i].attribute);
		r = read_number(session, path, attributes[i].base, UINT8_MAX, &values[i]);
	}
	if (r < 0)
		return r;
	live->interface.class_code = (uint8_t)values[0];
	live->interface.subclass = (uint8_t)values[1];
	live->interface.protocol = (uint8_t)values[2];
	live->is_authorized = values[3] != 0;
	return session->ops->driver(session->ops->user, session->device, name, live->driver);
}

static int read_interfaces(
	const struct session *session, char (*names)[SKM_INTERFACE_NAME_BYTES], struct skm_live_state *live)
{
	size_t count = 0;
	live->interface_count = 0;
	int r = session->ops->interfaces(
		session->ops->user, session->device, names, SKM_LIVE_INTERFACES_MAX, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_live_interface(session, names[i], &live->interfaces[i]);
	if (r == 0)
		live->interface_count = (unsigned)count;
	return r;
}

static int read_live(
	const struct session *session, char (*names)[SKM_INTERFACE_NAME_BYTES], struct skm_live_state *live)
{
	uint64_t value = 0;
	live->interface_count = 0;
	int r = read_number(session, "authorized", 10, UINT8_MAX, &value);
	if (r < 0)
		return r;
	live->is_authorized = value != 0;
	live->configuration = 0;
	if (!live->is_authorized)
		return 0; /* the kernel has taken its configuration, and with it the interfaces */
	if (read_number(session, "bConfigurationValue", 10, UINT8_MAX, &value) == 0)
		live->configuration = (uint8_t)value;
	return read_interfaces(session, names, live);
}

static void check_controller(const struct session *session, uint16_t bus_number, struct skm_live_state *live)
{
	struct skm_controller before = {.authorized_default = -1, .interface_authorized_default = -1};
	int r = session->ops->close_controller(session->ops->user, bus_number, &before);
	live->controller_was_open |= !skm_controller_is_closed(&before);
	live->controller_is_open = r < 0;
}

int skm_enforcer_describe(
	const struct skm_device_ops *ops, int device, const char *port, struct skm_device *ret_device)
{
	const struct session session = {.ops = ops, .device = device};
	struct skm_device description = {0};
	int r = describe(&session, port, &description);
	if (r < 0)
		return r;
	read_connect_type(&session, &description);
	*ret_device = description;
	return 0;
}

int skm_enforcer_inspect(const struct skm_device_ops *ops, int device, const char *port,
	struct skm_device *ret_device, struct skm_live_state *ret_live)
{
	const struct session session = {.ops = ops, .device = device};
	char names[SKM_LIVE_INTERFACES_MAX][SKM_INTERFACE_NAME_BYTES];
	struct skm_device description = {0};
	struct skm_live_state live = {0};
	int r = describe(&session, port, &description);
	if (r == 0)
		r = read_live(&session, names, &live);
	if (r < 0)
		return is_gone(r) ? SKM_ENFORCER_GONE : r;
	read_connect_type(&session, &description);
	check_controller(&session, description.bus_number, &live);
	*ret_device = description;
	*ret_live = live;
	return 0;
}

bool skm_enforcer_is_satisfied(const struct skm_device *description, const struct skm_decision *decision,
	const struct skm_live_state *live)
{
	if (decision->verdict == SKM_VERDICT_DENY)
		return !live->is_authorized;
	if (!live->is_authorized)
		return false;
	/* The kernel reports success for a device that did not take its configuration (usb_authorize_device):
	 * it is authorised, and nothing of it works. */
	if (live->interface_count == 0 && description->interface_count > 0)
		return false;
	for (unsigned i = 0; i < live->interface_count; i++) {
		const struct skm_usb_interface *interface = &live->interfaces[i].interface;
		if (live->interfaces[i].is_authorized != skm_decision_allows(decision, description,
								 interface->configuration, interface->number))
			return false;
	}
	return !find_foreign(live);
}

/* Is this very class triple among those that were judged? */
static bool was_judged(const struct skm_device *description, const struct skm_usb_interface *interface)
{
	for (unsigned i = 0; i < description->interface_count; i++) {
		const struct skm_usb_interface *known = &description->interfaces[i];
		if (known->configuration == interface->configuration && known->number == interface->number &&
			known->class_code == interface->class_code &&
			known->subclass == interface->subclass && known->protocol == interface->protocol)
			return true;
	}
	return false;
}

static int write_interface(const struct session *session, const char *name, bool open)
{
	char path[SKM_INTERFACE_NAME_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%.*s/authorized", SKM_INTERFACE_NAME_BYTES - 1, name);
	return session->ops->write(session->ops->user, session->device, path, open ? "1" : "0");
}

/* Interfaces first: a driver lets go of its interface before the configuration is taken away under it. */
static int close_device(
	const struct session *session, char (*names)[SKM_INTERFACE_NAME_BYTES], struct skm_live_state *live)
{
	if (!live->is_authorized)
		return 0;
	for (unsigned i = 0; i < live->interface_count; i++)
		if (live->interfaces[i].is_authorized)
			(void)write_interface(
				session, names[i], false); /* the device write below covers it too */
	int r = session->ops->write(session->ops->user, session->device, "authorized", "0");
	if (r < 0)
		return r;
	r = read_live(session, names, live);
	if (r < 0)
		return r;
	return live->is_authorized ? -EIO : 0;
}

/* 0 also when no driver wants it. */
static int offer(const struct session *session, const struct skm_usb_interface *interface, const char *name)
{
	const char *const *driver = drivers_of(interface);
	bool is_loaded = driver && !*driver;
	for (; driver && *driver; driver++) {
		int r = session->ops->probe(session->ops->user, name, *driver);
		if (r != -ENOENT && r != -ENODEV)
			return r == -EBUSY ? 0 : r;
		is_loaded |= r == -ENODEV;
	}
	/* A driver that is being loaded at this moment may have passed the interface before it was opened,
	 * and cannot be written to yet: it is found among all. */
	return is_loaded ? 0 : session->ops->probe(session->ops->user, name, NULL);
}

static int open_interfaces(const struct session *session, const struct skm_device *description,
	const struct skm_decision *decision, char (*names)[SKM_INTERFACE_NAME_BYTES],
	struct skm_live_state *live)
{
	bool is_new[SKM_LIVE_INTERFACES_MAX] = {false};
	/* closings before openings: at no moment is more open than is wanted */
	for (int opening = 0; opening <= 1; opening++) {
		for (unsigned i = 0; i < live->interface_count; i++) {
			const struct skm_live_interface *one = &live->interfaces[i];
			bool wanted = skm_decision_allows(
				decision, description, one->interface.configuration, one->interface.number);
			if (wanted == one->is_authorized || wanted != (opening == 1))
				continue;
			int r = write_interface(session, names[i], wanted);
			if (r < 0)
				return r;
			is_new[i] = wanted;
		}
	}
	/* An interface may have been opened by another hand and never probed. */
	for (unsigned i = 0; i < live->interface_count; i++) {
		if (!is_new[i] || live->interfaces[i].driver[0])
			continue;
		int r = offer(session, &live->interfaces[i].interface, names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The kernel does not tell udev that a device or an interface was opened or closed, so udev is asked to look
 * again when all is done, in the kernel's form "ACTION UUID KEY=VALUE" (sysfs-uevent). The value is our word
 * on the device's node (/dev/bus/usb): it stays root's alone unless all of the device is open (conf/udev).
 * "add", since the default rules give modes and groups for that action alone. That nobody listens is no
 * failure. */
static void tell_udev(const struct session *session, bool is_wholly_open)
{
	(void)session->ops->write(session->ops->user, session->device, "uevent",
		is_wholly_open ? "add 5e6b1a2c-7d0f-4a53-9c1e-2f8b6d40e917 SEKIMORI=open"
			       : "change 5e6b1a2c-7d0f-4a53-9c1e-2f8b6d40e917 SEKIMORI=closed");
}

static int authorize(
	const struct session *session, char (*names)[SKM_INTERFACE_NAME_BYTES], struct skm_live_state *live)
{
	int r = session->ops->write(session->ops->user, session->device, "authorized", "1");
	if (r < 0)
		return r;
	live->is_authorized = true;
	return read_interfaces(session, names, live);
}

/* An authorised device, whose interfaces have just been read. */
static int settle(const struct session *session, const struct skm_device *description,
	const struct skm_decision *decision, char (*names)[SKM_INTERFACE_NAME_BYTES],
	struct skm_live_state *live)
{
	for (unsigned i = 0; i < live->interface_count; i++)
		if (!was_judged(description, &live->interfaces[i].interface))
			return SKM_ENFORCER_MISMATCH;
	int r = open_interfaces(session, description, decision, names, live);
	if (r == 0)
		r = read_live(session, names, live);
	if (r < 0)
		return r;
	const struct skm_live_interface *foreign = find_foreign(live);
	if (foreign) {
		memcpy(live->foreign_driver, foreign->driver, sizeof(foreign->driver));
		return SKM_ENFORCER_DRIVER;
	}
	return skm_enforcer_is_satisfied(description, decision, live) ? 0 : -EIO;
}

static int apply(const struct session *session, const struct skm_device *description,
	const struct skm_decision *decision, char (*names)[SKM_INTERFACE_NAME_BYTES],
	struct skm_live_state *live)
{
	int r = read_live(session, names, live);
	if (r < 0)
		return r;
	if (decision->verdict == SKM_VERDICT_DENY)
		return close_device(session, names, live);
	check_controller(session, description->bus_number, live);
	if (live->controller_is_open)
		return SKM_ENFORCER_CONTROLLER_OPEN;
	if (!live->is_authorized)
		r = authorize(session, names, live);
	return r < 0 ? r : settle(session, description, decision, names, live);
}

/* Whatever went wrong, nothing stays half open. */
static int conclude(const struct session *session, int r, const struct skm_decision *decision,
	char (*names)[SKM_INTERFACE_NAME_BYTES], struct skm_live_state *live)
{
	if (is_gone(r))
		return SKM_ENFORCER_GONE;
	if (r != 0) {
		struct skm_live_state now = *live;
		if (read_live(session, names, &now) < 0)
			now.is_authorized = true; /* cannot tell: close blindly */
		(void)close_device(session, names, &now);
		*live = now;
	}
	tell_udev(session, r == 0 && decision->verdict == SKM_VERDICT_ALLOW);
	return r;
}

int skm_enforcer_apply(const struct skm_device_ops *ops, int device, const struct skm_device *description,
	const struct skm_decision *decision, struct skm_live_state *ret_live)
{
	const struct session session = {.ops = ops, .device = device};
	char names[SKM_LIVE_INTERFACES_MAX][SKM_INTERFACE_NAME_BYTES];
	*ret_live = (struct skm_live_state){0};
	int r = apply(&session, description, decision, names, ret_live);
	return conclude(&session, r, decision, names, ret_live);
}

int skm_enforcer_open(const struct skm_device_ops *ops, int device, const struct skm_device *description,
	const struct skm_decision *decision, struct skm_live_state *live)
{
	const struct session session = {.ops = ops, .device = device};
	char names[SKM_LIVE_INTERFACES_MAX][SKM_INTERFACE_NAME_BYTES];
	int r = authorize(&session, names, live);
	if (r == 0)
		r = settle(&session, description, decision, names, live);
	return conclude(&session, r, decision, names, live);
}
