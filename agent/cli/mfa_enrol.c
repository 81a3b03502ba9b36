// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa enrol`: authd makes the secret and keeps nothing until a code proves that the app has it and
 * understood its parameters. Apps that do not know SHA-256 say nothing and show codes that are simply wrong;
 * whoever finds that out at the login screen is locked out. So the code is asked for here, and when it is
 * wrong, authd tells which fault it looks like.
 *
 * Instructions go to stderr, so that stdout holds nothing but what was asked for. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "mfa.h"
#include "png.h"
#include "sekimori/io.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

#define PNG_SCALE 8
#define SECRET_TEXT_BYTES 160
#define ROWS_BELOW 4 /* the secret and the question: what they push out of sight cannot be read either */

static const char help_ja[] =
	"使い方: sekimori mfa enrol [--user NAME] [オプション]\n"
	"\n"
	"認証アプリに読み込ませるQRコードを表示し、表示された確認コードが正しければ登録します。\n"
	"  --user NAME              ほかの人の登録 (root と sekimori-admin)\n"
	"  --type totp|hotp         時刻で変わるコード (省略時)、または回数で変わるコード\n"
	"  --algorithm A            sha256 (省略時)、sha512、sha1 (設定で許可した場合のみ)\n"
	"  --digits 6|8  --period 30|60   桁数 (6) と間隔の秒数 (30)\n"
	"  --label TEXT             トークンの呼び名 (例: 窓口の予備)\n"
	"  --qr utf8|ansi|inverse|none    QRコードの描き方 (省略時は端末に合わせます)\n"
	"  --png FILE               QRコードを新しいPNGファイルに書きます (登録後は削除してください)\n"
	"  --uri                    otpauth:// の1行を表示します\n"
	"  --no-confirm             確認コードを求めずに登録します (root と sekimori-admin)\n"
	"  --json                   機械で読む形式\n"
	"  --socket PATH            認証サービスのソケット (試験用)\n"
	"終了コード: 0 = 登録した、1 = 登録していない、3 = 権限がない等で判断できない\n";
static const char help_en[] =
	"Usage: sekimori mfa enrol [--user NAME] [OPTIONS]\n"
	"\n"
	"Shows a QR code for an authenticator app, and registers it once its code was right.\n"
	"  --user NAME              for somebody else (root and sekimori-admin)\n"
	"  --type totp|hotp         codes that change with time (the default), or with each use\n"
	"  --algorithm A            sha256 (the default), sha512, or sha1 where the configuration allows it\n"
	"  --digits 6|8  --period 30|60   digits (6) and seconds for each code (30)\n"
	"  --label TEXT             what to call the token\n"
	"  --qr utf8|ansi|inverse|none    how to draw (by default as the terminal can)\n"
	"  --png FILE               write the QR code into a new PNG file (remove it afterwards)\n"
	"  --uri                    print the otpauth:// line\n"
	"  --no-confirm             register without asking for a code (root and sekimori-admin)\n"
	"  --json                   for machines\n"
	"  --socket PATH            the verification service's socket (for tests)\n"
	"Exit codes: 0 = registered, 1 = not registered, 3 = could not tell (no right to ask, no service)\n";

struct enrolment {
	const struct skm_cli *cli;
	const struct skm_mfa_options *options;
	struct skm_mfa_answer begun; /* text: the URI */
	struct skm_mfa_answer finished;
	struct skm_otpauth otpauth;
	char secret[SECRET_TEXT_BYTES]; /* base32, in groups of four */
	struct skm_qr qr;
	int png_fd; /* -1 = none is wanted */
};

static void enrolment_clear(struct enrolment *enrolment)
{
	skm_fd_close(&enrolment->png_fd);
	explicit_bzero(enrolment, sizeof(*enrolment));
}

/* ---- asking ---- */

