// SPDX-License-Identifier: Apache-2.0
/* The group "forward": defaults, what it takes, and what it refuses and how it says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/config.h"

#define NOW INT64_C(1795219200)
#define TARGET "host = \"192.0.2.10\"; name = \"collector.lab\"; "

static struct skm_config *accept(const char *text)
{
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = skm_config_parse("test.conf", text, strlen(text), NOW, &config, &error);
	cr_assert_eq(r, 0, "%s: %s found %s", text, error.key, error.found);
	return config;
}

static void refuse(const char *text, const char *key, const char *found, const char *allowed)
{
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = skm_config_parse("test.conf", text, strlen(text), NOW, &config, &error);
	cr_expect_eq(r, SKM_CONFIG_INVALID, "accepted: %s", text);
	cr_expect_str_eq(error.key, key, "key \"%s\": %s", error.key, text);
	cr_expect(strstr(error.found, found) != NULL, "found \"%s\": %s", error.found, text);
	cr_expect(strstr(error.allowed, allowed) != NULL, "allowed \"%s\": %s", error.allowed, text);
	cr_expect(error.allowed_ja[0] != '\0', "%s", text);
	cr_expect(error.line > 0, "no line: %s", text);
	skm_config_freep(&config);
}

Test(config_forward, defaults_send_nowhere)
{
	struct skm_config *config = accept("");
	cr_assert_str_eq(config->forward.host, "");
	cr_assert_str_eq(config->forward.name, "");
	cr_assert_eq(config->forward.port, 20514);
	cr_assert_str_eq(config->forward.ca, "/etc/sekimori/forward/ca.pem");
	cr_assert_str_eq(config->forward.cert, "/etc/sekimori/forward/terminal.pem");
	cr_assert_str_eq(config->forward.key, "/etc/sekimori/forward/terminal.key");
	cr_assert_eq(config->forward.jitter_ms, 60000);
	cr_assert_eq(config->forward.retry_first_ms, 1000);
	cr_assert_eq(config->forward.retry_max_ms, 300000);
	skm_config_freep(&config);
}

Test(config_forward, takes_every_key)
{
	struct skm_config *config =
		accept("forward: { host = \"2001:db8::1\"; port = \"65535\"; name = \"a-1.b.lg.jp\";"
		       " ca = \"/c\"; cert = \"/t\"; key = \"/k\"; start_jitter = \"0s\";"
		       " retry_first = \"100ms\"; retry_max = \"1d\"; };");
	cr_assert_str_eq(config->forward.host, "2001:db8::1");
	cr_assert_eq(config->forward.port, 65535);
	cr_assert_str_eq(config->forward.name, "a-1.b.lg.jp");
	cr_assert_str_eq(config->forward.ca, "/c");
	cr_assert_str_eq(config->forward.cert, "/t");
	cr_assert_str_eq(config->forward.key, "/k");
	cr_assert_eq(config->forward.jitter_ms, 0);
	cr_assert_eq(config->forward.retry_first_ms, 100);
	cr_assert_eq(config->forward.retry_max_ms, 86400000);
	skm_config_freep(&config);
}

Test(config_forward, a_collector_is_an_address)
{
	static const char *const wrong[] = {"collector.lab", "192.0.2", "192.0.2.10:20514", " 192.0.2.10",
		"[2001:db8::1]", "fe80::1%eth0", "0x7f.1", "2001:db8::1::2"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		char text[200];
		(void)snprintf(text, sizeof(text), "forward: { name = \"c\"; host = \"%s\"; };", wrong[i]);
		refuse(text, "forward.host", wrong[i], "an IPv4 or IPv6 address");
	}
}

Test(config_forward, its_name_is_one_name)
{
	static const char *const wrong[] = {
		"*.lab", "a b", "a..b", ".a", "a.", "-a", "a-", "a-.b", "a_b", "収集", "a\\n"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		char text[200];
		(void)snprintf(
			text, sizeof(text), "forward: { host = \"192.0.2.10\"; name = \"%s\"; };", wrong[i]);
		refuse(text, "forward.name", "", "without a wildcard");
	}
	refuse("forward: { name = \"a12345678901234567890123456789012345678901234567890123456789012.b34\";"
	       " host = \"\"; port = \"0\"; };",
		"forward.port", "0", "from \"1\"");
	refuse("forward: { name = \"a123456789012345678901234567890123456789012345678901234567890123.b\"; };",
		"forward.name", "a1", "without a wildcard");
}

Test(config_forward, a_collector_needs_its_name)
{
	refuse("forward: {\n host = \"192.0.2.10\"; };", "forward.name", "", "with forward.host");
	refuse("forward: {\n host = \"192.0.2.10\"; name = \"\"; };", "forward.name", "",
		"with forward.host");
	struct skm_config *config = accept("forward: { name = \"collector.lab\"; };");
	skm_config_freep(&config);
}

Test(config_forward, bounds)
{
	refuse("forward: { port = \"65536\"; };", "forward.port", "65536", "65535");
	refuse("forward: { port = 20514; };", "forward.port", "20514", "65535");
	refuse("forward: { ca = \"ca.pem\"; };", "forward.ca", "ca.pem", "absolute");
	refuse("forward: { cert = \"\"; };", "forward.cert", "", "absolute");
	refuse("forward: { key = \"\"; };", "forward.key", "", "absolute");
	refuse("forward: { start_jitter = \"2h\"; };", "forward.start_jitter", "2h", "1h");
	refuse("forward: { retry_first = \"50ms\"; };", "forward.retry_first", "50ms", "100ms");
	refuse("forward: { retry_max = \"2d\"; };", "forward.retry_max", "2d", "1d");
	refuse("forward: { hosts = \"\"; };", "forward.hosts", "", "host, port, name");
}

Test(config_forward, the_longest_wait_is_the_longer_one)
{
	refuse("forward: { " TARGET " retry_first = \"10s\"; retry_max = \"5s\"; };", "forward.retry_max",
		"5s", "at least forward.retry_first");
	refuse("forward: { " TARGET " retry_first = \"10min\"; };", "forward.retry_first", "10min",
		"at most forward.retry_max");
	struct skm_config *config =
		accept("forward: { " TARGET " retry_first = \"5s\"; retry_max = \"5s\"; };");
	skm_config_freep(&config);
}
