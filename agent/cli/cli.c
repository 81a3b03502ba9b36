// SPDX-License-Identifier: Apache-2.0
/* Command lines are read strictly: an option that is not known is an error that names those that are, in the
 * person's language. getopt_long's own messages are turned off for that: they come in the C library's locale.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sekimori/control.h"
#include "sekimori/text.h"

int skm_cli_usage_error(const struct skm_cli *cli, const char *what, const char *found, const char *allowed)
{
	(void)fprintf(stderr, "sekimori: %s", what);
	if (found) {
		(void)fputs(": ", stderr);
		skm_text_print(stderr, found);
	}
	if (allowed)
		(void)fprintf(stderr, SKM_SAY(" (使えるもの: %s)", " (allowed: %s)"), allowed);
	(void)fprintf(stderr, "\n%s\n",
		SKM_SAY("使い方は --help を付けると表示されます。", "Add --help to see how it is used."));
	return SKM_EXIT_USAGE;
}

/* The C library's words come in its own locale; these are the ones that people meet. */
static const char *error_text(const struct skm_cli *cli, int error)
{
	switch (error) {
	case ENOENT:
		return SKM_SAY("ありません", "there is no such file or folder");
	case EACCES:
	case EPERM:
		return SKM_SAY("権限がありません", "permission denied");
	case EEXIST:
		return SKM_SAY("既にあります", "it exists already");
	case ENOSPC:
		return SKM_SAY("ディスクに空きがありません", "no space left");
	case EROFS:
		return SKM_SAY("読み取り専用です", "read-only file system");
	case EBUSY:
		return SKM_SAY("使用中です", "busy");
	case ENOTDIR:
		return SKM_SAY("フォルダーではありません", "not a folder");
	case ENOMEM:
		return SKM_SAY("メモリが足りません", "out of memory");
	case EIO:
		return SKM_SAY("入出力エラー", "input/output error");
	default:
		return strerror(error);
	}
}

int skm_cli_failure(const struct skm_cli *cli, const char *what, const char *object, int error)
{
	(void)fprintf(stderr, "sekimori: %s ", what);
	skm_text_print(stderr, object);
	(void)fprintf(stderr, ": %s\n", error_text(cli, error < 0 ? -error : error));
	return SKM_EXIT_UNKNOWN;
}

int skm_cli_no_operands(const struct skm_cli *cli, int argc, char **argv)
{
	if (optind >= argc)
		return 0;
	return skm_cli_usage_error(
		cli, SKM_SAY("余分な引数です", "an argument too many"), argv[optind], NULL);
}

static void list_options(const struct option *options, char *buf, size_t size)
{
	size_t len = 0;
	buf[0] = '\0';
	for (; options->name && len < size; options++)
		len += (size_t)snprintf(buf + len, size - len, "%s--%s", len ? " " : "", options->name);
}

/* The option as it was typed; a letter may be one of several behind one dash. */
static void name_wrong_option(char **argv, char *buf, size_t size)
{
	if (optopt > 0 && optopt < 128)
		(void)snprintf(buf, size, "-%c", optopt);
	else
		(void)snprintf(buf, size, "%s", argv[optind - 1]);
}

static int wrong_option(
	const struct skm_cli *cli, char **argv, const struct option *options, bool lacks_argument)
{
	char found[256];
	char allowed[512];
	name_wrong_option(argv, found, sizeof(found));
	if (lacks_argument)
		return skm_cli_usage_error(cli,
			SKM_SAY("このオプションには値が必要です", "this option needs a value"), found, NULL);
	list_options(options, allowed, sizeof(allowed));
	return skm_cli_usage_error(
		cli, SKM_SAY("使えないオプションです", "no such option here"), found, allowed);
}