static void write_begin(
	struct skm_auth_writer *request, const struct skm_mfa_options *options, const char *code)
{
	skm_auth_write_begin(request, SKM_AUTH_ENROL_BEGIN);
	skm_auth_write_text(request, SKM_AUTH_TAG_USER, options->user);
	if (code)
		skm_auth_write_bytes(request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
	skm_auth_write_text(request, SKM_AUTH_TAG_LABEL, options->label);
	skm_auth_write_number(request, SKM_AUTH_TAG_TYPE, options->parameters.type);
	skm_auth_write_number(request, SKM_AUTH_TAG_ALGORITHM, options->parameters.algorithm);
	skm_auth_write_number(request, SKM_AUTH_TAG_DIGITS, options->parameters.digits);
	if (options->parameters.type == SKM_OTP_TOTP)
		skm_auth_write_number(request, SKM_AUTH_TAG_PERIOD, options->parameters.period_sec);
}

static int begin(struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	int r = skm_mfa_do_proved(cli, enrolment->options, write_begin, &enrolment->begun);
	if (r != 0)
		return r;
	if (skm_otpauth_parse(enrolment->begun.text, &enrolment->otpauth) < 0 ||
		enrolment->begun.ticket_len == 0)
		return skm_mfa_no_answer(cli, -EBADMSG);
	return 0;
}

/* `code` NULL: without one. 0 = there is an answer, whatever it says; else the exit code. */
static int finish(struct enrolment *enrolment, const char *code)
{
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_ENROL_FINISH);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, enrolment->options->user);
	if (code)
		skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
	skm_auth_write_bytes(
		&request, SKM_AUTH_TAG_TICKET, enrolment->begun.ticket, enrolment->begun.ticket_len);
	if (!code)
		skm_auth_write_number(&request, SKM_AUTH_TAG_FLAGS, SKM_AUTH_FLAG_NO_CONFIRM);
	int r = skm_mfa_ask(enrolment->options->socket_path, &request, NULL, NULL, &enrolment->finished);
	return r < 0 ? skm_mfa_no_answer(enrolment->cli, r) : 0;
}

/* ---- showing ---- */

static bool is_terminal_utf8(void)
{
	static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(variables); i++) {
		const char *value = getenv(variables[i]);
		if (value && *value)
			return strcasestr(value, "UTF-8") || strcasestr(value, "utf8");
	}
	return false;
}

static enum skm_qr_style choose_style(const struct enrolment *enrolment)
{
	const struct skm_mfa_options *options = enrolment->options;
	bool is_terminal = isatty(STDOUT_FILENO);
	if (enrolment->cli->json)
		return SKM_QR_NONE;
	if (options->has_qr)
		return options->qr == SKM_QR_UTF8 && is_terminal ? SKM_QR_COLOURED : options->qr;
	if (!is_terminal || options->prints_uri)
		return SKM_QR_NONE;
	return is_terminal_utf8() ? SKM_QR_COLOURED : SKM_QR_ANSI;
}

/* A code whose lines are wrapped cannot be read, one that was scrolled out of sight in part neither. */
static void draw_qr(const struct enrolment *enrolment, enum skm_qr_style style)
{
	const struct skm_cli *cli = enrolment->cli;
	const struct skm_qr *qr = &enrolment->qr;
	struct winsize window = {0};
	bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
	unsigned margin = SKM_QR_MARGIN;
	if (is_known && (skm_qr_columns(qr, style, margin) > window.ws_col ||
				skm_qr_rows(qr, style, margin) + ROWS_BELOW > window.ws_row))
		margin /= 2; /* readers manage with that on a screen */
	unsigned columns = skm_qr_columns(qr, style, margin);
	unsigned rows = skm_qr_rows(qr, style, margin);
	bool is_too_wide = is_known && columns > window.ws_col;
	if (!is_too_wide)
		skm_qr_print(stdout, qr, style, margin);
	if (is_too_wide || (is_known && rows + ROWS_BELOW > window.ws_row))
		(void)fprintf(stderr,
			SKM_SAY("QRコードには%u桁×%u行の画面が必要です (この画面は%u桁×%u行)。"
				"画面を広げるか、--png FILE を使ってください。\n",
				"The QR code takes a window of %u columns and %u rows (this one has %u and %u): "
				"enlarge it, or use --png FILE.\n"),
			columns, rows + ROWS_BELOW, window.ws_col, window.ws_row);
}

static void print_secret(const struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	const struct skm_otp_parameters *parameters = &enrolment->otpauth.parameters;
	(void)fprintf(stderr,
		SKM_SAY("読み取れない場合は、次の鍵を入力してください (%s、%s、%u桁",
			"If it cannot be read, type this key (%s, %s, %u digits"),
		skm_otp_type_to_string(parameters->type), skm_otp_algorithm_to_string(parameters->algorithm),
		parameters->digits);
	if (parameters->type == SKM_OTP_TOTP)
		(void)fprintf(stderr, SKM_SAY("、%u秒", ", %u seconds"), parameters->period_sec);
	(void)fputs(SKM_SAY("):\n", "):\n"), stderr);
	(void)fputs(enrolment->secret, stdout);
	(void)fputs("\n", stdout);
}

