// SPDX-License-Identifier: Apache-2.0
/* The enforcer against a device in memory. The promise in all of them: whatever fails, at whatever moment, no
 * interface that was not allowed ever gets a driver. */
#include <criterion/criterion.h>
#include <string.h>

#include "enforcer.h"
#include "fake_device.h"

static const struct skm_usb_interface two_configurations[2] = {
	{.configuration = 1, .class_code = 3, .subclass = 1, .protocol = 1},
	{.configuration = 2, .class_code = 8, .subclass = 6, .protocol = 0x50},
};

/* Allows HID and nothing else, as a policy might. */
static struct skm_decision allow_hid(const struct skm_device *device)
{
	struct skm_decision decision = {.verdict = SKM_VERDICT_DENY};
	unsigned allowed = 0;
	for (unsigned i = 0; i < device->interface_count; i++) {
		decision.interface_allowed[i] = device->interfaces[i].class_code == 3;
		allowed += decision.interface_allowed[i];
	}
	if (allowed)
		decision.verdict =
			allowed == device->interface_count ? SKM_VERDICT_ALLOW : SKM_VERDICT_PARTIAL;
	return decision;
}

static int look(struct fake_device *fake, bool at_once, struct skm_live_state *live)
{
	struct skm_device_ops ops = fake_device_ops(fake);
	struct skm_device device;
	int r = skm_enforcer_inspect(&ops, -1, fake->port, &device, live);
	if (r != 0)
		return r;
	struct skm_decision decision = allow_hid(&device);
	return at_once ? skm_enforcer_open(&ops, -1, &device, &decision, live)
		       : skm_enforcer_apply(&ops, -1, &device, &decision, live);
}

static int look_and_apply(struct fake_device *fake, struct skm_live_state *live)
{
	return look(fake, false, live);
}

/* In the one job that looked: nothing is read a second time. */
static int look_and_open(struct fake_device *fake, struct skm_live_state *live)
{
	return look(fake, true, live);
}

static void assert_nothing_else_bound(const struct fake_device *fake, const char *when)
{
	for (unsigned i = 0; i < fake->interface_count; i++)
		if (fake->interfaces[i].announced.class_code != 3)
			cr_assert(!fake->interfaces[i].ever_had_driver, "%s: interface %u got a driver", when,
				i);
}

Test(enforcer, describes_a_device)
{
	struct fake_device fake;
	struct skm_device device;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_storage, 1);
	struct skm_device_ops ops = fake_device_ops(&fake);
	fake.serial = "A\nB";
	cr_assert_eq(skm_enforcer_inspect(&ops, -1, "1-2", &device, &live), 0);
	cr_expect_str_eq(device.port, "1-2");
	cr_expect_eq(device.vendor_id, 0x0781);
	cr_expect_eq(device.product_id, 0x5581);
	cr_expect_str_eq(device.serial, "A\nB", "only the kernel's own newline goes");
	cr_expect_eq(device.connect_type, SKM_CONNECT_HOTPLUG);
	cr_expect_eq(device.interface_count, 1);
	cr_expect(!live.is_authorized);
	cr_expect_eq(fake.authorized, false, "looking opens nothing");
}

Test(enforcer, asks_the_hub_where_a_port_is)
{
	static const struct {
		const char *port, *path;
	} rows[] = {{"3-1", "../3-0:1.0/usb3-port1/connect_type"},
		{"1-2.3", "../1-2:1.0/1-2-port3/connect_type"},
		{"12-4.1.7", "../12-4.1:1.0/12-4.1-port7/connect_type"}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		struct fake_device fake;
		struct skm_device device;
		struct skm_live_state live;
		fake_device_init(&fake, rows[i].port, &fake_storage, 1);
		fake.hub_port = rows[i].path;
		struct skm_device_ops ops = fake_device_ops(&fake);
		cr_assert_eq(skm_enforcer_inspect(&ops, -1, rows[i].port, &device, &live), 0);
		cr_expect_eq(device.connect_type, SKM_CONNECT_HARDWIRED, "%s", rows[i].port);
	}
}

Test(enforcer, leaves_a_refused_device_alone)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_storage, 1);
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	cr_expect(!fake.authorized);
	cr_expect(!live.is_authorized);
}

Test(enforcer, opens_a_keyboard)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_keyboard, 1);
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	cr_expect(fake.interfaces[0].has_driver);
	cr_expect(live.is_authorized);
	unsigned calls = fake.calls;
	cr_assert_eq(look_and_apply(&fake, &live), 0, "idempotent");
	cr_expect(fake.interfaces[0].has_driver);
	cr_expect_gt(fake.calls, calls);
}

