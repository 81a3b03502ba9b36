// SPDX-License-Identifier: Apache-2.0
/* The state machine with real worker processes, the real enforcer and policy, and devices in shared memory,
 * so that what a worker does to a device is seen here. Folders below a temporary /sys stand for the
 * descriptors it holds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_device.h"
#include "gatekeeper.h"
#include "tmpdir.h"

#define DEADLINE_MS 90000 /* of a worker that is to come back, also on a machine that is busy */
#define DEVICES 2

struct fixture {
	char root[TMPDIR_BYTES];
	struct skm_loop *loop;
	struct skm_worker_pool *pool;
	struct skm_gatekeeper *gatekeeper;
	struct skm_rule_set rules;
	struct skm_policy *policy;
	struct fake_device *fakes; /* shared with the workers; [0] is on port 1-1, [1] on 1-2 */
	struct skm_device_ops fake_ops[DEVICES];
	bool log_fails;
	unsigned record_count;
	struct skm_record records[64];
};

static struct fixture *open_fixture_now; /* the ops below find their device by the folder's name through it */

static void on_record(void *user, const struct skm_record *record)
{
	struct fixture *fixture = user;
	cr_assert_lt(fixture->record_count, SKM_ARRAY_SIZE(fixture->records));
	fixture->records[fixture->record_count++] = *record;
}

static int on_flush(void *user)
{
	const struct fixture *fixture = user;
	return fixture->log_fails ? -ENOSPC : 0;
}

static void on_job(void *user, const struct skm_job_result *result)
{
	struct fixture *fixture = user;
	skm_gatekeeper_on_job(fixture->gatekeeper, result);
}

/* Which device is behind the folder descriptor: its link in /proc tells. */
static const struct skm_device_ops *ops_of(int device)
{
	char link[64];
	char path[256];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", device);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	cr_assert_gt(n, 0);
	path[n] = '\0';
	return &open_fixture_now->fake_ops[strstr(path, "/1-2") ? 1 : 0];
}

static int route_read(void *user, int device, const char *name, char *buf, size_t size, size_t *ret_len)
{
	(void)user;
	const struct skm_device_ops *ops = ops_of(device);
	return ops->read(ops->user, device, name, buf, size, ret_len);
}

static int route_write(void *user, int device, const char *name, const char *value)
{
	(void)user;
	const struct skm_device_ops *ops = ops_of(device);
	return ops->write(ops->user, device, name, value);
}

static int route_driver(void *user, int device, const char *interface, char ret_name[SKM_DRIVER_NAME_BYTES])
{
	(void)user;
	const struct skm_device_ops *ops = ops_of(device);
	return ops->driver(ops->user, device, interface, ret_name);
}

static int route_interfaces(
	void *user, int device, char (*ret_names)[SKM_INTERFACE_NAME_BYTES], size_t max, size_t *ret_count)
{
	(void)user;
	const struct skm_device_ops *ops = ops_of(device);
	return ops->interfaces(ops->user, device, ret_names, max, ret_count);
}

static int route_probe(void *user, const char *interface, const char *driver)
{
	(void)user;
	const struct skm_device_ops *ops =
		&open_fixture_now->fake_ops[strncmp(interface, "1-2", 3) == 0 ? 1 : 0];
	return ops->probe(ops->user, interface, driver);
}