/* A line of a machine's reading. */
static void print_json(const struct enrolment *enrolment, bool with_secret, bool is_enrolled)
{
	char buf[2 * SKM_AUTH_PACKET_MAX];
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "user", enrolment->options->user);
	skm_json_bool(&json, "enrolled", is_enrolled);
	if (with_secret) {
		skm_json_string(&json, "uri", enrolment->begun.text);
		skm_json_string(&json, "secret", enrolment->secret);
	}
	if (is_enrolled)
		skm_mfa_json_lines(&json, "recovery_codes", enrolment->finished.text);
	skm_json_object_end(&json);
	(void)fputs(buf, stdout);
	(void)fputs("\n", stdout);
	explicit_bzero(buf, sizeof(buf));
}

static void show(const struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	const struct skm_mfa_options *options = enrolment->options;
	enum skm_qr_style style = choose_style(enrolment);
	bool is_alone = options->prints_uri && options->skips_confirm && style == SKM_QR_NONE;
	if (!is_alone) {
		(void)fputs(
			SKM_SAY("多要素認証に登録する利用者: ", "Registering a second factor for "), stderr);
		skm_text_print(stderr, options->user);
		(void)fputs("\n", stderr);
	}
	if (style != SKM_QR_NONE) {
		(void)fputs(SKM_SAY("認証アプリでこのQRコードを読み取ってください。\n",
				    "Read this QR code with the authenticator app.\n"),
			stderr);
		draw_qr(enrolment, style);
		print_secret(enrolment);
	}
	if (options->prints_uri || (style == SKM_QR_NONE && !options->png)) {
		(void)fputs(enrolment->begun.text, stdout);
		(void)fputs("\n", stdout);
	}
}

/* ---- the picture ---- */

/* Made before anything is asked: a name that is taken must not cost an enrolment. */
static int open_png(struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	const char *path = enrolment->options->png;
	if (!path)
		return 0;
	enrolment->png_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (enrolment->png_fd >= 0)
		return 0;
	return skm_cli_failure(cli, SKM_SAY("ファイルを作れません:", "cannot create"), path, errno);
}

static int write_png(struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	if (enrolment->png_fd < 0)
		return 0;
	const struct skm_png_square square = {
		enrolment->qr.is_dark, enrolment->qr.side, SKM_QR_MARGIN, PNG_SCALE};
	uint8_t *png = NULL;
	size_t len = 0;
	int r = skm_png_encode(&square, &png, &len);
	if (r == 0)
		r = skm_fd_write_all(enrolment->png_fd, png, len);
	if (png)
		explicit_bzero(png, len);
	free(png);
	if (r == 0 && close(skm_fd_take(&enrolment->png_fd)) < 0)
		r = -errno;
	if (r < 0)
		return skm_cli_failure(cli, SKM_SAY("ファイルに書き込めません:", "cannot write"),
			enrolment->options->png, r);
	(void)fprintf(stderr, "%s",
		SKM_SAY("QRコードのファイル (登録後は削除してください): ",
			"The QR code is in this file (remove it afterwards): "));
	skm_text_print(stderr, enrolment->options->png);
	(void)fputs("\n", stderr);
	return 0;
}

/* ---- what is wrong with a code ---- */

static void tell_clock(const struct skm_cli *cli, int64_t offset_sec)
{
	char now[SKM_LOCAL_TIME_BYTES];
	skm_cli_local_time((int64_t)time(NULL), now);
	uint64_t seconds = offset_sec < 0 ? -(uint64_t)offset_sec : (uint64_t)offset_sec;
	(void)fprintf(stderr,
		offset_sec < 0 ? SKM_SAY("コードは合っていますが、アプリの時計がこの端末より約%" PRIu64
					 "秒遅れています。",
					 "The code is right, but the app's clock is about %" PRIu64
					 " s behind this terminal's. ")
			       : SKM_SAY("コードは合っていますが、アプリの時計がこの端末より約%" PRIu64
					 "秒進んでいます。",
					 "The code is right, but the app's clock is about %" PRIu64
					 " s ahead of this terminal's. "),
		seconds);
	(void)fprintf(stderr,
		SKM_SAY("この端末の時刻は %s です。スマートフォンの時刻を「自動設定」にしてください。"
			"端末の時刻が違う場合は情報システム課に連絡してください。\n",
			"This terminal says %s. Let the phone set its time automatically; if the terminal is wrong, "
			"call the IT section.\n"),
		now);
}

