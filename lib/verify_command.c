// SPDX-License-Identifier: Apache-2.0
/* The proving program: takes the command line, brings keys, watermarks and files together, and lets the
 * verifier judge. It stands in lib/ because two programs are it: an auditor needs `sekimori-verify` and
 * nothing else, and who has `sekimori` should not get another answer. */
#include "sekimori/verify_command.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sekimori/clock.h"
#include "sekimori/parse.h"
#include "sekimori/record.h"
#include "verify_key.h"
#include "verify_report.h"

#define LOG_FOLDER "/var/log/sekimori"
#define MSEC_PER_SEC 1000
#define HEARTBEAT_MIN_MS 60000u
#define HEARTBEAT_MAX_MS 86400000u
#define PROGRESS_EVERY_MS 250
#define TIME_FORMS "now, 2026-11-21, \"2026-11-21 09:00\", 2026-11-21T09:00:00+09:00, -2h"

/* `run` is in scope by that name wherever people are spoken to. */
#define SAY(japanese, english) skm_text(run->language, japanese, english)

enum {
	OPTION_JSON = 256,
	OPTION_LANG,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_KEY,
	OPTION_SEALED,
	OPTION_WATERMARK,
	OPTION_WATERMARKS,
	OPTION_BEGINS_LATE,
	OPTION_CHAIN_ONLY,
	OPTION_MIXED,
	OPTION_HEARTBEAT,
	OPTION_UNTIL,
	OPTION_NEW_KEY,
};

struct run {
	const char *name;
	enum skm_language language;
	bool json;
	const char *key_path, *new_key_path; /* borrowed of the command line, NULL = not given */
	const char **sealed_paths;	     /* of argc members */
	size_t sealed_count;
	bool may_begin_late, is_chain_only, is_mixed, has_until;
	int64_t until_sec;
	uint64_t heartbeat_sec;
	struct skm_verify_keys keys;
	struct skm_verify_watermarks watermarks;
	struct skm_verify_input input;
	struct skm_verify_hasher *hasher;
	bool *is_seen; /* for each watermark, then for each key: its chain is here */
	struct skm_verify_report report;
	/* --- progress --- */
	bool shows_progress, has_shown;
	uint64_t bytes, bytes_done, shown_msec;
};

static const char help_ja[] =
	"使い方: %s [オプション] [ファイル… | フォルダー…]\n"
	"\n"
	"監査記録が完全で改変されていないことを証明します。省略時は " LOG_FOLDER " を調べます。\n"
	"  --sealed FILE          封印された最初の鍵 (導入時に端末から取り出した *.sealed)。何度でも書けます\n"
	"  --key FILE             検証者の秘密鍵\n"
	"  --watermark C:N:HASH   以前に確認した位置。何度でも書けます。--watermarks FILE は1行に1件\n"
	"  --until T              T (now、2026-11-21 等) まで記録が続いているはず\n"
	"  --heartbeat 10min      端末の audit.checkpoint_interval\n"
	"  --begins-late          古い記録は削除済み: 1番から始まらなくてもよい\n"
	"  --chain-only           鍵なしで、つながりと署名だけを調べる\n"
	"  --mixed                多数の端末の記録が混ざったファイル (コレクターの日別ファイル)\n"
	"  --json                 機械で読む形式\n"
	"  --lang ja|en  --help  --version\n"
	"\n"
	"       %s --new-key FILE   検証者の鍵を作成します\n"
	"\n"
	"終了コード: 0 = 完全で検証済み、2 = 使い方の誤り、3 = 証明できない (鍵・検査点・記録がない、読めない)。\n"
	"発見があれば最も重いもの: 10 CLOCK 11 DROP 12 SILENT 13 TORN 14 RESTART 15 TRUNCATED 16 GAP\n"
	"17 REORDER 18 FORK 19 EDIT 20 FORGE 21 FOREIGN\n";
