// SPDX-License-Identifier: Apache-2.0
/* `sekimori-witness`: the nightly proof on a host that is not the collector, and the auditor's questions
 * about it. A program of its own and not verbs of sekimori-verify, which promises to write nothing and to
 * need nothing: this one holds a secret key, keeps a folder and runs that program. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit.h"
#include "form.h"
#include "mail.h"
#include "night.h"
#include "sekimori/parse.h"
#include "sekimori/text.h"
#include "sekimori/verify_command.h"

#define NAME "sekimori-witness"
#define ETC "/etc/sekimori-witness"
#define STATE "/var/lib/sekimori-witness"
#define IDLE_DAYS 4 /* a long week-end */
#define PATH_BYTES 4096

struct arguments {
	enum skm_language language;
	struct skm_witness_night night;
	struct skm_witness_paper paper;
	const char *mail, *sendmail;
};
#define SAY(japanese, english) skm_text(arguments->language, japanese, english)

static const char usage_en[] =
	"usage: sekimori-witness create-key               makes the signing key, prints the public one\n"
	"       sekimori-witness run                      verify, witness the days up to yesterday, print the form\n"
	"              [--day DATE] [--again NUMBER] [--chain-only] [--begins-late] [--heartbeat 10min]\n"
	"              [--idle-days 4] [--mail ADDRESS] [--sendmail FILE] [--verifier FILE]\n"
	"       sekimori-witness check [--day DATE] [--root 'ROOT FROM PAPER'] [--fingerprint F] [--public-key K]\n"
	"       sekimori-witness prove CHAIN:NUMBER       a proof for one record, on standard output\n"
	"       sekimori-witness check-proof FILE [--root …] [--fingerprint …] [--public-key …]\n"
	"       --records DIR (" STATE "/records)  --state DIR (" STATE ")  --etc DIR (" ETC ")\n"
	"       --lang ja|en  --version  --help\n"
	"exit status of check, prove and check-proof: 0 yes, 1 no, 2 usage, 3 could not tell\n"
	"of run: 0 complete, 2 usage, 3 not proven, 10-21 found (as sekimori-verify), 22 witnessed days changed\n";
static const char usage_ja[] =
	"使い方: sekimori-witness create-key               署名鍵を作成し、公開鍵を表示\n"
	"        sekimori-witness run                      検証し、前日までを証明し、用紙を出力\n"
	"               [--day 日付] [--again 証明番号] [--chain-only] [--begins-late] [--heartbeat 10min]\n"
	"               [--idle-days 4] [--mail 宛先] [--sendmail FILE] [--verifier FILE]\n"
	"        sekimori-witness check [--day 日付] [--root '用紙の証明値'] [--fingerprint 指紋] [--public-key 公開鍵]\n"
	"        sekimori-witness prove 鎖:番号            1件の記録の証拠を標準出力へ\n"
	"        sekimori-witness check-proof FILE [--root …] [--fingerprint …] [--public-key …]\n"
	"        --records DIR (" STATE "/records)  --state DIR (" STATE ")  --etc DIR (" ETC ")\n"
	"        --lang ja|en  --version  --help\n"
	"check、prove、check-proof の終了コード: 0 はい、1 いいえ、2 使い方の誤り、3 判定不能\n"
	"run: 0 完全、2 使い方の誤り、3 証明できない、10〜21 発見 (sekimori-verify と同じ)、22 証明済みの日が変わった\n";