static struct fixture *open_fixture(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	cr_assert_not_null(fixture);
	open_fixture_now = fixture;
	tmpdir_make(fixture->root);
	fixture->fakes = mmap(NULL, DEVICES * sizeof(*fixture->fakes), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(fixture->fakes, MAP_FAILED);
	for (int i = 0; i < DEVICES; i++)
		fixture->fake_ops[i] = fake_device_ops(&fixture->fakes[i]);
	struct skm_device_ops ops = fixture->fake_ops[0]; /* controller and hash are the same for all */
	ops.read = route_read;
	ops.write = route_write;
	ops.driver = route_driver;
	ops.interfaces = route_interfaces;
	ops.probe = route_probe;
	const struct skm_recorder recorder = {.record = on_record, .flush = on_flush, .user = fixture};
	cr_assert_eq(skm_loop_new(&fixture->loop), 0);
	cr_assert_eq(skm_gatekeeper_new(fixture->root, fixture->root, &recorder, &fixture->gatekeeper), 0);
	cr_assert_eq(skm_worker_pool_new(fixture->loop, &ops, DEADLINE_MS, on_job, fixture, &fixture->pool), 0);
	skm_gatekeeper_set_pool(fixture->gatekeeper, fixture->pool);
	skm_gatekeeper_start_is_over(fixture->gatekeeper);
	return fixture;
}

static void use_rules(struct fixture *fixture, bool is_audit_mode)
{
	struct skm_policy *policy = NULL;
	cr_assert_eq(skm_policy_compile(&fixture->rules, &policy), 0);
	const struct skm_gatekeeper_rules rules = {.policy = policy, .is_audit_mode = is_audit_mode};
	skm_gatekeeper_set_rules(fixture->gatekeeper, &rules);
	(void)skm_policy_free(fixture->policy);
	fixture->policy = policy;
}

static void close_fixture(struct fixture *fixture)
{
	(void)skm_gatekeeper_free(fixture->gatekeeper);
	(void)skm_worker_pool_free(fixture->pool);
	(void)skm_loop_free(fixture->loop);
	(void)skm_policy_free(fixture->policy);
	skm_rule_set_finish(&fixture->rules);
	(void)munmap(fixture->fakes, DEVICES * sizeof(*fixture->fakes));
	tmpdir_remove(fixture->root);
	free(fixture);
}

static const char *const ports[DEVICES] = {"1-1", "1-2"};

static void say_of(struct fixture *fixture, enum skm_usb_action action, const char *name, uint16_t vendor_id)
{
	char path[TMPDIR_BYTES + 128];
	(void)snprintf(path, sizeof(path), "%s/devices/%s", fixture->root, name);
	const struct skm_usb_event event = {.action = action,
		.object = strchr(name, ':') ? SKM_USB_INTERFACE : SKM_USB_DEVICE,
		.syspath = path,
		.name = name,
		.vendor_id = vendor_id,
		.product_id = 0x5581};
	skm_gatekeeper_on_event(fixture->gatekeeper, &event);
}

static void say(struct fixture *fixture, enum skm_usb_action action, const char *name)
{
	say_of(fixture, action, name, 0x0781);
}

/* Runs until no job is under way and nothing is to be looked at. */
static void settle(struct fixture *fixture)
{
	for (int i = 0; i < 3000; i++) {
		bool is_busy = skm_gatekeeper_has_dirty(fixture->gatekeeper);
		skm_gatekeeper_look_again(fixture->gatekeeper);
		skm_worker_pool_dispatch(fixture->pool);
		is_busy |= skm_worker_pool_is_busy(fixture->pool);
		cr_assert_eq(skm_loop_run_once(fixture->loop, 10), 0);
		if (!is_busy)
			return;
	}
	cr_assert_fail("the gatekeeper did not settle");
}

static void plug(
	struct fixture *fixture, int slot, const struct skm_usb_interface *interfaces, unsigned count)
{
	fake_device_init(&fixture->fakes[slot], ports[slot], interfaces, count);
	tmpdir_write(fixture->root, "1\n", "devices/%s/devnum", ports[slot]);
	say(fixture, SKM_USB_ADD, ports[slot]);
	settle(fixture);
}

static void unplug(struct fixture *fixture, int slot)
{
	char path[TMPDIR_BYTES + 64];
	fixture->fakes[slot].is_gone = true;
	(void)snprintf(path, sizeof(path), "%s/devices/%s/devnum", fixture->root, ports[slot]);
	(void)unlink(path);
}

static void add_rule(struct fixture *fixture, struct skm_rule rule)
{
	rule.id = "stick-7";
	rule.reason = "lent to the tax section";
	rule.action = SKM_RULE_ALLOW;
	cr_assert_eq(skm_rule_set_add(&fixture->rules, &rule), 0);
}

static void add_serial_rule(struct fixture *fixture)
{
	add_rule(fixture, (struct skm_rule){.criteria = SKM_RULE_VID_PID | SKM_RULE_SERIAL,
				  .vendor_id = 0x0781,
				  .product_id = 0x5581,
				  .serial = "S1"});
}

static void expect_events(const struct fixture *fixture, const enum skm_event *events, unsigned count)
{
	for (unsigned i = 0; i < fixture->record_count && i < count; i++)
		cr_expect_eq(fixture->records[i].event, events[i], "record %u is %s, expected %s", i,
			skm_event_to_string(fixture->records[i].event), skm_event_to_string(events[i]));
	cr_expect_eq(fixture->record_count, count, "%u records, expected %u", fixture->record_count, count);
}
#define EXPECT_EVENTS(fixture, ...)                                   \
	expect_events(fixture, (const enum skm_event[]){__VA_ARGS__}, \
		sizeof((const enum skm_event[]){__VA_ARGS__}) / sizeof(enum skm_event))

Test(gatekeeper, refuses_a_stick_with_one_record)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	EXPECT_EVENTS(fixture, SKM_EVENT_EXPORT_DENIED);
	cr_expect_str_eq(fixture->records[0].decision.rule, "builtin:default-deny");
	cr_expect(!fixture->fakes[0].authorized);
	unplug(fixture, 0);
	say(fixture, SKM_USB_REMOVE, "1-1");
	EXPECT_EVENTS(fixture, SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_REMOVED);
	close_fixture(fixture);
}

