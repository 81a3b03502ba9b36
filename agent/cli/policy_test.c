// SPDX-License-Identifier: Apache-2.0
/* `sekimori policy test`: asks the daemon's program how it would judge a device. Neither the configuration
 * nor descriptors are read here: a second reader would sooner or later answer differently. */
#include "cli.h"

enum {
	SKM_OPTION_DAEMON = SKM_OPTION_VERB,
	SKM_OPTION_CONFIG,
	SKM_OPTION_DESCRIBE,
};

static const char help_ja[] =
	"使い方: sekimori policy test [--config ファイル] [--json] (パス | --describe \"…\")\n"
	"\n"
	"機器がどう判定されるかを、エージェントと同じ方法で試します。何も変更せず、記録もしません。\n"
	"  パス              /sys の機器フォルダー、descriptors ファイル、または *.umockdev の記録\n"
	"  --describe \"…\"    機器を言葉で書きます。例:\n"
	"                    \"vid_pid=0781:5581 serial=X port=1-2 connect_type=hotplug interfaces=08:06:50\"\n"
	"  --config ファイル 使う設定 (省略時 " SKM_CONFIG_PATH ")\n"
	"  --daemon PATH     判定に使う sekimorid (試験用)\n"
	"終了コード: 0 = すべて使える、1 = 全部または一部が遮断される、3 = 判断できない\n";
static const char help_en[] =
	"Usage: sekimori policy test [--config FILE] [--json] (PATH | --describe \"…\")\n"
	"\n"
	"Shows how a device would be judged, exactly as the agent does. Changes and records nothing.\n"
	"  PATH              a device folder of /sys, a `descriptors` file, or a *.umockdev recording\n"
	"  --describe \"…\"    a device in words, for example:\n"
	"                    \"vid_pid=0781:5581 serial=X port=1-2 connect_type=hotplug interfaces=08:06:50\"\n"
	"  --config FILE     the configuration to use (" SKM_CONFIG_PATH ")\n"
	"  --daemon PATH     the sekimorid that judges (for tests)\n"
	"Exit codes: 0 = may be used whole, 1 = refused or in part, 3 = could not tell\n";

struct request {
	const char *program, *config, *description;
};

static int run_daemon(const struct skm_cli *cli, const struct request *request, const char *path)
{
	SKM_CLEANUP(skm_free) char *config = NULL;
	SKM_CLEANUP(skm_free) char *subject = NULL;
	int r = skm_cli_operand(request->config, &config);
	if (r == 0)
		r = skm_cli_operand(path ? path : request->description, &subject);
	if (r < 0)
		return skm_cli_failure(cli, SKM_SAY("判定できません:", "cannot judge"), "policy test", r);
	char name[] = "sekimorid";
	char test[] = "--test-policy";
	char config_option[] = "--config";
	char json[] = "--json";
	char describe[] = "--describe";
	char *arguments[8] = {name, test, config_option, config};
	size_t count = 4;
	if (cli->json)
		arguments[count++] = json;
	if (!path)
		arguments[count++] = describe;
	arguments[count++] = subject;
	return skm_cli_become_daemon(cli, request->program, arguments);
}

int skm_verb_policy_test(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {SKM_COMMON_OPTIONS,
		{"config", required_argument, NULL, SKM_OPTION_CONFIG},
		{"describe", required_argument, NULL, SKM_OPTION_DESCRIBE},
		{"daemon", required_argument, NULL, SKM_OPTION_DAEMON}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	struct request request = {.program = SKM_DAEMON_PATH, .config = SKM_CONFIG_PATH};
	int exit_code = 0;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, options, &exit_code)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		if (option == SKM_OPTION_CONFIG)
			request.config = optarg;
		else if (option == SKM_OPTION_DESCRIBE)
			request.description = optarg;
		else
			request.program = optarg;
	}
	const char *path = optind < argc ? argv[optind++] : NULL;
	exit_code = skm_cli_no_operands(cli, argc, argv);
	if (exit_code != 0)
		return exit_code;
	if (!path == !request.description)
		return skm_cli_usage_error(cli,
			SKM_SAY("パスか --describe のどちらか一つが必要です",
				"exactly one of PATH and --describe is needed"),
			path, NULL);
	return run_daemon(cli, &request, path);
}
