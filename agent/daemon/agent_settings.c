// SPDX-License-Identifier: Apache-2.0
#include "agent_settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

#define DEVICES_LIST_BYTES 16384
/* Somebody waits at a passphrase prompt, and without a keyboard there is no other way in. */
#define EARLY_RECONCILE_SEC 10

struct skm_settings *skm_settings_free(struct skm_settings *settings)
{
	if (!settings)
		return NULL;
	settings->policy = skm_policy_free(settings->policy);
	settings->config = skm_config_free(settings->config);
	free(settings);
	return NULL;
}

static int compile(struct skm_config *config, struct skm_settings **ret_settings)
{
	struct skm_settings *settings = calloc(1, sizeof(*settings));
	if (!settings) {
		(void)skm_config_free(config);
		return -ENOMEM;
	}
	settings->config = config;
	int r = skm_policy_compile(&config->usb.rules, &settings->policy);
	if (r < 0) {
		(void)skm_settings_free(settings);
		return r;
	}
	*ret_settings = settings;
	return 0;
}

int skm_settings_load(const char *path, const struct skm_clock *clock, struct skm_settings **ret_settings,
	char *error, size_t error_bytes)
{
	struct skm_config *config = NULL;
	struct skm_config_error why = {0};
	struct skm_timestamp now;
	clock->now(clock->user, &now);
	int r = skm_config_load(path, now.realtime_usec / (int64_t)SKM_USEC_PER_SEC, &config, &why);
	if (r == 0)
		r = compile(config, ret_settings);
	if (r == SKM_CONFIG_INVALID)
		(void)skm_config_error_format(&why, SKM_LANGUAGE_EN, error, error_bytes);
	else if (r < 0)
		(void)snprintf(error, error_bytes, "cannot load %s: %s", why.file[0] ? why.file : path,
			strerrordesc_np(-r));
	return r;
}

int skm_settings_load_or_default(
	const char *path, const struct skm_clock *clock, struct skm_settings **ret_settings)
{
	char error[768];
	struct skm_config *config = NULL;
	int r = skm_settings_load(path, clock, ret_settings, error, sizeof(error));
	if (r == 0)
		return 0;
	r = skm_config_default(&config);
	if (r == 0)
		r = compile(config, ret_settings);
	if (r == 0)
		memcpy((*ret_settings)->error, error, sizeof(error));
	return r;
}

bool skm_settings_is_audit_mode(struct skm_settings *settings, int64_t now_sec)
{
	const struct skm_config *config = settings->config;
	if (config->usb.mode != SKM_MODE_AUDIT || settings->audit_is_over)
		return false;
	settings->audit_is_over = now_sec >= config->usb.audit_until_sec;
	return !settings->audit_is_over && now_sec >= config->usb.audit_from_sec;
}

/* By serial where there is one: the descriptors of one disk differ between a USB 2 and a USB 3 port. */
static int add_system_device(struct skm_rule_set *rules, const char *line, unsigned number)
{
	char ids[16] = "";
	char hash[80] = "";
	char port[SKM_USB_PORT_BYTES] = "";
	char id[32];
	struct skm_rule rule = {.action = SKM_RULE_ALLOW, .reason = "carries the system", .id = id};
	(void)snprintf(id, sizeof(id), "system-device-%u", number);
	int end = 0;
	/* one blank, and the rest as it is: a serial number may begin with blanks of its own */
	if (sscanf(line, "%15s %79s %63s%n", ids, hash, port, &end) != 3 || (line[end] && line[end] != ' ') ||
		skm_vid_pid_parse(ids, &rule.vendor_id, &rule.product_id) < 0 ||
		skm_descriptor_hash_parse(hash, rule.descriptor_hash) < 0)
		return -EINVAL;
	rule.serial = line + end + (line[end] == ' ');
	rule.criteria = SKM_RULE_VID_PID | (rule.serial[0] ? SKM_RULE_SERIAL : SKM_RULE_HASH);
	return skm_rule_set_add(rules, &rule);
}

int skm_settings_early(const char *devices_path, struct skm_settings **ret_settings)
{
	struct skm_config *config = NULL;
	int r = skm_config_default(&config);
	if (r < 0)
		return r;
	config->usb.reconcile_sec = EARLY_RECONCILE_SEC;
	SKM_CLEANUP(skm_free) char *text = calloc(1, DEVICES_LIST_BYTES);
	size_t len = 0;
	if (text && skm_file_read_at(AT_FDCWD, devices_path, text, DEVICES_LIST_BYTES, &len) == 0) {
		char *rest = NULL;
		unsigned number = 0;
		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			(void)add_system_device(
				&config->usb.rules, line, ++number); /* a line that is none permits nothing */
	}
	return compile(config, ret_settings);
}

uint32_t skm_settings_reconcile_sec(const struct skm_settings *settings, int64_t now_sec)
{
	const struct skm_config *config = settings->config;
	int64_t left_sec = config->usb.audit_until_sec - now_sec;
	if (config->usb.mode != SKM_MODE_AUDIT || settings->audit_is_over ||
		left_sec >= (int64_t)config->usb.reconcile_sec)
		return config->usb.reconcile_sec;
	return left_sec > 0 ? (uint32_t)left_sec : 1;
}