Test(gatekeeper, opens_a_keyboard_and_half_a_composite)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_keyboard, 1);
	plug(fixture, 1, fake_composite, 2);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_PARTIAL);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver);
	cr_expect(fixture->fakes[1].interfaces[0].has_driver);
	cr_expect(!fixture->fakes[1].interfaces[1].ever_had_driver);
	close_fixture(fixture);
}

Test(gatekeeper, puts_right_what_another_hand_opened)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	fixture->fakes[0].authorized = true;
	say(fixture, SKM_USB_ADD, "1-1:1.0");
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_CHANGED);
	cr_expect(!fixture->fakes[0].authorized);
	/* but not for ever: somebody fights us */
	for (int i = 0; i < 12; i++) {
		fixture->fakes[0].authorized = true;
		say(fixture, SKM_USB_CHANGE, "1-1");
		settle(fixture);
		cr_expect(!fixture->fakes[0].authorized);
	}
	close_fixture(fixture);
}

Test(gatekeeper, permits_an_export_only_with_its_record_on_disk)
{
	struct fixture *fixture = open_fixture();
	add_rule(fixture,
		(struct skm_rule){.criteria = SKM_RULE_VID_PID, .vendor_id = 0x0781, .product_id = 0x5581});
	use_rules(fixture, false);
	fixture->log_fails = true;
	plug(fixture, 0, &fake_storage, 1);
	cr_expect(!fixture->fakes[0].authorized, "opened without a record");
	cr_expect_str_eq(
		fixture->records[fixture->record_count - 1].decision.rule, "builtin:no-record-no-permit");
	plug(fixture, 1, &fake_keyboard, 1);
	cr_expect(fixture->fakes[1].interfaces[0].has_driver, "a full disk must not take the keyboard");
	fixture->log_fails = false;
	skm_gatekeeper_log_resumed(fixture->gatekeeper);
	settle(fixture);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver, "the log works again");
	close_fixture(fixture);
}

Test(gatekeeper, a_copied_serial_permits_nobody)
{
	struct fixture *fixture = open_fixture();
	add_serial_rule(fixture);
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver);
	plug(fixture, 1, &fake_storage, 1);
	cr_expect(!fixture->fakes[1].authorized, "its twin came later");
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED);
	close_fixture(fixture);
}

Test(gatekeeper, a_stick_whose_twin_has_gone_is_judged_again)
{
	struct fixture *fixture = open_fixture();
	add_serial_rule(fixture);
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	plug(fixture, 1, &fake_storage, 1);
	cr_expect(!fixture->fakes[1].authorized);
	unplug(fixture, 0);
	say(fixture, SKM_USB_REMOVE, "1-1");
	settle(fixture);
	cr_expect(fixture->fakes[1].interfaces[0].has_driver, "the only one with that serial number");
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_REMOVED,
		SKM_EVENT_DEVICE_ALLOWED);
	close_fixture(fixture);
}