static const char help_en[] =
	"Usage: %s [OPTIONS] [FILE… | DIR…]\n"
	"\n"
	"Proves that audit records are complete and unchanged, in " LOG_FOLDER " unless told otherwise.\n"
	"  --sealed FILE          sealed first keys (*.sealed, taken from the terminal when it was set up);\n"
	"                         may be repeated\n"
	"  --key FILE             the verifier's secret key\n"
	"  --watermark C:N:HASH   what was seen before; may be repeated. --watermarks FILE: one a line\n"
	"  --until T              the records should go on to T (now, 2026-11-21 …)\n"
	"  --heartbeat 10min      audit.checkpoint_interval of the terminal\n"
	"  --begins-late          old records were deleted: it need not begin with record 1\n"
	"  --chain-only           without keys: chain and signatures only\n"
	"  --mixed                files with lines of many terminals: the collector's, by day\n"
	"  --json                 for machines\n"
	"  --lang ja|en  --help  --version\n"
	"\n"
	"       %s --new-key FILE   makes the verifier's pair of keys\n"
	"\n"
	"Exit codes: 0 = complete and verified, 2 = usage, 3 = not proven (no key, checkpoint or record; cannot be\n"
	"read). What was found, the worst: 10 CLOCK 11 DROP 12 SILENT 13 TORN 14 RESTART 15 TRUNCATED 16 GAP\n"
	"17 REORDER 18 FORK 19 EDIT 20 FORGE 21 FOREIGN\n";

/* ---- what people are told when it does not work ---- */

static int usage(const struct run *run, const char *what, const char *found, const char *allowed)
{
	(void)fprintf(stderr, "%s: %s", run->name, what);
	if (found) {
		(void)fputs(": ", stderr);
		skm_verify_print_name(stderr, found);
	}
	if (allowed)
		(void)fprintf(stderr, SAY(" (使えるもの: %s)", " (allowed: %s)"), allowed);
	(void)fprintf(stderr, "\n%s\n",
		SAY("使い方は --help を付けると表示されます。", "Add --help to see how it is used."));
	return SKM_VERIFY_EXIT_USAGE;
}

static const char *error_text(const struct run *run, int error)
{
	switch (error) {
	case ENOENT:
		return SAY("ありません", "there is no such file or folder");
	case EACCES:
	case EPERM:
		return SAY("権限がありません (グループ sekimori-auditor に入っている必要があります)",
			"permission denied (it takes membership of the group sekimori-auditor)");
	case EEXIST:
		return SAY(
			"既にあります。鍵は上書きしません", "it exists already; a key is never overwritten");
	case EISDIR:
		return SAY("フォルダーです", "it is a folder");
	case ENOMEM:
		return SAY("メモリが足りません", "out of memory");
	case EIO:
		return SAY("入出力エラー", "input/output error");
	default:
		return strerrordesc_np(error) ? strerrordesc_np(error) : "?";
	}
}

static int fail(const struct run *run, const char *what, const char *object, const char *why)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: %s ", run->name, what);
	skm_verify_print_name(stderr, object);
	(void)fprintf(stderr, ": %s\n", why);
	return SKM_VERIFY_EXIT_UNKNOWN;
}

/* enum skm_verify_key_fault or -errno. */
static int fail_key(const struct run *run, const char *what, const char *path, int fault, uint64_t line)
{
	char why[256];
	switch (fault) {
	case SKM_VERIFY_KEY_EXPOSED:
		return fail(run, what, path,
			SAY("所有者以外も読み書きできます。chmod 600 で直し、漏れていないか確認してください",
				"others than its owner may read or write it; chmod 600, and ask who has read it"));
	case SKM_VERIFY_KEY_FORM:
		if (line == 0)
			return fail(run, what, path,
				SAY("この種類のファイルではありません", "it is no file of this kind"));
		(void)snprintf(why, sizeof(why),
			SAY("%" PRIu64 "行目の形式が正しくありません",
				"line %" PRIu64 " is not of the right form"),
			line);
		return fail(run, what, path, why);
	case SKM_VERIFY_KEY_CONFLICT:
		(void)snprintf(why, sizeof(why),
			SAY("%" PRIu64 "行目: 同じ鎖に別の鍵があります。どちらかは端末のものではありません",
				"line %" PRIu64
				": another key of the same chain; one of them is not the terminal's"),
			line);
		return fail(run, what, path, why);
	default:
		return fail(run, what, path, error_text(run, -fault));
	}
}

/* ---- the command line ---- */