static void tell_diagnosis(const struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	const struct skm_otp_parameters *parameters = &enrolment->otpauth.parameters;
	const char *algorithm = skm_otp_algorithm_to_string(parameters->algorithm);
	switch ((enum skm_auth_diagnosis)enrolment->finished.diagnosis) {
	case SKM_AUTH_DIAGNOSIS_CLOCK:
		tell_clock(cli, enrolment->finished.offset_sec);
		return;
	case SKM_AUTH_DIAGNOSIS_SHA1:
		(void)fprintf(stderr,
			SKM_SAY("このアプリは %s の指定を無視し、SHA-1 で計算しています。%s に対応した別のアプリを使うか、"
				"--algorithm sha1 の許可 (設定 mfa.algorithms) を管理者に依頼してください。\n",
				"Your app ignored %s and used SHA-1. Take an app that knows %s, or ask the "
				"administrator to allow --algorithm sha1 (mfa.algorithms in the configuration).\n"),
			algorithm, algorithm);
		return;
	case SKM_AUTH_DIAGNOSIS_SHA256:
		(void)fprintf(stderr,
			SKM_SAY("このアプリは %s の指定を無視し、SHA-256 で計算しています。"
				"--algorithm sha256 を付けて登録し直してください。\n",
				"Your app ignored %s and used SHA-256. Enrol again with --algorithm sha256.\n"),
			algorithm);
		return;
	case SKM_AUTH_DIAGNOSIS_DIGITS:
		(void)fprintf(stderr,
			SKM_SAY("このアプリは桁数の指定 (%u桁) を無視しています。--digits %u を付けて登録し直してください。\n",
				"Your app ignored the number of digits (%u). Enrol again with --digits %u.\n"),
			parameters->digits, parameters->digits == 8 ? 6U : 8U);
		return;
	case SKM_AUTH_DIAGNOSIS_PERIOD:
		(void)fprintf(stderr,
			SKM_SAY("このアプリは間隔の指定 (%u秒) を無視しています。--period %u を付けて登録し直してください。\n",
				"Your app ignored the period (%u s). Enrol again with --period %u.\n"),
			parameters->period_sec, parameters->period_sec == 60 ? 30U : 60U);
		return;
	case SKM_AUTH_DIAGNOSIS_NONE:
	case SKM_AUTH_DIAGNOSIS_COUNT_:
		break;
	}
	(void)fputs(
		SKM_SAY("確認コードが違います。アプリで、今登録した項目の数字を見ているか確認してください。\n",
			"Wrong code. Make sure that you read the entry which was added just now.\n"),
		stderr);
}

static int confirm(struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	char prompt[128];
	(void)snprintf(prompt, sizeof(prompt),
		SKM_SAY("アプリに表示された%u桁の数字: ", "The %u digits that the app shows: "),
		enrolment->otpauth.parameters.digits);
	for (unsigned tries = 0; tries < SKM_MFA_TRIES_MAX; tries++) {
		char code[SKM_MFA_CODE_BYTES] = "";
		int r = skm_mfa_read_line(prompt, code, sizeof(code));
		if (r == -ENODATA)
			break;
		if (r < 0)
			return skm_cli_failure(cli, SKM_SAY("入力を読めません:", "cannot read"), "stdin", r);
		r = finish(enrolment, code);
		explicit_bzero(code, sizeof(code));
		if (r != 0 || enrolment->finished.outcome == SKM_AUTH_OK)
			return r;
		if (!skm_mfa_may_try_again(enrolment->finished.outcome))
			return skm_mfa_refused(cli, enrolment->options->user, &enrolment->finished);
		if (enrolment->finished.outcome == SKM_AUTH_WRONG)
			tell_diagnosis(enrolment);
		else
			(void)skm_mfa_refused(cli, enrolment->options->user, &enrolment->finished);
	}
	(void)fprintf(stderr, "sekimori: %s\n",
		SKM_SAY("確認できなかったため、登録していません。アプリに追加された項目は削除してください。",
			"nothing was registered, since no code was right; remove the entry from the app"));
	return SKM_EXIT_NO;
}