static const struct option options[] = {{"day", required_argument, NULL, 'd'},
	{"again", required_argument, NULL, 'a'}, {"chain-only", no_argument, NULL, 'c'},
	{"begins-late", no_argument, NULL, 'b'}, {"heartbeat", required_argument, NULL, 'H'},
	{"idle-days", required_argument, NULL, 'i'}, {"mail", required_argument, NULL, 'm'},
	{"sendmail", required_argument, NULL, 's'}, {"verifier", required_argument, NULL, 'V'},
	{"root", required_argument, NULL, 'r'}, {"fingerprint", required_argument, NULL, 'f'},
	{"public-key", required_argument, NULL, 'k'}, {"records", required_argument, NULL, 'R'},
	{"state", required_argument, NULL, 'S'}, {"etc", required_argument, NULL, 'E'},
	{"lang", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'}, {0}};

static int wrong(const struct arguments *arguments, const char *what, const char *found)
{
	(void)fprintf(stderr, NAME ": %s%s%s\n%s\n", what, found ? ": " : "", found ? found : "",
		SAY("使い方は --help を付けると表示されます。", "Add --help to see how it is used."));
	return SKM_VERIFY_EXIT_USAGE;
}

static int take_root(struct arguments *arguments)
{
	char what[256];
	size_t digits = 0;
	unsigned row = 0;
	int r = skm_witness_root_parse(optarg, arguments->paper.root, &digits, &row);
	arguments->paper.has_root = r == 0;
	if (r == 0)
		return 0;
	if (r == -EBADMSG)
		(void)snprintf(what, sizeof(what),
			SAY("証明値の%u行目に打ち間違いがあります (行末の2桁と合いません)",
				"row %u of the root is mistyped: it does not fit its two check digits"),
			row);
	else
		(void)snprintf(what, sizeof(what),
			SAY("証明値は0〜9とa〜fの64桁、または検算の桁を含む72桁です",
				"a root has 64 digits of 0-9 and a-f, or 72 with the check digits"));
	return wrong(arguments, what, NULL);
}

/* It becomes a line of a mail's head. */
static bool is_address(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at <= ' ' || *at > '~')
			return false;
	}
	return *text != '\0';
}

static int take_paper(struct arguments *arguments, int option)
{
	struct skm_witness_paper *paper = &arguments->paper;
	if (option == 'r')
		return take_root(arguments);
	if (option == 'f') {
		paper->has_fingerprint = true;
		return skm_witness_typed_parse(optarg, paper->fingerprint, sizeof(paper->fingerprint)) == 0
			       ? 0
			       : wrong(arguments, SAY("指紋は32桁です", "a fingerprint has 32 digits"),
					 optarg);
	}
	paper->has_public_key = true;
	return skm_witness_typed_parse(optarg, paper->public_key, sizeof(paper->public_key)) == 0
		       ? 0
		       : wrong(arguments, SAY("公開鍵は64桁です", "a public key has 64 digits"), optarg);
}

static int take_number(struct arguments *arguments, int option)
{
	uint64_t *number = option == 'a' ? &arguments->night.again : &arguments->night.idle_days;
	return skm_parse_uint(optarg, option == 'a' ? 1 : 0, SKM_WITNESS_NUMBER_MAX, number) == 0
		       ? 0
		       : wrong(arguments, SAY("数ではありません", "no such number"), optarg);
}

static int take_option(struct arguments *arguments, int option)
{
	struct skm_witness_night *night = &arguments->night;
	switch (option) {
	case 'd':
		if (skm_witness_day_parse(optarg, strlen(optarg), &arguments->paper.day) < 0)
			return wrong(arguments,
				SAY("日付は 2026-11-20 の形です", "a day is written 2026-11-20"), optarg);
		night->day = arguments->paper.day;
		return 0;
	case 'a':
	case 'i':
		return take_number(arguments, option);
	case 'c':
		night->is_chain_only = true;
		return 0;
	case 'b':
		night->may_begin_late = true;
		return 0;
	case 'H':
		night->heartbeat = optarg;
		return 0;
	case 'm':
		arguments->mail = optarg;
		return is_address(optarg)
			       ? 0
			       : wrong(arguments, SAY("宛先が正しくありません", "no such address"), optarg);
	case 's':
		arguments->sendmail = optarg;
		return 0;
	case 'V':
		night->verifier_path = optarg;
		return 0;
	case 'R':
		night->records_path = optarg;
		return 0;
	case 'S':
		night->state_path = optarg;
		return 0;
	case 'E':
		night->etc_path = optarg;
		return 0;
	case 'l':
		return skm_language_from_string(optarg, &arguments->language) == 0
			       ? 0
			       : wrong(arguments,
					 SAY("知らない言語です (ja, en)", "no such language (ja, en)"),
					 optarg);
	default:
		return take_paper(arguments, option);
	}
}

