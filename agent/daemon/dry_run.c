// SPDX-License-Identifier: Apache-2.0
#include "dry_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enforcer.h"
#include "policy.h"
#include "recorded_device.h"
#include "sekimori/json.h"
#include "sekimori/language.h"
#include "sekimori/text.h"
#include "system_disk.h"

static int load(const struct skm_dry_run *how, struct skm_config **ret_config, struct skm_config_error *error)
{
	return skm_config_load(how->config_path, (int64_t)time(NULL), ret_config, error);
}

static void print_config_error(const struct skm_dry_run *how, const struct skm_config_error *error)
{
	char text[1536];
	if (!how->as_json) {
		(void)skm_config_error_format(error, how->language, text, sizeof(text));
		(void)fprintf(stderr, "%s\n", text);
		return;
	}
	char buf[4096];
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_bool(&json, "valid", false);
	skm_json_string(&json, "file", error->file);
	skm_json_uint(&json, "line", error->line);
	skm_json_string(&json, "key", error->key);
	skm_json_string(&json, "found", error->found);
	skm_json_string(&json, "allowed", error->allowed);
	skm_json_object_end(&json);
	(void)puts(buf);
}

static int cannot(const struct skm_dry_run *how, const struct skm_config_error *error, int r)
{
	(void)fprintf(stderr, "%s: %s: %s\n", error->file[0] ? error->file : how->config_path,
		skm_text(how->language, "設定を確認できませんでした", "cannot check the configuration"),
		strerrordesc_np(-r));
	if (r == -EACCES || r == -EPERM)
		(void)fprintf(stderr, "%s\n",
			skm_text(how->language, "グループ sekimori-auditor に入っている必要があります。",
				"It takes membership of the group sekimori-auditor."));
	return 3;
}

int skm_dry_run_check_config(const struct skm_dry_run *how)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = load(how, &config, &error);
	if (r == SKM_CONFIG_INVALID) {
		print_config_error(how, &error);
		return 1;
	}
	if (r < 0)
		return cannot(how, &error, r);
	if (how->as_json)
		(void)printf("{\"valid\":true,\"version\":\"%s\",\"mode\":\"%s\",\"rules\":%zu}\n",
			config->version, skm_mode_to_string(config->usb.mode), config->usb.rules.count);
	else
		(void)printf(skm_text(how->language, "%s: 正しい設定です（版 %s、規則 %zu 件）。\n",
				     "%s: valid (version %s, %zu rules)\n"),
			how->config_path, config->version, config->usb.rules.count);
	return 0;
}

static void print_interface_text(
	const struct skm_dry_run *how, const struct skm_usb_interface *interface, bool is_allowed)
{
	bool japanese = how->language == SKM_LANGUAGE_JA;
	(void)printf("  %u.%u  %02x:%02x:%02x  %s  %s\n", interface->configuration, interface->number,
		interface->class_code, interface->subclass, interface->protocol,
		is_allowed ? skm_text(how->language, "許可", "allowed")
			   : skm_text(how->language, "遮断", "refused"),
		skm_device_kind_to_text(skm_usb_interface_kind(interface), japanese));
}

static void print_decision_text(
	const struct skm_dry_run *how, const struct skm_device *device, const struct skm_decision *decision)
{
	static const char *const verdicts[][2] = {[SKM_VERDICT_DENY] = {"遮断", "refused"},
		[SKM_VERDICT_PARTIAL] = {"一部許可", "allowed in part"},
		[SKM_VERDICT_ALLOW] = {"許可", "allowed"}};
	(void)printf("%04x:%04x  %s\n", device->vendor_id, device->product_id,
		skm_text(how->language, verdicts[decision->verdict][0], verdicts[decision->verdict][1]));
	(void)printf("  %s: %s (", skm_text(how->language, "規則", "rule"), decision->rule);
	skm_text_print(stdout, decision->reason);
	(void)puts(")");
	if (decision->allow_rule[0])
		(void)printf("  %s: %s\n", skm_text(how->language, "許可した規則", "allowing rule"),
			decision->allow_rule);
	for (unsigned i = 0; i < device->interface_count; i++)
		print_interface_text(how, &device->interfaces[i], decision->interface_allowed[i]);
}