static int take_until(struct run *run)
{
	int64_t now_sec = (int64_t)time(NULL), sec = now_sec;
	if (strcmp(optarg, "now") != 0 && (skm_parse_point_in_time(optarg, now_sec, &sec) < 0 ||
						  sec > INT64_MAX / (int64_t)SKM_USEC_PER_SEC ||
						  sec < INT64_MIN / (int64_t)SKM_USEC_PER_SEC))
		return usage(run, SAY("--until の値が正しくありません", "wrong value for --until"), optarg,
			TIME_FORMS);
	run->until_sec = sec;
	run->has_until = true;
	return 0;
}

static int take_heartbeat(struct run *run)
{
	uint64_t ms = 0;
	if (skm_parse_duration_ms(optarg, HEARTBEAT_MIN_MS, HEARTBEAT_MAX_MS, &ms) < 0)
		return usage(run, SAY("--heartbeat の値が正しくありません", "wrong value for --heartbeat"),
			optarg, "1min - 24h");
	run->heartbeat_sec = ms / MSEC_PER_SEC;
	return 0;
}

static int take_watermark(struct run *run)
{
	int r = skm_verify_watermarks_add(&run->watermarks, optarg);
	if (r == -EINVAL)
		return usage(run, SAY("--watermark の値が正しくありません", "wrong value for --watermark"),
			optarg,
			SAY("鎖:番号:ハッシュ。検証結果の watermark の行",
				"CHAIN:NUMBER:HASH, as a result prints it"));
	return r < 0 ? fail(run, SAY("読めません:", "cannot take"), optarg, error_text(run, -r)) : 0;
}

static int take_watermarks(struct run *run)
{
	uint64_t line = 0;
	int r = skm_verify_watermarks_load(&run->watermarks, optarg, &line);
	return r != 0 ? fail_key(run, SAY("確認済みの位置を読めません:", "cannot read the watermarks in"),
				optarg, r, line)
		      : 0;
}

static int take_option(struct run *run, int option)
{
	switch (option) {
	case OPTION_JSON:
		run->json = true;
		return 0;
	case OPTION_LANG:
		return skm_language_from_string(optarg, &run->language) == 0
			       ? 0
			       : usage(run, SAY("知らない言語です", "no such language"), optarg, "ja, en");
	case OPTION_KEY:
		run->key_path = optarg;
		return 0;
	case OPTION_NEW_KEY:
		run->new_key_path = optarg;
		return 0;
	case OPTION_SEALED:
		run->sealed_paths[run->sealed_count++] = optarg;
		return 0;
	case OPTION_WATERMARK:
		return take_watermark(run);
	case OPTION_WATERMARKS:
		return take_watermarks(run);
	case OPTION_BEGINS_LATE:
		run->may_begin_late = true;
		return 0;
	case OPTION_CHAIN_ONLY:
		run->is_chain_only = true;
		return 0;
	case OPTION_MIXED:
		run->is_mixed = true;
		return 0;
	case OPTION_HEARTBEAT:
		return take_heartbeat(run);
	default:
		return take_until(run);
	}
}

static int wrong_option(const struct run *run, char **argv, const struct option *options, bool lacks_value)
{
	char found[256], allowed[512] = "";
	size_t len = 0;
	if (optopt > 0 && optopt < 128)
		(void)snprintf(found, sizeof(found), "-%c", optopt);
	else
		(void)snprintf(found, sizeof(found), "%s", argv[optind - 1]);
	if (lacks_value)
		return usage(
			run, SAY("このオプションには値が必要です", "this option needs a value"), found, NULL);
	for (; options->name && len < sizeof(allowed); options++)
		len += (size_t)snprintf(
			allowed + len, sizeof(allowed) - len, "%s--%s", len ? " " : "", options->name);
	return usage(run, SAY("使えないオプションです", "no such option here"), found, allowed);
}