static int next_option(struct skm_cli *cli, int argc, char **argv, const char *letters,
	const struct option *options, int *ret_exit)
{
	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, letters, options, NULL);
		switch (option) {
		case SKM_OPTION_JSON:
			cli->json = true;
			break;
		case SKM_OPTION_LANG:
			if (skm_language_from_string(optarg, &cli->language) == 0)
				break;
			*ret_exit = skm_cli_usage_error(
				cli, SKM_SAY("知らない言語です", "no such language"), optarg, "ja, en");
			return SKM_OPTION_STOP;
		case 'h':
		case SKM_OPTION_HELP:
			(void)fputs(SKM_SAY(cli->japanese_help, cli->english_help), stdout);
			*ret_exit = SKM_EXIT_YES;
			return SKM_OPTION_STOP;
		case '?':
		case ':':
			*ret_exit = wrong_option(cli, argv, options, option == ':');
			return SKM_OPTION_STOP;
		default:
			return option;
		}
	}
}

int skm_cli_next_option(
	struct skm_cli *cli, int argc, char **argv, const struct option *options, int *ret_exit)
{
	return next_option(cli, argc, argv, ":h", options, ret_exit);
}

int skm_cli_next_global_option(
	struct skm_cli *cli, int argc, char **argv, const struct option *options, int *ret_exit)
{
	return next_option(cli, argc, argv, "+:h", options, ret_exit);
}

int skm_cli_become_daemon(const struct skm_cli *cli, const char *program, char **arguments)
{
	/* So that the messages of both programs come in one language. */
	if (setenv("SEKIMORI_LANG", skm_language_to_string(cli->language), 1) < 0)
		return skm_cli_failure(
			cli, SKM_SAY("環境変数を設定できません:", "cannot set"), "SEKIMORI_LANG", errno);
	(void)fflush(stdout);
	(void)execv(program, arguments);
	return skm_cli_failure(cli, SKM_SAY("起動できません:", "cannot start"), program, errno);
}

int skm_cli_operand(const char *text, char **ret_operand)
{
	char *operand = NULL;
	if (asprintf(&operand, "%s%s", text[0] == '-' ? "./" : "", text) < 0)
		return -ENOMEM;
	*ret_operand = operand;
	return 0;
}

int skm_cli_control_failure(const struct skm_cli *cli, int result)
{
	const char *text = NULL;
	switch (result) {
	case SKM_CONTROL_CLIENT_DENIED:
		text = SKM_SAY("この情報を見る権限がありません。グループ sekimori-admin、sekimori-approver、"
			       "sekimori-helpdesk、sekimori-auditor のいずれかに入っている必要があります。",
			"you may not see this; it takes one of the groups sekimori-admin, sekimori-approver, "
			"sekimori-helpdesk, sekimori-auditor");
		break;
	case SKM_CONTROL_CLIENT_BUSY:
		text = SKM_SAY("エージェントへの接続が多すぎます。しばらくしてからやり直してください。",
			"too many connections to the agent; try again in a moment");
		break;
	case -EBADMSG:
		text = SKM_SAY(
			"エージェントと版が合いません。更新の後であればエージェントを再起動してください。",
			"the agent speaks another version; if it was updated, restart it");
		break;
	case -EPERM:
		text = SKM_SAY(
			"制御ソケットで待っているのはエージェントではありません (root ではありません)。",
			"what listens on the control socket is not the agent (it is not root)");
		break;
	case -ETIMEDOUT:
		text = SKM_SAY("エージェントが時間内に応答しません。", "the agent does not answer in time");
		break;
	case -ENOENT:
	case -ECONNREFUSED:
	case -ECONNRESET:
		text = SKM_SAY("エージェントが動いていません。", "the agent is not running");
		break;
	default:
		text = error_text(cli, result < 0 ? -result : result);
	}
	(void)fprintf(stderr, "sekimori: %s\n", text);
	return SKM_EXIT_UNKNOWN;
}

void skm_cli_local_time(int64_t sec, char ret_text[SKM_LOCAL_TIME_BYTES])
{
	time_t time = (time_t)sec;
	struct tm local;
	if (!localtime_r(&time, &local) ||
		strftime(ret_text, SKM_LOCAL_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &local) == 0)
		(void)snprintf(
			ret_text, SKM_LOCAL_TIME_BYTES, "%lld", (long long)sec); /* a year beyond all years */
}