static void print_decision_json(const struct skm_device *device, const struct skm_decision *decision)
{
	static char buf[65536];
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_printf(&json, "vid_pid", "%04x:%04x", device->vendor_id, device->product_id);
	skm_json_string(&json, "serial_number", device->serial);
	skm_json_string(&json, "descriptor_state", skm_descriptor_state_to_string(device->descriptor_state));
	skm_json_string(&json, "verdict", skm_verdict_to_string(decision->verdict));
	skm_json_string(&json, "rule", decision->rule);
	skm_json_string(&json, "reason", decision->reason);
	skm_json_string(&json, "allow_rule", decision->allow_rule);
	skm_json_string(&json, "kind", skm_device_kind_to_string(decision->kind));
	skm_json_array_begin(&json, "interfaces");
	for (unsigned i = 0; i < device->interface_count; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		skm_json_object_begin(&json, NULL);
		skm_json_printf(&json, "id", "%u:%u", interface->configuration, interface->number);
		skm_json_printf(&json, "class", "%02x:%02x:%02x", interface->class_code, interface->subclass,
			interface->protocol);
		skm_json_string(&json, "kind", skm_device_kind_to_string(skm_usb_interface_kind(interface)));
		skm_json_bool(&json, "allowed", decision->interface_allowed[i]);
		skm_json_object_end(&json);
	}
	skm_json_array_end(&json);
	skm_json_object_end(&json);
	(void)puts(buf);
}

int skm_dry_run_test_policy(const struct skm_dry_run *how, const char *path, const char *words)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	struct skm_config_error config_error = {0};
	struct skm_device device = {0};
	struct skm_device_complaint complaint = {.language = how->language};
	int r = path ? skm_recorded_device_read(path, &device, &complaint)
		     : skm_recorded_device_describe(words, &device, &complaint);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n",
			complaint.text[0] ? complaint.text
					  : skm_text(how->language, "メモリが足りません", "out of memory"));
		return path ? 3 : 2;
	}
	r = load(how, &config, &config_error);
	if (r == SKM_CONFIG_INVALID) {
		print_config_error(how, &config_error);
		return 3;
	}
	struct skm_policy *policy = NULL;
	if (r == 0)
		r = skm_policy_compile(&config->usb.rules, &policy);
	if (r < 0)
		return cannot(how, &config_error, r);
	struct skm_decision decision;
	const struct skm_judge_context context = {.serial_is_duplicate = false};
	skm_policy_judge(policy, &device, &context, &decision);
	if (how->as_json)
		print_decision_json(&device, &decision);
	else
		print_decision_text(how, &device, &decision);
	(void)skm_policy_free(policy);
	return decision.verdict == SKM_VERDICT_ALLOW ? 0 : 1;
}

int skm_dry_run_system_devices(void)
{
	struct skm_system_disks disks;
	struct skm_device_ops ops = skm_sysfs_ops("/sys");
	skm_system_disks_find("/sys", "/proc", &disks);
	for (unsigned i = 0; i < disks.count; i++) {
		struct skm_device device;
		char path[128];
		(void)snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s", disks.ports[i]);
		SKM_CLEANUP(skm_fd_close) int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0 || skm_enforcer_describe(&ops, folder, disks.ports[i], &device) < 0)
			continue;
		(void)printf("%04x:%04x ", device.vendor_id, device.product_id);
		for (size_t k = 0; k < sizeof(device.descriptor_hash); k++)
			(void)printf("%02x", device.descriptor_hash[k]);
		/* a serial with a line break would forge a second line; such a device is known by its
		 * descriptors alone */
		bool is_printable = true;
		for (const char *c = device.serial; *c; c++)
			is_printable = is_printable && (unsigned char)*c >= 0x20 && (unsigned char)*c != 0x7f;
		(void)printf(" %s %s\n", device.port, is_printable ? device.serial : "");
	}
	return 0;
}