/* 0 with the operands at optind; else *ret_exit is what to leave with. */
static bool parse_options(struct run *run, int argc, char **argv, int *ret_exit)
{
	static const struct option options[] = {{"json", no_argument, NULL, OPTION_JSON},
		{"lang", required_argument, NULL, OPTION_LANG}, {"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION}, {"key", required_argument, NULL, OPTION_KEY},
		{"sealed", required_argument, NULL, OPTION_SEALED},
		{"watermark", required_argument, NULL, OPTION_WATERMARK},
		{"watermarks", required_argument, NULL, OPTION_WATERMARKS},
		{"until", required_argument, NULL, OPTION_UNTIL},
		{"heartbeat", required_argument, NULL, OPTION_HEARTBEAT},
		{"begins-late", no_argument, NULL, OPTION_BEGINS_LATE},
		{"chain-only", no_argument, NULL, OPTION_CHAIN_ONLY},
		{"mixed", no_argument, NULL, OPTION_MIXED},
		{"new-key", required_argument, NULL, OPTION_NEW_KEY}, {0}};
	opterr = 0;
	optind = 0; /* glibc: begin anew, with another array */
	for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
		if (option == '?' || option == ':') {
			*ret_exit = wrong_option(run, argv, options, option == ':');
			return false;
		}
		if (option == 'h' || option == OPTION_HELP) {
			(void)printf(SAY(help_ja, help_en), run->name, run->name);
			*ret_exit = SKM_VERIFY_EXIT_COMPLETE;
			return false;
		}
		if (option == OPTION_VERSION) {
			(void)printf("%s %s\n", run->name, SKM_VERSION);
			*ret_exit = SKM_VERIFY_EXIT_COMPLETE;
			return false;
		}
		*ret_exit = take_option(run, option);
		if (*ret_exit != 0)
			return false;
	}
	return true;
}

/* ---- keys ---- */

static int make_key(const struct run *run)
{
	uint8_t public_key[SKM_VERIFIER_KEY_BYTES];
	char text[SKM_VERIFIER_KEY_HEX_BYTES];
	int r = skm_verifier_pair_create(run->new_key_path, public_key);
	if (r < 0)
		return fail(run, SAY("検証者の鍵を作成できません:", "cannot create the verifier's key"),
			run->new_key_path, error_text(run, -r));
	skm_hex_format(public_key, sizeof(public_key), text);
	if (run->json) {
		(void)printf("{\"public_key\":\"%s\"}\n", text);
		return 0;
	}
	(void)fputs(SAY("秘密鍵を作成しました: ", "secret key written to "), stdout);
	skm_verify_print_name(stdout, run->new_key_path);
	(void)printf(SAY("\n端末にもコレクターにも置かず、施錠して保管してください。\n"
			 "公開鍵 (各端末の sekimori.conf に書きます):\n",
		"\nKeep it off the terminals and off the collector, and lock it away.\n"
		"The public key, for sekimori.conf of each terminal:\n"));
	(void)printf("audit: { verifier_key = \"%s\"; };\n", text);
	return 0;
}

static int load_sealed(struct run *run, const struct skm_verifier_pair *pair)
{
	static const char ja[] = "封印された鍵を読めません:", en[] = "cannot read the sealed keys in";
	for (size_t i = 0; i < run->sealed_count; i++) {
		uint64_t line = 0;
		int r = skm_verify_keys_load(&run->keys, run->sealed_paths[i], pair, &line);
		if (r != 0)
			return fail_key(run, SAY(ja, en), run->sealed_paths[i], r, line);
	}
	if (run->keys.count == 0)
		return fail(run, SAY("開けません:", "cannot open the keys in"), run->sealed_paths[0],
			run->keys.closed > 0 ? SAY("この秘密鍵に封印されたものがありません",
						       "none is sealed to this secret key")
					     : SAY("鍵がひとつもありません", "there is no key in it"));
	if (run->keys.closed > 0)
		(void)fprintf(stderr,
			SAY("%s: 別の秘密鍵に封印された鍵が %" PRIu64 " 件あり、使いません\n",
				"%s: %" PRIu64
				" of the keys are sealed to another secret key and not used\n"),
			run->name, run->keys.closed);
	return 0;
}

static int load_keys(struct run *run)
{
	struct skm_verifier_pair pair;
	if (!run->key_path != (run->sealed_count == 0))
		return usage(run, SAY("--key と --sealed は一緒に使います", "--key and --sealed go together"),
			NULL, NULL);
	if (run->key_path && run->is_chain_only)
		return usage(run,
			SAY("--chain-only と --key は一緒に使えません", "--chain-only excludes --key"), NULL,
			NULL);
	if (!run->key_path)
		return 0;
	int r = skm_verifier_pair_load(run->key_path, &pair);
	if (r != 0)
		return fail_key(run,
			SAY("検証者の秘密鍵を読めません:", "cannot read the verifier's secret key"),
			run->key_path, r, 0);
	r = load_sealed(run, &pair);
	skm_chain_wipe(&pair, sizeof(pair));
	return r;
}

