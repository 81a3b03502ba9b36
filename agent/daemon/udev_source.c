// SPDX-License-Identifier: Apache-2.0
/* Thin: libudev in, our event out. Everything that decides is elsewhere. */
#include "udev_source.h"

#include <libudev.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS_PER_ROUND 256 /* so that a storm of events does not keep signals and timers waiting */

struct skm_udev_source {
	struct udev *udev;
	struct udev_monitor *monitor;
	struct skm_source *source;
	struct skm_udev_handler handler;
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* By the kernel's naming (usb_alloc_dev, usb_set_configuration) rather than by DEVTYPE: for an enumerated
 * device libudev would have to read its uevent file, and whatever is read from a device here could block the
 * main loop. */
static enum skm_usb_object object_of(const char *name)
{
	if (strchr(name, ':'))
		return SKM_USB_INTERFACE;
	return strncmp(name, "usb", 3) == 0 ? SKM_USB_CONTROLLER : SKM_USB_DEVICE;
}

static enum skm_usb_action action_of(const char *word)
{
	if (strcmp(word, "add") == 0)
		return SKM_USB_ADD;
	return strcmp(word, "remove") == 0 ? SKM_USB_REMOVE : SKM_USB_CHANGE;
}

/* What the event itself says of a device that may be gone before it could be read. */
static void fill_ids(struct udev_device *device, struct skm_usb_event *event)
{
	/* "781/5581/100": hex without leading zeros */
	const char *product = udev_device_get_property_value(device, "PRODUCT");
	unsigned vendor = 0;
	unsigned model = 0;
	if (product && sscanf(product, "%4x/%4x/", &vendor, &model) == 2) { // NOLINT(cert-err34-c)
		event->vendor_id = (uint16_t)vendor;
		event->product_id = (uint16_t)model;
	}
}

static int receive_one(struct skm_udev_source *source, bool *ret_more)
{
	errno = 0;
	struct udev_device *device = udev_monitor_receive_device(source->monitor);
	*ret_more = device != NULL;
	if (!device) {
		/* The kernel tells once, by the next receive, that it had to drop events. */
		if (errno == ENOBUFS) {
			*ret_more = true;
			return source->handler.on_overflow(source->handler.user);
		}
		return 0;
	}
	struct skm_usb_event event = {.syspath = udev_device_get_syspath(device)};
	const char *action = udev_device_get_action(device);
	int r = 0;
	if (action && event.syspath) {
		event.name = last_part(event.syspath);
		event.object = object_of(event.name);
		event.action = action_of(action);
		fill_ids(device, &event);
		r = source->handler.on_event(source->handler.user, &event);
	}
	(void)udev_device_unref(device);
	return r;
}

static int on_readable(struct skm_source *unused, uint32_t events, void *user)
{
	(void)unused;
	(void)events;
	bool more = true;
	int r = 0;
	for (int i = 0; r == 0 && more && i < EVENTS_PER_ROUND; i++)
		r = receive_one(user, &more);
	return r;
}

static int open_monitor(struct skm_udev_source *source, const char *group, uint32_t receive_buffer_bytes)
{
	source->udev = udev_new();
	if (!source->udev)
		return -ENOMEM;
	source->monitor = udev_monitor_new_from_netlink(source->udev, group);
	if (!source->monitor)
		return errno > 0 ? -errno : -ENOMEM;
	int r = udev_monitor_filter_add_match_subsystem_devtype(source->monitor, "usb", NULL);
	if (r < 0)
		return r;
	/* Without the privilege to force it the size is what the system allows: smaller, and an overflow is
	 * handled. */
	(void)udev_monitor_set_receive_buffer_size(source->monitor, (int)receive_buffer_bytes);
	return udev_monitor_enable_receiving(source->monitor);
}

int skm_udev_source_new(struct skm_loop *loop, const char *group, uint32_t receive_buffer_bytes,
	const struct skm_udev_handler *handler, struct skm_udev_source **ret_source)
{
	struct skm_udev_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->handler = *handler;
	int r = open_monitor(source, group, receive_buffer_bytes);
	if (r == 0)
		r = skm_loop_add_fd(loop, udev_monitor_get_fd(source->monitor), EPOLLIN, on_readable, source,
			&source->source);
	if (r < 0) {
		(void)skm_udev_source_free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

struct skm_udev_source *skm_udev_source_free(struct skm_udev_source *source)
{
	if (!source)
		return NULL;
	source->source = skm_source_remove(source->source);
	if (source->monitor)
		(void)udev_monitor_unref(source->monitor);
	if (source->udev)
		(void)udev_unref(source->udev);
	free(source);
	return NULL;
}

int skm_udev_source_set_buffer(struct skm_udev_source *source, uint32_t receive_buffer_bytes)
{
	return udev_monitor_set_receive_buffer_size(source->monitor, (int)receive_buffer_bytes);
}

/* libudev gives the list sorted by path, so a hub comes before what hangs on it. */
int skm_udev_source_scan(
	struct skm_udev_source *source, int (*on_event)(void *user, const struct skm_usb_event *), void *user)
{
	struct udev_enumerate *enumerate = udev_enumerate_new(source->udev);
	if (!enumerate)
		return -ENOMEM;
	int r = udev_enumerate_add_match_subsystem(enumerate, "usb");
	if (r == 0)
		r = udev_enumerate_scan_devices(enumerate);
	struct udev_list_entry *entry = r == 0 ? udev_enumerate_get_list_entry(enumerate) : NULL;
	for (; r == 0 && entry; entry = udev_list_entry_get_next(entry)) {
		struct skm_usb_event event = {
			.action = SKM_USB_ADD, .syspath = udev_list_entry_get_name(entry)};
		event.name = last_part(event.syspath);
		event.object = object_of(event.name);
		if (event.object != SKM_USB_INTERFACE)
			r = on_event(user, &event);
	}
	(void)udev_enumerate_unref(enumerate);
	return r;
}
