// SPDX-License-Identifier: Apache-2.0
/* Arguments in, exit status out; everything else is elsewhere. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "dry_run.h"
#include "sekimori/gate.h"
#include "sekimori/log.h"
#include "sekimori/text.h"

enum mode {
	MODE_RUN,
	MODE_CLOSE_GATE,
	MODE_INITRAMFS,
	MODE_SYSTEM_DEVICES,
	MODE_CHECK_CONFIG,
	MODE_TEST_POLICY
};

struct arguments {
	enum mode mode;
	struct skm_dry_run dry_run;
	const char *path;
	const char *words;
};

static const char usage_en[] =
	"usage: sekimorid [--config FILE]                     guard the gate (systemd runs this)\n"
	"       sekimorid --close-gate                        close every host controller, read back, and leave\n"
	"       sekimorid --initramfs                         the early form: hubs and boot keyboards only\n"
	"       sekimorid --system-devices                    name the USB devices that carry the running system\n"
	"       sekimorid --check-config [FILE] [--json]\n"
	"       sekimorid --test-policy [--config FILE] [--json] (PATH | --describe WORDS)\n"
	"       --lang ja|en   --version   --help\n";
static const char usage_ja[] =
	"使い方: sekimorid [--config FILE]                    監視（systemd が実行します）\n"
	"        sekimorid --close-gate                       全コントローラを閉じ、読み返して終了\n"
	"        sekimorid --initramfs                        起動初期用: ハブとキーボードのみ許可\n"
	"        sekimorid --system-devices                   稼働中のシステムを載せたUSB機器を表示\n"
	"        sekimorid --check-config [FILE] [--json]\n"
	"        sekimorid --test-policy [--config FILE] [--json] (PATH | --describe WORDS)\n"
	"        --lang ja|en   --version   --help\n";

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"close-gate", no_argument, NULL, 'g'}, {"initramfs", no_argument, NULL, 'i'},
		{"system-devices", no_argument, NULL, 's'}, {"check-config", no_argument, NULL, 'k'},
		{"test-policy", no_argument, NULL, 't'}, {"describe", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'}, {"lang", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct skm_dry_run *how = &arguments->dry_run;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		switch (option) {
		case 'c':
			how->config_path = optarg;
			break;
		case 'g':
			arguments->mode = MODE_CLOSE_GATE;
			break;
		case 'i':
			arguments->mode = MODE_INITRAMFS;
			break;
		case 's':
			arguments->mode = MODE_SYSTEM_DEVICES;
			break;
		case 'k':
			arguments->mode = MODE_CHECK_CONFIG;
			break;
		case 't':
			arguments->mode = MODE_TEST_POLICY;
			break;
		case 'd':
			arguments->words = optarg;
			break;
		case 'j':
			how->as_json = true;
			break;
		case 'l':
			if (skm_language_from_string(optarg, &how->language) == 0)
				break;
			(void)fprintf(stderr, "--lang: found: %s; allowed: ja, en\n", optarg);
			return 2;
		case 'v':
			(void)printf("sekimorid %s\n", SKM_VERSION);
			return 0;
		case 'h':
			(void)fputs(skm_text(how->language, usage_ja, usage_en), stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc)
		arguments->path = argv[optind++];
	bool takes_path = arguments->mode == MODE_CHECK_CONFIG || arguments->mode == MODE_TEST_POLICY;
	bool is_complete = arguments->mode != MODE_TEST_POLICY || !arguments->path != !arguments->words;
	if (optind < argc || (arguments->path && !takes_path) || !is_complete) {
		(void)fputs(skm_text(how->language, usage_ja, usage_en), stderr);
		return 2;
	}
	return -1;
}

static int close_gate(void)
{
	struct skm_gate_state before = {0};
	struct skm_gate_state after = {0};
	int r = skm_gate_close("/sys", &before);
	if (r == 0)
		r = skm_gate_read("/sys", &after);
	if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot close the USB gate: %s", strerrordesc_np(-r));
		return 1;
	}
	if (!skm_gate_is_closed(&after)) {
		skm_log(SKM_SEVERITY_ALERT, "the USB gate is still open after writing");
		return 1;
	}
	skm_log(SKM_SEVERITY_INFO, "USB gate closed on %u controllers", after.controller_count);
	return 0;
}

static int run_agent(const struct arguments *arguments)
{
	struct skm_agent_options options;
	skm_agent_options_default(&options);
	options.config_path = arguments->dry_run.config_path;
	if (arguments->mode == MODE_INITRAMFS)
		options.initramfs_devices = "/etc/sekimori/system-devices";
	else
		(void)mkdir("/run/sekimori", 0755); /* systemd made it; by hand it may be missing */
	int r = skm_agent_run(&options);
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT, "stopped: %s; the gate stays closed", strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}

static int run(struct arguments *arguments)
{
	(void)umask(0027);
	if (sodium_init() < 0)
		return 1;
	switch (arguments->mode) {
	case MODE_CLOSE_GATE:
		return close_gate();
	case MODE_SYSTEM_DEVICES:
		return skm_dry_run_system_devices();
	case MODE_TEST_POLICY:
		return skm_dry_run_test_policy(&arguments->dry_run, arguments->path, arguments->words);
	case MODE_CHECK_CONFIG:
		if (arguments->path)
			arguments->dry_run.config_path = arguments->path;
		return skm_dry_run_check_config(&arguments->dry_run);
	case MODE_RUN:
	case MODE_INITRAMFS:
	default:
		return run_agent(arguments);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.dry_run = {.language = skm_language_from_environment(), .config_path = SKM_CONFIG_PATH}};
	int status = parse(argc, argv, &arguments);
	if (status < 0)
		status = run(&arguments);
	return skm_text_finish("sekimorid", arguments.dry_run.language, status);
}