/* Also what the serial number alone would have opened beside an interface that is refused for itself. */
Test(gatekeeper, a_composite_whose_twin_has_gone_is_judged_again)
{
	struct fixture *fixture = open_fixture();
	const struct skm_usb_interface pad_and_disk[] = {{.configuration = 1, .class_code = 0x03},
		{.configuration = 1, .number = 1, .class_code = 0x08, .subclass = 0x06, .protocol = 0x50}};
	struct skm_class_pattern pad;
	cr_assert_eq(skm_class_pattern_parse("03:00:00", &pad), 0);
	add_rule(fixture, (struct skm_rule){.criteria = SKM_RULE_VID_PID | SKM_RULE_SERIAL | SKM_RULE_CLASS,
				  .vendor_id = 0x0781,
				  .product_id = 0x5581,
				  .serial = "S1",
				  .classes = &pad,
				  .class_count = 1});
	use_rules(fixture, false);
	plug(fixture, 0, pad_and_disk, 2);
	plug(fixture, 1, pad_and_disk, 2);
	cr_expect(!fixture->fakes[1].authorized);
	unplug(fixture, 0);
	say(fixture, SKM_USB_REMOVE, "1-1");
	settle(fixture);
	cr_expect(fixture->fakes[1].interfaces[0].has_driver);
	cr_expect(!fixture->fakes[1].interfaces[1].ever_had_driver);
	close_fixture(fixture);
}

/* Somebody works with it, and a reload says nothing about it. */
Test(gatekeeper, a_reload_leaves_the_first_of_two_twins_open)
{
	struct fixture *fixture = open_fixture();
	add_serial_rule(fixture);
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	plug(fixture, 1, &fake_storage, 1);
	use_rules(fixture, false);
	settle(fixture);
	cr_expect(fixture->fakes[0].authorized);
	cr_expect(!fixture->fakes[1].authorized);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED);
	close_fixture(fixture);
}

Test(gatekeeper, a_reload_to_the_serial_number_leaves_one_of_two_open_twins)
{
	struct fixture *fixture = open_fixture();
	add_rule(fixture,
		(struct skm_rule){.criteria = SKM_RULE_VID_PID, .vendor_id = 0x0781, .product_id = 0x5581});
	use_rules(fixture, false);
	plug(fixture, 1, &fake_storage, 1);
	plug(fixture, 0, &fake_storage, 1);
	cr_expect(fixture->fakes[0].authorized && fixture->fakes[1].authorized);
	struct skm_rule_set old = fixture->rules;
	fixture->rules = (struct skm_rule_set){0};
	add_serial_rule(fixture);
	use_rules(fixture, false);
	settle(fixture);
	skm_rule_set_finish(&old);
	cr_expect(!fixture->fakes[0].authorized, "the one that came later");
	cr_expect(fixture->fakes[1].authorized);
	close_fixture(fixture);
}

/* Nobody can tell which of the two the rule means. */
Test(gatekeeper, a_rule_that_comes_while_twins_are_there_opens_neither)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	plug(fixture, 1, &fake_storage, 1);
	add_serial_rule(fixture);
	use_rules(fixture, false);
	settle(fixture);
	cr_expect(!fixture->fakes[0].interfaces[0].ever_had_driver);
	cr_expect(!fixture->fakes[1].interfaces[0].ever_had_driver);
	unplug(fixture, 1);
	say(fixture, SKM_USB_REMOVE, "1-2");
	settle(fixture);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver, "the other one has gone");
	close_fixture(fixture);
}

Test(gatekeeper, a_new_policy_closes_what_it_no_longer_allows)
{
	struct fixture *fixture = open_fixture();
	add_rule(fixture,
		(struct skm_rule){.criteria = SKM_RULE_VID_PID, .vendor_id = 0x0781, .product_id = 0x5581});
	use_rules(fixture, false);
	plug(fixture, 0, &fake_storage, 1);
	cr_expect(fixture->fakes[0].authorized);
	struct skm_rule_set old = fixture->rules;
	fixture->rules = (struct skm_rule_set){0};
	use_rules(fixture, false);
	settle(fixture);
	skm_rule_set_finish(&old);
	cr_expect(!fixture->fakes[0].authorized);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED);
	use_rules(fixture, true);
	settle(fixture);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver, "mode audit lets pass");
	cr_expect_eq(fixture->records[2].event, SKM_EVENT_DEVICE_OBSERVED);
	use_rules(fixture, false);
	settle(fixture);
	cr_expect(!fixture->fakes[0].authorized, "and its end closes again");
	close_fixture(fixture);
}