Test(enforcer, opens_only_the_keyboard_of_a_composite)
{
	for (int at_once = 0; at_once <= 1; at_once++) {
		struct fake_device fake;
		struct skm_live_state live;
		fake_device_init(&fake, "1-2", fake_composite, 2);
		cr_assert_eq(look(&fake, at_once, &live), 0);
		cr_expect(fake.interfaces[0].has_driver);
		cr_expect(!fake.interfaces[1].authorized);
		cr_expect(live.is_authorized && live.interfaces[0].driver[0] &&
			  !live.interfaces[1].is_authorized);
		assert_nothing_else_bound(&fake, "composite");
	}
}

Test(enforcer, asks_the_kernel_less_when_it_has_just_looked)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_keyboard, 1);
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	unsigned calls = fake.calls;
	fake_device_init(&fake, "1-2", &fake_keyboard, 1);
	cr_assert_eq(look_and_open(&fake, &live), 0);
	cr_expect_lt(fake.calls, calls);
}

Test(enforcer, closes_what_it_finds_open)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", fake_composite, 2);
	fake.authorized = true;
	fake.interfaces[0].authorized = fake.interfaces[0].has_driver = true;
	fake.interfaces[0].driver = "usbhid";
	fake.interfaces[1].authorized = fake.interfaces[1].has_driver = true;
	fake.interfaces[1].driver = "usb-storage";
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	cr_expect(fake.interfaces[0].has_driver, "the keyboard a person types on is not lost");
	cr_expect(!fake.interfaces[1].has_driver);
	cr_expect(!fake.interfaces[1].authorized);
}

Test(enforcer, closes_the_controller_before_it_opens_a_device)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", fake_composite, 2);
	fake.controller_is_open = true;
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	assert_nothing_else_bound(&fake, "open controller");
	fake_device_init(&fake, "1-2", fake_composite, 2);
	fake.controller_is_open = fake.controller_is_stubborn = true;
	cr_assert_eq(look_and_apply(&fake, &live), SKM_ENFORCER_CONTROLLER_OPEN);
	cr_expect(!fake.authorized, "behind an open controller nothing is opened");
	assert_nothing_else_bound(&fake, "stubborn controller");
}

Test(enforcer, refuses_interfaces_that_were_not_announced)
{
	for (int at_once = 0; at_once <= 1; at_once++) {
		struct fake_device fake;
		struct skm_live_state live;
		fake_device_init(&fake, "1-2", &fake_keyboard, 1);
		fake.interfaces[0].live_class = 8;
		cr_assert_eq(look(&fake, at_once, &live), SKM_ENFORCER_MISMATCH);
		cr_expect(!fake.authorized && !live.is_authorized, "closed again");
		cr_expect(!fake.interfaces[0].ever_had_driver);
	}
}

static const struct skm_usb_interface reader = {.configuration = 1, .class_code = 0x0b},
				      hub = {.configuration = 1, .class_code = 9},
				      pad = {.configuration = 1,
					      .class_code = 3,
					      .subclass = 6,
					      .protocol = 0x50};

static int open_all(struct fake_device *fake, struct skm_live_state *live)
{
	struct skm_device_ops ops = fake_device_ops(fake);
	struct skm_device device;
	struct skm_decision decision = {.verdict = SKM_VERDICT_ALLOW};
	memset(decision.interface_allowed, true, sizeof(decision.interface_allowed));
	cr_assert_eq(skm_enforcer_inspect(&ops, -1, fake->port, &device, live), 0);
	return skm_enforcer_apply(&ops, -1, &device, &decision, live);
}

/* Vendor and product of a stick that usb-storage knows by them, and the class of what may pass. */
Test(enforcer, offers_a_class_to_its_own_drivers_only)
{
	const struct skm_usb_interface interfaces[] = {reader, hub, fake_keyboard, pad};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(interfaces); i++) {
		for (int is_broken = 0; is_broken <= 1; is_broken++) {
			struct fake_device fake;
			struct skm_live_state live;
			fake_device_init(&fake, "1-2", &interfaces[i], 1);
			fake.vendor_driver = "usb-storage";
			fake.is_broken = is_broken;
			cr_assert_eq(open_all(&fake, &live), 0, "%zu", i);
			cr_expect(fake.interfaces[0].authorized);
			cr_expect_neq(fake.interfaces[0].ever_had_driver && is_broken, true, "%zu", i);
			cr_expect_str_neq(live.interfaces[0].driver, "usb-storage", "%zu", i);
		}
	}
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_storage, 1);
	fake.vendor_driver = "ums-sddr55";
	cr_assert_eq(open_all(&fake, &live), 0);
	cr_expect_str_eq(live.interfaces[0].driver, "ums-sddr55", "what a rule allowed as what it is works");
}

