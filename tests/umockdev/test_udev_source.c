// SPDX-License-Identifier: Apache-2.0
/* The libudev adapter against umockdev's imitation of /sys and of udev's events. The kernel's own group
 * cannot be imitated (libudev asks the kernel for the sender), so the imitation speaks on udev's; the virtual
 * terminal tests the kernel's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <umockdev.h>

#include "udev_source.h"

struct heard {
	unsigned count;
	struct {
		enum skm_usb_action action;
		enum skm_usb_object object;
		char name[64];
		uint16_t vendor_id;
	} events[16];
};

static int on_event(void *user, const struct skm_usb_event *event)
{
	struct heard *heard = user;
	cr_assert_lt(heard->count, SKM_ARRAY_SIZE(heard->events));
	heard->events[heard->count].action = event->action;
	heard->events[heard->count].object = event->object;
	heard->events[heard->count].vendor_id = event->vendor_id;
	(void)snprintf(heard->events[heard->count++].name, 64, "%s", event->name);
	return 0;
}

static int on_overflow(void *user)
{
	(void)user;
	return 0;
}

static char *add_device(
	UMockdevTestbed *testbed, const char *name, const char *parent, const char *type, const char *product)
{
	return umockdev_testbed_add_device(
		testbed, "usb", name, parent, "busnum", "1", NULL, "DEVTYPE", type, "PRODUCT", product, NULL);
}

Test(udev_source, lists_and_hears)
{
	g_autoptr(UMockdevTestbed) testbed = umockdev_testbed_new();
	cr_assert(umockdev_in_mock_environment(), "run with umockdev's preload");
	g_autofree char *hub = add_device(testbed, "usb1", NULL, "usb_device", "1d6b/2/601");
	g_autofree char *keyboard = add_device(testbed, "1-1", hub, "usb_device", "46d/c31c/6400");
	g_autofree char *interface =
		add_device(testbed, "1-1:1.0", keyboard, "usb_interface", "46d/c31c/6400");
	cr_assert_not_null(interface);

	struct heard heard = {0};
	struct skm_loop *loop = NULL;
	struct skm_udev_source *source = NULL;
	const struct skm_udev_handler handler = {
		.on_event = on_event, .on_overflow = on_overflow, .user = &heard};
	cr_assert_eq(skm_loop_new(&loop), 0);
	cr_assert_eq(skm_udev_source_new(loop, "udev", 65536, &handler, &source), 0);
	cr_assert_eq(skm_udev_source_scan(source, on_event, &heard), 0);
	cr_assert_eq(heard.count, 2, "controller and device, but %u", heard.count);
	cr_expect_eq(heard.events[0].object, SKM_USB_CONTROLLER, "parents first");
	cr_expect_eq(heard.events[1].object, SKM_USB_DEVICE);
	cr_expect_str_eq(heard.events[1].name, "1-1");

	heard.count = 0;
	g_autofree char *stick = add_device(testbed, "1-2", hub, "usb_device", "781/5581/100");
	umockdev_testbed_uevent(testbed, stick, "add");
	umockdev_testbed_uevent(testbed, interface, "bind");
	umockdev_testbed_uevent(testbed, stick, "remove");
	for (int i = 0; i < 500 && heard.count < 4; i++)
		cr_assert_eq(skm_loop_run_once(loop, 20), 0);
	/* add_device announces by itself, then we do */
	cr_assert_geq(heard.count, 4);
	cr_expect_eq(heard.events[0].action, SKM_USB_ADD);
	cr_expect_eq(heard.events[0].vendor_id, 0x0781);
	cr_expect_eq(heard.events[heard.count - 2].object, SKM_USB_INTERFACE);
	cr_expect_eq(heard.events[heard.count - 2].action, SKM_USB_CHANGE);
	cr_expect_eq(heard.events[heard.count - 1].action, SKM_USB_REMOVE);
	(void)skm_udev_source_free(source);
	(void)skm_loop_free(loop);
}
