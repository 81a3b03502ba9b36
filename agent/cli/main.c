// SPDX-License-Identifier: Apache-2.0
/* `sekimori`: finds the verb and hands it the rest of the command line. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "mfa.h"
#include "sekimori/text.h"

static const char help_ja[] =
	"使い方: sekimori [--lang ja|en] 動詞 [オプション]\n"
	"\n"
	"  status          関門、方式、設定、記録、機器の状態を表示します\n"
	"  devices         つながっている機器と判定を一覧にします\n"
	"  config check    設定ファイルを検査します\n"
	"  policy test     機器がどう判定されるかを試します (何も変更しません)\n"
	"  log show        監査記録を表示します\n"
	"  log follow      監査記録を表示し、続きを待ちます\n"
	"  log verify      監査記録が完全で改変されていないことを証明します\n"
	"  mfa ...         多要素認証の登録と設定 (動詞の一覧は sekimori mfa)\n"
	"\n"
	"共通オプション: --json (機械で読む形式)  --lang ja|en  --help  --version\n"
	"終了コード: 0 = 正常・はい、1 = いいえ・要確認、2 = 使い方の誤り、3 = 判断できません\n"
	"くわしくは man sekimori をご覧ください。\n";
static const char help_en[] =
	"Usage: sekimori [--lang ja|en] VERB [OPTIONS]\n"
	"\n"
	"  status          state of the gate, the mode, the configuration, the log and the devices\n"
	"  devices         the devices that are plugged in, and what was decided\n"
	"  config check    examines a configuration file\n"
	"  policy test     shows how a device would be judged (changes nothing)\n"
	"  log show        shows audit records\n"
	"  log follow      shows audit records and waits for more\n"
	"  log verify      proves that the audit records are complete and unchanged\n"
	"  mfa ...         the second factor: registering and settings (sekimori mfa lists the verbs)\n"
	"\n"
	"Common options: --json (for machines)  --lang ja|en  --help  --version\n"
	"Exit codes: 0 = yes, all is well; 1 = no, or something was found; 2 = usage; 3 = could not tell\n"
	"See man sekimori.\n";

struct verb {
	const char *first, *second; /* second NULL: a verb of one word */
	int (*run)(struct skm_cli *cli, int argc, char **argv);
};

static const struct verb verbs[] = {
	{"status", NULL, skm_verb_status},
	{"devices", NULL, skm_verb_devices},
	{"config", "check", skm_verb_config_check},
	{"policy", "test", skm_verb_policy_test},
	{"log", "show", skm_verb_log_show},
	{"log", "follow", skm_verb_log_follow},
	{"log", "verify", skm_verb_log_verify},
	{"mfa", "enrol", skm_verb_mfa_enrol},
	{"mfa", "status", skm_verb_mfa_status},
	{"mfa", "list", skm_verb_mfa_list},
	{"mfa", "recovery", skm_verb_mfa_recovery},
	{"mfa", "resync", skm_verb_mfa_resync},
	{"mfa", "disable", skm_verb_mfa_disable},
	{"mfa", "unlock", skm_verb_mfa_unlock},
	{"mfa", "substitute", skm_verb_mfa_substitute},
	{"mfa", "import", skm_verb_mfa_import},
	{"mfa", "require", skm_verb_mfa_require},
	{"mfa", "enable", skm_verb_mfa_enable},
};

static bool matches(const struct verb *verb, int argc, char **argv)
{
	if (strcmp(argv[0], verb->first) != 0)
		return false;
	return !verb->second || (argc > 1 && strcmp(argv[1], verb->second) == 0);
}

/* "log shwo": the first word is known, so only what may follow it is offered. */
static int unknown_verb(const struct skm_cli *cli, int argc, char **argv)
{
	bool is_first_known = false;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(verbs); i++)
		is_first_known = is_first_known || strcmp(verbs[i].first, argv[0]) == 0;
	char found[256];
	(void)snprintf(found, sizeof(found), "%s%s%s", argv[0], is_first_known && argc > 1 ? " " : "",
		is_first_known && argc > 1 ? argv[1] : "");
	char allowed[512];
	size_t len = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(verbs) && len < sizeof(allowed); i++) {
		if (is_first_known && strcmp(verbs[i].first, argv[0]) != 0)
			continue;
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s%s%s", len ? ", " : "",
			verbs[i].first, verbs[i].second ? " " : "", verbs[i].second ? verbs[i].second : "");
	}
	return skm_cli_usage_error(cli, SKM_SAY("知らない動詞です", "no such verb"), found, allowed);
}

static int run_verb(struct skm_cli *cli, int argc, char **argv)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(verbs); i++) {
		if (!matches(&verbs[i], argc, argv))
			continue;
		int words = verbs[i].second ? 2 : 1;
		optind = 0; /* glibc: begin anew, with another array */
		return verbs[i].run(cli, argc - words + 1, argv + words - 1);
	}
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		bool is_mfa = strcmp(argv[0], "mfa") == 0;
		(void)fputs(is_mfa ? skm_mfa_help(cli->language) : SKM_SAY(help_ja, help_en), stdout);
		return SKM_EXIT_YES;
	}
	if (argc == 1 && strcmp(argv[0], "mfa") == 0) {
		/* Too many to be told in one line of an error. */
		(void)fputs(skm_mfa_help(cli->language), stdout);
		return skm_cli_usage_error(cli, SKM_SAY("動詞がありません", "a verb is missing"), NULL, NULL);
	}
	return unknown_verb(cli, argc, argv);
}

static int run(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		SKM_COMMON_OPTIONS, {"version", no_argument, NULL, SKM_OPTION_VERSION}, {0}};
	int exit_code = 0;
	for (int option; (option = skm_cli_next_global_option(cli, argc, argv, options, &exit_code)) !=
			 SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		(void)printf("sekimori %s\n", SKM_VERSION);
		return SKM_EXIT_YES;
	}
	if (optind >= argc)
		return skm_cli_usage_error(cli, SKM_SAY("動詞がありません", "a verb is missing"), NULL,
			"status, devices, config check, policy test, log show, log follow, log verify, mfa …");
	return run_verb(cli, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	struct skm_cli cli = {.language = skm_language_from_environment(),
		.japanese_help = help_ja,
		.english_help = help_en};
	int exit_code = run(&cli, argc, argv);
	return skm_text_finish("sekimori", cli.language, exit_code);
}