/* It was loaded later, or while usbhid was not there yet. */
Test(enforcer, closes_what_a_driver_of_another_class_has)
{
	const struct skm_usb_interface interfaces[] = {reader, hub, fake_keyboard, pad};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(interfaces); i++) {
		struct fake_device fake;
		struct skm_live_state live;
		fake_device_init(&fake, "1-2", &interfaces[i], 1);
		cr_assert_eq(open_all(&fake, &live), 0);
		fake.interfaces[0].has_driver = true;
		fake.interfaces[0].driver = "usb-storage";
		cr_assert_eq(open_all(&fake, &live), SKM_ENFORCER_DRIVER, "%zu", i);
		cr_expect_str_eq(live.foreign_driver, "usb-storage");
		cr_expect(!fake.authorized && !live.is_authorized, "%zu: closed again", i);
	}
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", &fake_keyboard, 1);
	fake.vendor_driver = "ftdi_sio";
	fake.is_class_driver_absent = true;
	cr_assert_eq(open_all(&fake, &live), SKM_ENFORCER_DRIVER);
	cr_expect(!fake.authorized);
	fake_device_init(&fake, "1-2", &reader, 1);
	cr_assert_eq(open_all(&fake, &live), 0);
	fake.interfaces[0].has_driver = true;
	fake.interfaces[0].driver = "usbfs";
	cr_assert_eq(open_all(&fake, &live), 0, "a program uses the card reader");
	cr_expect(fake.authorized);
}

Test(enforcer, keeps_a_second_configuration_closed)
{
	struct fake_device fake;
	struct skm_live_state live;
	fake_device_init(&fake, "1-2", two_configurations, 2);
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	cr_expect(fake.interfaces[0].has_driver);
	fake.configuration = 2; /* somebody writes bConfigurationValue */
	cr_assert_eq(look_and_apply(&fake, &live), 0);
	cr_expect_eq(live.configuration, 2);
	assert_nothing_else_bound(&fake, "second configuration");
}

/* Every call fails once; every call is the one at which the device is pulled out. */
Test(enforcer, never_opens_too_much_whatever_fails)
{
	for (unsigned k = 1; k < 60; k++) {
		for (int way = 0; way < 4; way++) {
			const bool kind = way & 1, at_once = way & 2;
			struct fake_device fake;
			struct skm_live_state live;
			fake_device_init(&fake, "1-2", fake_composite, 2);
			if (kind)
				fake.gone_at = k;
			else
				fake.fail_at = k;
			int r = look(&fake, at_once, &live);
			assert_nothing_else_bound(&fake, kind ? "gone" : "failed");
			if (kind && fake.calls >= k)
				cr_expect(r == SKM_ENFORCER_GONE || r == 0, "call %u: %d", k, r);
			/* that no driver wants an interface is no failure, so a probe may fail */
			if (!kind && r != 0)
				cr_expect(!fake.interfaces[1].authorized &&
						  (!fake.authorized || fake.calls < k),
					"call %u failed with %d and the device stayed open", k, r);
		}
	}
}

Test(enforcer, knows_when_the_kernel_agrees)
{
	struct skm_device device = {
		.interface_count = 2, .interfaces = {fake_composite[0], fake_composite[1]}};
	struct skm_decision decision = allow_hid(&device);
	struct skm_live_state live = {.is_authorized = true,
		.interface_count = 2,
		.interfaces = {{.interface = fake_composite[0], .is_authorized = true},
			{.interface = fake_composite[1]}}};
	cr_expect(skm_enforcer_is_satisfied(&device, &decision, &live));
	live.interfaces[1].is_authorized = true;
	cr_expect(
		!skm_enforcer_is_satisfied(&device, &decision, &live), "the disk was opened by another hand");
	live.interfaces[1].is_authorized = false;
	live.interfaces[0].is_authorized = false;
	cr_expect(!skm_enforcer_is_satisfied(&device, &decision, &live),
		"the keyboard was closed by another hand");
	live.interfaces[0].is_authorized = true;
	memcpy(live.interfaces[0].driver, "usb-storage", sizeof("usb-storage"));
	cr_expect(
		!skm_enforcer_is_satisfied(&device, &decision, &live), "a disk that calls itself a keyboard");
	decision.verdict = SKM_VERDICT_DENY;
	cr_expect(!skm_enforcer_is_satisfied(&device, &decision, &live));
	live.is_authorized = false;
	cr_expect(skm_enforcer_is_satisfied(&device, &decision, &live));
}