/* -1 = go on. */
static int parse_options(struct arguments *arguments, int argc, char **argv)
{
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
		if (option == '?' || option == ':')
			return wrong(arguments,
				option == ':'
					? SAY("このオプションには値が必要です", "this option needs a value")
					: SAY("使えないオプションです", "no such option"),
				argv[optind - 1]);
		if (option == 'h') {
			(void)fputs(SAY(usage_ja, usage_en), stdout);
			return 0;
		}
		if (option == 'v') {
			(void)printf(NAME " %s\n", SKM_VERSION);
			return 0;
		}
		int r = take_option(arguments, option);
		if (r != 0)
			return r;
	}
	return -1;
}

/* ---- verbs ---- */

/* The folders that the first night will need. */
static int make_folders(const struct arguments *arguments)
{
	const struct {
		const char *path, *name;
		mode_t mode;
	} folders[] = {{arguments->night.etc_path, "", 0700}, {arguments->night.etc_path, "/sealed", 0700},
		{arguments->night.state_path, "", 0750}, {arguments->night.records_path, "", 0750}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(folders); i++) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof(path), "%s%s", folders[i].path, folders[i].name);
		if (mkdir(path, folders[i].mode) < 0 && errno != EEXIST)
			return skm_witness_fail(stderr, NAME,
				SAY("フォルダーを作成できません:", "cannot create the folder"), path, errno);
	}
	return 0;
}

static int create_key(const struct arguments *arguments)
{
	char path[PATH_BYTES], text[2 * SKM_WITNESS_KEY_BYTES + 1];
	uint8_t public_key[SKM_WITNESS_KEY_BYTES], fingerprint[SKM_WITNESS_FINGERPRINT_BYTES];
	(void)snprintf(path, sizeof(path), "%s/witness.key", arguments->night.etc_path);
	int r = make_folders(arguments);
	if (r != 0)
		return r;
	r = skm_witness_key_create(path, public_key);
	if (r < 0)
		return skm_witness_fail(stderr, NAME,
			SAY("署名鍵を作成できません:", "cannot create the signing key"), path, -r);
	skm_hex_format(public_key, sizeof(public_key), text);
	skm_witness_fingerprint(public_key, fingerprint);
	(void)printf(
		SAY("署名鍵を作成しました: %s\n公開鍵: %s\n指紋 (用紙に印刷されます。別に控えてください): ",
			"signing key written to %s\npublic key: %s\n"
			"fingerprint (every form has it; keep it elsewhere too): "),
		path, text);
	skm_witness_groups_print(stdout, fingerprint, sizeof(fingerprint));
	(void)fputc('\n', stdout);
	return 0;
}

static uint32_t yesterday(void)
{
	time_t now = time(NULL);
	struct tm date;
	if (!localtime_r(&now, &date))
		return 0;
	date.tm_mday--;
	date.tm_hour = 12;
	date.tm_isdst = -1;
	if (mktime(&date) == (time_t)-1)
		return 0;
	return (uint32_t)((date.tm_year + 1900) * 10000 + (date.tm_mon + 1) * 100 + date.tm_mday);
}

