// SPDX-License-Identifier: Apache-2.0
/* `sekimori config check`: the daemon's program examines the file itself, so that what passes here passes
 * there. The program is named by an absolute path that is fixed when it is built: looked up by PATH or beside
 * this binary it could be anything, and administrators run this as root. */
#include "cli.h"

#define SKM_OPTION_DAEMON (SKM_OPTION_VERB + 0)

static const char help_ja[] =
	"使い方: sekimori config check [--json] [ファイル]\n"
	"\n"
	"設定ファイル (省略時 " SKM_CONFIG_PATH ") を、エージェントと同じ方法で検査します。\n"
	"誤りがあれば、ファイル、行、項目、書かれている値、書ける値を表示します。\n"
	"  --daemon PATH   検査に使う sekimorid (試験用)\n"
	"終了コード: 0 = 正しい、1 = 誤りがある、3 = 検査できない\n";
static const char help_en[] =
	"Usage: sekimori config check [--json] [FILE]\n"
	"\n"
	"Examines a configuration file (" SKM_CONFIG_PATH ") exactly as the agent does.\n"
	"An error is told with file, line, key, what was found and what is allowed.\n"
	"  --daemon PATH   the sekimorid that examines it (for tests)\n"
	"Exit codes: 0 = right, 1 = wrong, 3 = could not be examined\n";

int skm_verb_config_check(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		SKM_COMMON_OPTIONS, {"daemon", required_argument, NULL, SKM_OPTION_DAEMON}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	const char *program = SKM_DAEMON_PATH;
	int exit_code = 0;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, options, &exit_code)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		program = optarg;
	}
	const char *file = optind < argc ? argv[optind++] : SKM_CONFIG_PATH;
	exit_code = skm_cli_no_operands(cli, argc, argv);
	if (exit_code != 0)
		return exit_code;
	SKM_CLEANUP(skm_free) char *operand = NULL;
	int r = skm_cli_operand(file, &operand);
	if (r < 0)
		return skm_cli_failure(cli, SKM_SAY("検査できません:", "cannot examine"), file, r);
	char name[] = "sekimorid";
	char check[] = "--check-config";
	char json[] = "--json";
	char *arguments[] = {name, check, operand, cli->json ? json : NULL, NULL};
	return skm_cli_become_daemon(cli, program, arguments);
}
