// SPDX-License-Identifier: Apache-2.0
/* The whole way from text to configuration, libconfig included. What is accepted must hold what the header
 * promises. */
#include <stdint.h>
#include <string.h>

#include "sekimori/config.h"
#include "sekimori/io.h"

#define NOW INT64_C(1795219200)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

static void check_config(const struct skm_config *config)
{
	require(config->terminal.number[0] != '\0');
	require(skm_utf8_is_valid(config->terminal.number, strlen(config->terminal.number)));
	require(skm_utf8_is_valid(config->terminal.section, strlen(config->terminal.section)));
	require((unsigned)config->terminal.language < SKM_LANGUAGE_COUNT_);
	require(config->usb.mode == SKM_MODE_ENFORCE || config->usb.audit_until_sec > NOW);
	require(config->usb.register_path[0] == '\0' || config->usb.register_path[0] == '/');
	require(config->usb.reconcile_sec >= 10 && config->usb.reconcile_sec <= 86400);
	require(config->usb.write_deadline_ms >= 100 && config->usb.write_deadline_ms <= 60000);
	require(config->usb.receive_buffer_bytes >= 4096 && config->usb.receive_buffer_bytes <= 128u << 20);
	require(config->audit.segment_bytes >= 64u << 10 && config->audit.segment_bytes <= 1u << 30);
	for (size_t i = 0; i < config->usb.rules.count; i++) {
		const struct skm_rule *rule = &config->usb.rules.rules[i];
		require(rule->criteria != 0 && skm_rule_id_check(rule->id) == 0);
		for (size_t k = 0; k < i; k++)
			require(strcmp(rule->id, config->usb.rules.rules[k].id) != 0);
	}
}

static void check_error(const struct skm_config_error *error)
{
	require(error->allowed[0] != '\0' && error->allowed_ja[0] != '\0');
	char buf[2048];
	for (unsigned i = 0; i < SKM_LANGUAGE_COUNT_; i++) {
		size_t len = skm_config_error_format(error, (enum skm_language)i, buf, sizeof(buf));
		require(len < sizeof(buf) && skm_utf8_is_valid(buf, len) && !strpbrk(buf, "\n\r\033"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = skm_config_parse("fuzz.conf", (const char *)data, size, NOW, &config, &error);
	require(r == 0 || r == SKM_CONFIG_INVALID);
	require((r == 0) == (config != NULL));
	if (config)
		check_config(config);
	else
		check_error(&error);
	(void)skm_config_free(config);
	return 0;
}