/* ---- progress: on a terminal, and only when it takes a while ---- */

static uint64_t now_msec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void clear_progress(struct run *run)
{
	if (run->has_shown)
		(void)fputs("\r\033[K", stderr);
	run->has_shown = false;
}

static void on_progress(void *user, size_t bytes)
{
	struct run *run = user;
	run->bytes_done += bytes;
	if (!run->shows_progress || now_msec() - run->shown_msec < PROGRESS_EVERY_MS)
		return;
	run->shown_msec = now_msec();
	run->has_shown = true;
	(void)fprintf(stderr, SAY("\r検証中 %" PRIu64 " MB", "\rverifying %" PRIu64 " MB"),
		run->bytes_done / 1000000u);
	if (run->bytes >= run->bytes_done)
		(void)fprintf(stderr, " (%u %%)", (unsigned)(run->bytes_done * 100 / run->bytes));
	(void)fflush(stderr);
}

static void on_finding(void *user, const struct skm_finding *finding)
{
	struct run *run = user;
	clear_progress(run);
	skm_verify_report_finding(&run->report, finding);
}

/* ---- streams ---- */

static int collect_input(struct run *run, int argc, char **argv)
{
	static char folder[] = LOG_FOLDER;
	char *all[] = {folder};
	char **paths = optind < argc ? argv + optind : all;
	size_t count = optind < argc ? (size_t)(argc - optind) : 1;
	for (size_t i = 0; i < count; i++) {
		int r = skm_verify_input_add(&run->input, paths[i]);
		if (r != 0)
			return fail(run, SAY("監査記録を読めません:", "cannot read audit records in"),
				paths[i],
				r == SKM_VERIFY_INPUT_EMPTY
					? SAY("記録のファイル (00000001.jsonl 等) がありません",
						  "no segments (00000001.jsonl and so on) are there")
					: error_text(run, -r));
	}
	skm_verify_input_sort(&run->input);
	return 0;
}

static void read_stream(
	struct run *run, struct skm_verifier *verifier, const struct skm_verify_stream *stream)
{
	for (size_t i = 0; i < stream->count; i++) {
		skm_verifier_file(verifier, i + 1);
		int r = skm_verify_file_read(verifier, run->hasher, stream, i, on_progress, run);
		if (r == 0)
			continue;
		clear_progress(run);
		(void)fail(run, SAY("読めません:", "cannot read"), stream->paths[i],
			r == SKM_VERIFY_INPUT_NOT_FILE
				? SAY("普通のファイルではありません", "it is no regular file")
				: error_text(run, -r));
		skm_verify_report_unread(&run->report);
	}
}

static void note_chains(struct run *run, const struct skm_verifier *verifier)
{
	struct skm_verification result;
	for (size_t chain = 0; skm_verifier_get(verifier, chain, &result); chain++) {
		for (size_t i = 0; i < run->watermarks.count; i++) {
			if (memcmp(run->watermarks.marks[i].chain_id, result.chain_id,
				    sizeof(result.chain_id)) == 0)
				run->is_seen[i] = true;
		}
		for (size_t i = 0; result.macs_checked && i < run->keys.count; i++) {
			if (memcmp(run->keys.keys[i].chain_id, result.chain_id, sizeof(result.chain_id)) == 0)
				run->is_seen[run->watermarks.count + i] = true;
		}
	}
}

static int verify_stream(struct run *run, const struct skm_verify_stream *stream)
{
	const struct skm_verifier_options options = {.keys = run->keys.keys,
		.key_count = run->keys.count,
		.watermarks = run->watermarks.marks,
		.watermark_count = run->watermarks.count,
		.is_mixed = run->is_mixed,
		.may_begin_late = run->may_begin_late,
		.heartbeat_sec = run->heartbeat_sec,
		.has_until = run->has_until,
		.until_usec = run->until_sec * (int64_t)SKM_USEC_PER_SEC,
		.on_finding = on_finding,
		.user = run};
	struct skm_verifier *verifier = NULL;
	int r = skm_verifier_new(&options, &verifier);
	if (r < 0)
		return r;
	skm_verify_report_stream(&run->report, stream);
	read_stream(run, verifier, stream);
	skm_verifier_finish(verifier);
	clear_progress(run);
	skm_verify_report_chains(&run->report, verifier);
	note_chains(run, verifier);
	(void)skm_verifier_free(verifier);
	return 0;
}