/* The worker that looks at the keyboard was sent before the rules changed, and opens it by the old ones. */
Test(gatekeeper, a_policy_that_changes_while_a_keyboard_is_opened_closes_it_again)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	fake_device_init(&fixture->fakes[0], "1-1", &fake_keyboard, 1);
	tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
	say(fixture, SKM_USB_ADD, "1-1");
	skm_worker_pool_dispatch(fixture->pool);
	struct skm_rule rule = {.id = "no-keyboards",
		.reason = "a kiosk",
		.action = SKM_RULE_DENY,
		.criteria = SKM_RULE_VID_PID,
		.vendor_id = 0x0781,
		.product_id = 0x5581};
	cr_assert_eq(skm_rule_set_add(&fixture->rules, &rule), 0);
	use_rules(fixture, false);
	settle(fixture);
	cr_expect(fixture->fakes[0].interfaces[0].ever_had_driver, "the old rules were in force at first");
	cr_expect(!fixture->fakes[0].authorized, "the new rules refuse it");
	EXPECT_EVENTS(fixture, SKM_EVENT_EXPORT_DENIED);
	cr_expect_str_eq(fixture->records[0].decision.rule, "no-keyboards");
	/* and the next one is not opened at all */
	plug(fixture, 1, &fake_keyboard, 1);
	cr_expect(!fixture->fakes[1].interfaces[0].ever_had_driver);
	close_fixture(fixture);
}

/* What a worker opens by itself is decided as if the serial were shown twice: only the agent knows. */
Test(gatekeeper, a_worker_alone_opens_nothing_for_its_serial_number)
{
	struct fixture *fixture = open_fixture();
	const struct skm_usb_interface pad = {.configuration = 1, .class_code = 0x03};
	add_serial_rule(fixture);
	use_rules(fixture, false);
	plug(fixture, 0, &pad, 1);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver);
	plug(fixture, 1, &pad, 1);
	cr_expect(!fixture->fakes[1].interfaces[0].ever_had_driver, "its twin came later");
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED);
	close_fixture(fixture);
}

Test(gatekeeper, a_swap_at_the_same_port_inherits_nothing)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_keyboard, 1);
	/* the removal is lost; a stick has the port now */
	unplug(fixture, 0);
	char path[TMPDIR_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/devices/1-1", fixture->root);
	cr_assert_eq(rmdir(path), 0);
	plug(fixture, 0, &fake_storage, 1);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_EXPORT_DENIED);
	cr_expect(!fixture->fakes[0].authorized);
	close_fixture(fixture);
}

/* The events of three plugs are read when the third device has the port. */
Test(gatekeeper, what_left_before_its_events_were_read_is_on_record)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	fake_device_init(&fixture->fakes[0], "1-1", &fake_keyboard, 1);
	tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
	say_of(fixture, SKM_USB_ADD, "1-1", 0x1111);
	say_of(fixture, SKM_USB_REMOVE, "1-1", 0x1111);
	say_of(fixture, SKM_USB_ADD, "1-1", 0x2222);
	say_of(fixture, SKM_USB_REMOVE, "1-1", 0x2222);
	say(fixture, SKM_USB_ADD, "1-1");
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_DEVICE_ALLOWED);
	cr_expect_eq(fixture->records[0].device.vendor_id, 0x1111);
	cr_expect_str_eq(fixture->records[0].device.port, "1-1");
	cr_expect_eq(fixture->records[1].device.vendor_id, 0x2222);
	close_fixture(fixture);
}

/* One record each, whether the folder could be opened or not. */
Test(gatekeeper, what_left_with_nobody_behind_it_is_on_record_once)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	say_of(fixture, SKM_USB_ADD, "1-1", 0x1111);
	say_of(fixture, SKM_USB_REMOVE, "1-1", 0x1111);
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_REMOVED);
	close_fixture(fixture);
}