static int run(struct arguments *arguments)
{
	char *text = NULL;
	size_t len = 0;
	uint32_t last = yesterday();
	if (arguments->night.day > last)
		return wrong(
			arguments, SAY("その日はまだ終わっていません", "that day is not over yet"), NULL);
	if (arguments->night.day == 0)
		arguments->night.day = last;
	arguments->night.language = arguments->language;
	arguments->night.out = open_memstream(&text, &len);
	if (!arguments->night.out)
		return SKM_VERIFY_EXIT_UNKNOWN;
	int exit_code = skm_witness_night_run(&arguments->night);
	(void)fclose(arguments->night.out);
	if (!text)
		return SKM_VERIFY_EXIT_UNKNOWN;
	(void)fwrite(text, 1, len, stdout);
	if (arguments->mail) {
		int r = skm_witness_mail(arguments->sendmail, arguments->mail, exit_code, text, len);
		if (r < 0)
			(void)skm_witness_fail(stderr, NAME,
				SAY("メールを渡せません:", "cannot hand the mail to"), arguments->sendmail,
				-r);
		exit_code = r < 0 && exit_code == 0 ? SKM_VERIFY_EXIT_UNKNOWN : exit_code;
	}
	free(text);
	return exit_code;
}

static int prove(const struct arguments *arguments, const struct skm_witness_audit *audit, const char *record)
{
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence = 0;
	size_t id_len = strcspn(record, ":");
	if (id_len != (size_t)2 * SKM_CHAIN_ID_BYTES || record[id_len] == '\0' ||
		skm_hex_parse(record, sizeof(chain_id), chain_id) < 0 ||
		skm_parse_uint(record + id_len + 1, 1, SKM_WITNESS_COUNT_MAX, &sequence) < 0)
		return wrong(arguments, SAY("記録は 鎖:番号 で指定します", "a record is named CHAIN:NUMBER"),
			record);
	return (int)skm_witness_prove(audit, chain_id, sequence, stdout);
}

static int run_verb(struct arguments *arguments, const char *verb, const char *operand)
{
	struct skm_witness_audit audit = {.name = NAME,
		.records_path = arguments->night.records_path,
		.state_path = arguments->night.state_path,
		.language = arguments->language,
		.paper = arguments->paper,
		.out = stdout};
	bool takes_operand = strcmp(verb, "prove") == 0 || strcmp(verb, "check-proof") == 0;
	if (takes_operand != (operand != NULL))
		return wrong(arguments,
			operand ? SAY("余分な引数です", "an argument too many")
				: SAY("引数が足りません", "an argument is missing"),
			operand);
	if (strcmp(verb, "create-key") == 0)
		return create_key(arguments);
	if (strcmp(verb, "run") == 0)
		return run(arguments);
	if (strcmp(verb, "check") == 0)
		return (int)skm_witness_check(&audit);
	if (strcmp(verb, "check-proof") == 0)
		return (int)skm_witness_check_proof(&audit, operand);
	if (operand && strcmp(verb, "prove") == 0) {
		audit.out = stderr;
		return prove(arguments, &audit, operand);
	}
	return wrong(arguments, SAY("知らない動詞です", "no such verb"), verb);
}

int main(int argc, char **argv)
{
	struct arguments arguments_ = {.language = skm_language_from_environment(),
		.night = {.name = NAME,
			.records_path = STATE "/records",
			.state_path = STATE,
			.etc_path = ETC,
			.verifier_path = "/usr/bin/sekimori-verify",
			.idle_days = IDLE_DAYS},
		.sendmail = "/usr/sbin/sendmail"};
	struct arguments *arguments = &arguments_;
	int exit_code =
		skm_chain_start() < 0 ? SKM_VERIFY_EXIT_UNKNOWN : parse_options(arguments, argc, argv);
	if (exit_code < 0 && optind >= argc)
		exit_code = wrong(arguments, SAY("動詞がありません", "a verb is missing"), NULL);
	if (exit_code < 0 && argc - optind > 2)
		exit_code = wrong(arguments, SAY("余分な引数です", "an argument too many"), argv[optind + 2]);
	if (exit_code < 0)
		exit_code = run_verb(arguments, argv[optind], optind + 1 < argc ? argv[optind + 1] : NULL);
	return skm_text_finish(NAME, arguments->language, exit_code);
}
