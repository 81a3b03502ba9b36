// SPDX-License-Identifier: Apache-2.0
/* Any bytes as the descriptors of a device, judged without rules. A second, naive walk says what an attacker
 * may have put in: whatever the parser makes of the bytes, a storage interface that the naive walk sees must
 * never come with "allow". */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "usb_descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static bool has_entry(const struct skm_device *device, const uint8_t *descriptor)
{
	for (size_t i = 0; i < device->interface_count; i++)
		if (device->interfaces[i].number == descriptor[2] &&
			device->interfaces[i].class_code == descriptor[5] &&
			device->interfaces[i].subclass == descriptor[6] &&
			device->interfaces[i].protocol == descriptor[7])
			return true;
	return false;
}

/* From length to length, without a thought for configurations. */
static void walk_naively(const uint8_t *data, size_t size, const struct skm_device *device,
	const struct skm_decision *decision)
{
	for (size_t at = 18; at + 2 <= size && data[at] >= 2 && data[at] <= size - at; at += data[at]) {
		if (data[at + 1] != 0x04 || data[at] < 9)
			continue;
		if (data[at + 5] == 0x08)
			demand(decision->verdict != SKM_VERDICT_ALLOW);
		if (device->descriptor_state == SKM_DESCRIPTOR_OK)
			demand(has_entry(device, data + at));
	}
}

static void check_device(const struct skm_device *device)
{
	demand(device->interface_count <= SKM_USB_INTERFACES_MAX);
	demand(device->descriptor_state == SKM_DESCRIPTOR_OK || device->interface_count == 0);
	for (size_t i = 1; i < device->interface_count; i++)
		demand(memcmp(&device->interfaces[i - 1], &device->interfaces[i],
			       sizeof(device->interfaces[0])) < 0);
}

static void check_decision(const struct skm_device *device, const struct skm_decision *decision)
{
	size_t allowed = 0;
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++) {
		if (!decision->interface_allowed[i])
			continue;
		allowed++;
		demand(i < device->interface_count);
		demand(skm_decision_allows(
			decision, device, device->interfaces[i].configuration, device->interfaces[i].number));
		/* without rules nothing but these */
		uint8_t class_code = device->interfaces[i].class_code;
		demand(class_code == 0x03 || class_code == 0x09 || class_code == 0x0b);
	}
	enum skm_verdict verdict = allowed == 0				? SKM_VERDICT_DENY
				   : allowed == device->interface_count ? SKM_VERDICT_ALLOW
									: SKM_VERDICT_PARTIAL;
	demand(decision->verdict == verdict);
	demand(decision->rule[0] != '\0' &&
		strnlen(decision->rule, sizeof(decision->rule)) < sizeof(decision->rule));
	demand(decision->reason[0] != '\0' &&
		strnlen(decision->reason, sizeof(decision->reason)) < sizeof(decision->reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct skm_policy *policy;
	static const struct skm_rule_set no_rules;
	static struct skm_device device;
	if (!policy)
		demand(skm_policy_compile(&no_rules, &policy) == 0);

	memset(&device, 0xa5, sizeof(device));
	device.port[0] = device.serial[0] = '\0';
	device.connect_type = SKM_CONNECT_UNKNOWN;
	skm_usb_descriptors_parse(data, size, &device);
	check_device(&device);

	struct skm_decision decision, early;
	skm_policy_judge(policy, &device, &(struct skm_judge_context){0}, &decision);
	check_decision(&device, &decision);
	walk_naively(data, size, &device, &decision);
	/* the initramfs never allows more */
	skm_policy_judge(policy, &device, &(struct skm_judge_context){.is_initramfs = true}, &early);
	check_decision(&device, &early);
	for (size_t i = 0; i < device.interface_count; i++)
		demand(decision.interface_allowed[i] || !early.interface_allowed[i]);
	return 0;
}