/* ---- the order of it ---- */

static int finish_without_code(struct enrolment *enrolment)
{
	int r = finish(enrolment, NULL);
	if (r != 0)
		return r;
	if (enrolment->finished.outcome != SKM_AUTH_OK)
		return skm_mfa_refused(enrolment->cli, enrolment->options->user, &enrolment->finished);
	return 0;
}

static int prepare(struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	int r = begin(enrolment);
	if (r != 0)
		return r;
	char letters[SECRET_TEXT_BYTES];
	r = skm_base32_encode(
		enrolment->otpauth.secret, enrolment->otpauth.secret_len, letters, sizeof(letters));
	size_t used = 0;
	for (size_t i = 0; r == 0 && letters[i] && used + 3 < sizeof(enrolment->secret); i++) {
		if (i > 0 && i % 4 == 0)
			enrolment->secret[used++] = ' ';
		enrolment->secret[used++] = letters[i];
		enrolment->secret[used] = '\0';
	}
	explicit_bzero(letters, sizeof(letters));
	if (r == 0)
		r = skm_qr_encode(enrolment->begun.text, &enrolment->qr);
	if (r < 0)
		return skm_cli_failure(
			cli, SKM_SAY("QRコードを作れません:", "cannot make the QR code of"), "otpauth", r);
	return write_png(enrolment);
}

static void show_recovery(const struct enrolment *enrolment)
{
	const struct skm_cli *cli = enrolment->cli;
	const struct skm_mfa_options *options = enrolment->options;
	if (options->skips_confirm && options->prints_uri) {
		/* The URI alone was asked for. */
		if (enrolment->finished.text[0])
			(void)fputs(
				SKM_SAY("sekimori: 代用コードは表示しませんでした。"
					"必要なときは sekimori mfa recovery --user で発行してください。\n",
					"sekimori: recovery codes were not shown; issue new ones with sekimori mfa "
					"recovery --user\n"),
				stderr);
		return;
	}
	(void)fputs(SKM_SAY("登録しました。\n", "Registered.\n"), stderr);
	skm_mfa_print_recovery(cli, options->user, enrolment->finished.text);
}

static int enrol(struct enrolment *enrolment)
{
	bool is_json = enrolment->cli->json;
	bool asks = !enrolment->options->skips_confirm;
	int r = prepare(enrolment);
	if (r != 0)
		return r;
	if (!asks) {
		r = finish_without_code(enrolment);
		if (r != 0)
			return r;
	}
	if (is_json)
		print_json(enrolment, true, !asks);
	else
		show(enrolment);
	if (asks) {
		r = confirm(enrolment);
		if (r == 0 && is_json)
			print_json(enrolment, false, true);
	}
	if (r == 0 && !is_json)
		show_recovery(enrolment);
	return r;
}

int skm_verb_mfa_enrol(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"type", required_argument, NULL, SKM_MFA_TYPE},
		{"algorithm", required_argument, NULL, SKM_MFA_ALGORITHM},
		{"digits", required_argument, NULL, SKM_MFA_DIGITS},
		{"period", required_argument, NULL, SKM_MFA_PERIOD},
		{"label", required_argument, NULL, SKM_MFA_LABEL},
		{"qr", required_argument, NULL, SKM_MFA_QR}, {"png", required_argument, NULL, SKM_MFA_PNG},
		{"uri", no_argument, NULL, SKM_MFA_PRINT_URI},
		{"no-confirm", no_argument, NULL, SKM_MFA_NO_CONFIRM}, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	struct skm_mfa_options options;
	int exit_code = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &exit_code))
		return exit_code;
	exit_code = skm_mfa_default_user(cli, &options);
	if (exit_code != 0)
		return exit_code;
	skm_mfa_unbuffer();
	struct enrolment enrolment = {.cli = cli, .options = &options, .png_fd = -1};
	exit_code = open_png(&enrolment);
	if (exit_code == 0) {
		exit_code = enrol(&enrolment);
		/* A picture of a secret that opens nothing would only confuse. */
		if (exit_code != 0 && options.png)
			(void)unlink(options.png);
	}
	enrolment_clear(&enrolment);
	return exit_code;
}