/* A chain that was witnessed and is nowhere: the whole log was replaced. That there is a key proves no
 * record; a file of keys may be the fleet's, or older than what was deleted by age, and is kept when a
 * terminal is set up anew: so it is said, and no finding. */
static void tell_absent(struct run *run)
{
	skm_verify_report_rest(&run->report);
	for (size_t i = 0; i < run->watermarks.count; i++) {
		const struct skm_watermark *mark = &run->watermarks.marks[i];
		struct skm_finding finding = {.kind = SKM_FINDING_TRUNCATED,
			.cause = SKM_CAUSE_CHAIN_ABSENT,
			.first = 1,
			.last = mark->sequence,
			.value = (int64_t)mark->sequence};
		memcpy(finding.chain_id, mark->chain_id, sizeof(finding.chain_id));
		if (!run->is_seen[i])
			skm_verify_report_finding(&run->report, &finding);
	}
	skm_verify_report_keys(
		&run->report, run->keys.keys, run->keys.count, run->is_seen + run->watermarks.count);
}

static int verify_all(struct run *run)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	run->is_seen = calloc(run->watermarks.count + run->keys.count + 1, sizeof(*run->is_seen));
	int r = run->is_seen ? skm_verify_hasher_new(cpus > 1 ? (unsigned)cpus : 1, &run->hasher) : -ENOMEM;
	run->bytes = skm_verify_input_bytes(&run->input);
	run->shown_msec = now_msec();
	run->shows_progress = isatty(STDERR_FILENO);
	run->report = (struct skm_verify_report){.file = stdout,
		.language = run->language,
		.json = run->json,
		.may_begin_late = run->may_begin_late,
		.is_chain_only = run->is_chain_only};
	skm_verify_report_begin(&run->report);
	for (size_t i = 0; r == 0 && i < run->input.count; i++)
		r = verify_stream(run, &run->input.streams[i]);
	if (r < 0)
		return fail(run, SAY("検証できません:", "cannot verify"), "…", error_text(run, -r));
	tell_absent(run);
	skm_verify_report_end(&run->report);
	if (!run->key_path && !run->is_chain_only && !run->json)
		(void)fputs(SAY("誰が書いたかを証明するには --sealed と --key を付けます。\n",
				    "To prove who wrote the records, add --sealed and --key.\n"),
			stderr);
	return skm_verify_report_exit(&run->report);
}

static int execute(struct run *run, int argc, char **argv)
{
	int exit_code = 0;
	if (!parse_options(run, argc, argv, &exit_code))
		return exit_code;
	if (run->new_key_path)
		return optind < argc
			       ? usage(run, SAY("余分な引数です", "an argument too many"), argv[optind], NULL)
			       : make_key(run);
	exit_code = load_keys(run);
	if (exit_code == 0)
		exit_code = collect_input(run, argc, argv);
	return exit_code == 0 ? verify_all(run) : exit_code;
}

int skm_verify_command(const struct skm_verify_command *command, int argc, char **argv)
{
	struct run run_ = {.name = command->name,
		.language = command->language,
		.json = command->json,
		.heartbeat_sec = SKM_VERIFY_HEARTBEAT_SEC};
	struct run *run = &run_;
	run->sealed_paths = calloc((size_t)argc + 1, sizeof(*run->sealed_paths));
	int exit_code = run->sealed_paths ? execute(run, argc, argv)
					  : fail(run, SAY("検証できません:", "cannot verify"), "…",
						    error_text(run, ENOMEM));
	skm_verify_keys_finish(&run->keys);
	skm_verify_watermarks_finish(&run->watermarks);
	skm_verify_input_finish(&run->input);
	run->hasher = skm_verify_hasher_free(run->hasher);
	free(run->is_seen);
	free(run->sealed_paths);
	return exit_code;
}