Test(gatekeeper, a_scan_finds_what_events_did_not_tell)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	plug(fixture, 0, &fake_keyboard, 1);
	plug(fixture, 1, &fake_storage, 1);
	unplug(fixture, 1);
	fixture->fakes[0].authorized = false; /* closed by another hand, unheard */
	skm_gatekeeper_scan_begin(fixture->gatekeeper);
	say(fixture, SKM_USB_ADD, "1-1");
	skm_gatekeeper_scan_end(fixture->gatekeeper);
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_REMOVED,
		SKM_EVENT_DEVICE_CHANGED);
	cr_expect(fixture->fakes[0].authorized);
	close_fixture(fixture);
}

Test(gatekeeper, a_hanging_device_is_recorded_once)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	skm_worker_pool_set_deadline(fixture->pool, 50);
	fake_device_init(&fixture->fakes[0], "1-1", &fake_storage, 1);
	fixture->fakes[0].hang_at = 2;
	tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
	say(fixture, SKM_USB_ADD, "1-1");
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_HUNG);
	struct skm_device_report report;
	cr_assert_eq(skm_gatekeeper_next_device(fixture->gatekeeper, "", &report), 1);
	cr_expect_eq(report.state, SKM_DEVICE_STATE_HUNG);
	close_fixture(fixture);
}

/* As long as a keyboard is not open although it may be, somebody cannot work. */
Test(gatekeeper, a_keyboard_that_failed_once_is_tried_again)
{
	for (unsigned call = 1; call <= 40; call++) {
		struct fixture *fixture = open_fixture();
		use_rules(fixture, false);
		fake_device_init(&fixture->fakes[0], "1-1", &fake_keyboard, 1);
		fixture->fakes[0].fail_at = call;
		tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
		say(fixture, SKM_USB_ADD, "1-1");
		settle(fixture);
		if (skm_gatekeeper_has_failed(fixture->gatekeeper)) {
			cr_expect(!fixture->fakes[0].interfaces[0].has_driver, "call %u", call);
			skm_gatekeeper_retry(fixture->gatekeeper);
			settle(fixture);
		}
		cr_expect(fixture->fakes[0].interfaces[0].has_driver, "after call %u failed", call);
		cr_expect(!skm_gatekeeper_has_failed(fixture->gatekeeper), "call %u", call);
		close_fixture(fixture);
	}
}

Test(gatekeeper, a_device_that_did_not_take_its_configuration_is_tried_again)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	fake_device_init(&fixture->fakes[0], "1-1", &fake_keyboard, 1);
	fixture->fakes[0].configuration = 9; /* none of its interfaces appears */
	tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
	say(fixture, SKM_USB_ADD, "1-1");
	settle(fixture);
	for (int again = 0; again < 3; again++) {
		EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_ERROR);
		cr_expect(!fixture->fakes[0].authorized);
		cr_expect(skm_gatekeeper_has_failed(fixture->gatekeeper));
		skm_gatekeeper_retry(fixture->gatekeeper);
		settle(fixture);
	}
	fixture->fakes[0].configuration = 1;
	skm_gatekeeper_retry(fixture->gatekeeper);
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_ERROR, SKM_EVENT_DEVICE_ALLOWED);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver);
	close_fixture(fixture);
}

Test(gatekeeper, a_device_that_hung_once_is_tried_again)
{
	struct fixture *fixture = open_fixture();
	use_rules(fixture, false);
	skm_worker_pool_set_deadline(fixture->pool, 50);
	fake_device_init(&fixture->fakes[0], "1-1", &fake_keyboard, 1);
	fixture->fakes[0].hang_at = 2;
	tmpdir_write(fixture->root, "1\n", "devices/1-1/devnum");
	say(fixture, SKM_USB_ADD, "1-1");
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_HUNG);
	skm_worker_pool_set_deadline(fixture->pool, DEADLINE_MS);
	skm_gatekeeper_retry(fixture->gatekeeper);
	settle(fixture);
	EXPECT_EVENTS(fixture, SKM_EVENT_DEVICE_HUNG, SKM_EVENT_DEVICE_ALLOWED);
	cr_expect(fixture->fakes[0].interfaces[0].has_driver);
	cr_expect(!skm_gatekeeper_has_failed(fixture->gatekeeper));
	close_fixture(fixture);
}
