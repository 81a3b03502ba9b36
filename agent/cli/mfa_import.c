// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa import`: a token whose secret came with it, on the maker's list or in an otpauth URI. A
 * secret in the arguments is seen by everybody who lists processes, so "-" reads it from stdin. */
#include <stdio.h>
#include <string.h>

#include "mfa.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

#define INPUT_BYTES 2048

static const char help_ja[] =
	"使い方: sekimori mfa import --user NAME --uri URI|- [--label TEXT]\n"
	"        sekimori mfa import --user NAME --secret BASE32|- [--type totp|hotp] [--algorithm A]\n"
	"                            [--digits 6|8] [--period 30|60] [--counter N] [--label TEXT]\n"
	"\n"
	"鍵が決まっているトークンを登録します (root と sekimori-admin)。「-」は標準入力から1行読みます。\n"
	"鍵をコマンドラインに書くと、ほかの利用者にも見えます。\n"
	"  --socket PATH            認証サービスのソケット (試験用)\n"
	"終了コード: 0 = 登録した、1 = 登録していない、3 = 権限がない等で判断できない\n";
static const char help_en[] =
	"Usage: sekimori mfa import --user NAME --uri URI|- [--label TEXT]\n"
	"       sekimori mfa import --user NAME --secret BASE32|- [--type totp|hotp] [--algorithm A]\n"
	"                           [--digits 6|8] [--period 30|60] [--counter N] [--label TEXT]\n"
	"\n"
	"Registers a token whose secret is given (root and sekimori-admin). \"-\" reads one line from stdin:\n"
	"others can see what stands on a command line.\n"
	"  --socket PATH            the verification service's socket (for tests)\n"
	"Exit codes: 0 = registered, 1 = not registered, 3 = could not tell (no right to ask, no service)\n";

static int read_input(const struct skm_cli *cli, const char *given, char *ret_text, size_t size)
{
	int r = 0;
	if (!given)
		return SKM_EXIT_USAGE; /* never: one of the two was asked for */
	if (strcmp(given, "-") == 0)
		r = skm_mfa_read_line(SKM_SAY("鍵またはURI: ", "Secret or URI: "), ret_text, size);
	else if (strlen(given) < size)
		(void)snprintf(ret_text, size, "%s", given);
	else
		r = -EMSGSIZE;
	if (r < 0)
		return skm_cli_usage_error(cli,
			r == -EMSGSIZE ? SKM_SAY("長すぎます", "too long")
				       : SKM_SAY("標準入力に1行ありません", "there is no line on stdin"),
			NULL, SKM_SAY("2,047バイト以内の1行", "one line of at most 2,047 bytes"));
	return 0;
}

/* What is wrong is told without the text: it is a secret. */
static int wrong_uri(const struct skm_cli *cli, int error)
{
	switch (error) {
	case -ENOTSUP:
		return skm_cli_usage_error(cli,
			SKM_SAY("このトークンの方式には対応していません",
				"a token of this kind cannot be used"),
			NULL,
			SKM_SAY("totp か hotp、SHA256・SHA512・SHA1、6桁か8桁、30秒か60秒",
				"totp or hotp; SHA256, SHA512 or SHA1; 6 or 8 digits; 30 or 60 seconds"));
	case -ERANGE:
		return skm_cli_usage_error(cli, SKM_SAY("鍵の長さが範囲外です", "the secret's length"), NULL,
			SKM_SAY("16〜64バイト", "16 to 64 bytes"));
	default:
		return skm_cli_usage_error(cli, SKM_SAY("otpauth URI ではありません", "no otpauth URI"), NULL,
			"otpauth://totp/ISSUER:ACCOUNT?secret=BASE32&…");
	}
}

static int take_uri(const struct skm_cli *cli, const struct skm_mfa_options *options, const char *text,
	struct skm_otpauth *ret_otpauth)
{
	if (options->has_parameters || options->counter)
		return skm_cli_usage_error(cli,
			SKM_SAY("URIの中にある値はオプションで変えられません",
				"the URI itself says the token's parameters"),
			"--uri", "--user --label");
	int r = skm_otpauth_parse(text, ret_otpauth);
	return r < 0 ? wrong_uri(cli, r) : 0;
}

static int take_secret(const struct skm_cli *cli, const struct skm_mfa_options *options, const char *text,
	struct skm_otpauth *ret_otpauth)
{
	struct skm_otpauth otpauth = {.parameters = options->parameters, .counter = options->counter};
	int r = skm_base32_decode(text, otpauth.secret, sizeof(otpauth.secret), &otpauth.secret_len);
	if (r == 0 && otpauth.secret_len >= SKM_OTP_SECRET_BYTES_MIN)
		*ret_otpauth = otpauth;
	else
		r = r == -EBADMSG
			    ? skm_cli_usage_error(cli,
				      SKM_SAY("鍵がbase32ではありません", "the secret is not base32"), NULL,
				      SKM_SAY("A〜Z と 2〜7 (空白とハイフンは無視)",
					      "A to Z and 2 to 7; blanks and hyphens are passed over"))
			    : wrong_uri(cli, -ERANGE);
	explicit_bzero(&otpauth, sizeof(otpauth));
	return r;
}

static void write_import(
	struct skm_auth_writer *request, const struct skm_mfa_options *options, const char *code)
{
	const struct skm_otpauth *otpauth = options->imported;
	const struct skm_otp_parameters *parameters = &otpauth->parameters;
	skm_auth_write_begin(request, SKM_AUTH_IMPORT);
	skm_auth_write_text(request, SKM_AUTH_TAG_USER, options->user);
	if (code)
		skm_auth_write_bytes(request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
	skm_auth_write_text(request, SKM_AUTH_TAG_LABEL, options->label);
	skm_auth_write_bytes(request, SKM_AUTH_TAG_SECRET, otpauth->secret, otpauth->secret_len);
	skm_auth_write_number(request, SKM_AUTH_TAG_TYPE, parameters->type);
	skm_auth_write_number(request, SKM_AUTH_TAG_ALGORITHM, parameters->algorithm);
	skm_auth_write_number(request, SKM_AUTH_TAG_DIGITS, parameters->digits);
	if (parameters->type == SKM_OTP_TOTP)
		skm_auth_write_number(request, SKM_AUTH_TAG_PERIOD, parameters->period_sec);
	else
		skm_auth_write_number(request, SKM_AUTH_TAG_COUNTER, otpauth->counter);
}

static int import(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	struct skm_mfa_answer answer;
	int r = skm_mfa_do_proved(cli, options, write_import, &answer);
	if (r == 0 && cli->json) {
		char buf[2 * SKM_AUTH_PACKET_MAX];
		struct skm_json json;
		skm_json_init(&json, buf, sizeof(buf));
		skm_json_object_begin(&json, NULL);
		skm_json_string(&json, "user", options->user);
		skm_json_bool(&json, "enrolled", true);
		skm_mfa_json_lines(&json, "recovery_codes", answer.text);
		skm_json_object_end(&json);
		(void)fputs(buf, stdout);
		(void)fputs("\n", stdout);
		explicit_bzero(buf, sizeof(buf));
	} else if (r == 0) {
		skm_text_print(stderr, options->user);
		(void)fputs(SKM_SAY(": 登録しました。\n", ": registered\n"), stderr);
		skm_mfa_print_recovery(cli, options->user, answer.text);
	}
	skm_mfa_answer_clear(&answer);
	return r;
}

int skm_verb_mfa_import(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"uri", required_argument, NULL, SKM_MFA_URI},
		{"secret", required_argument, NULL, SKM_MFA_SECRET},
		{"type", required_argument, NULL, SKM_MFA_TYPE},
		{"algorithm", required_argument, NULL, SKM_MFA_ALGORITHM},
		{"digits", required_argument, NULL, SKM_MFA_DIGITS},
		{"period", required_argument, NULL, SKM_MFA_PERIOD},
		{"counter", required_argument, NULL, SKM_MFA_COUNTER},
		{"label", required_argument, NULL, SKM_MFA_LABEL}, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	struct skm_mfa_options options;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_need(cli, options.user[0], "--user NAME");
	if (r == 0)
		r = skm_mfa_need(cli, (options.uri_text != NULL) != (options.base32 != NULL),
			SKM_SAY("--uri か --secret のどちらか一方", "one of --uri and --secret"));
	if (r != 0)
		return r;
	skm_mfa_unbuffer();
	char text[INPUT_BYTES] = "";
	struct skm_otpauth otpauth = {0};
	r = read_input(cli, options.uri_text ? options.uri_text : options.base32, text, sizeof(text));
	if (r == 0)
		r = options.uri_text ? take_uri(cli, &options, text, &otpauth)
				     : take_secret(cli, &options, text, &otpauth);
	options.imported = &otpauth;
	if (r == 0)
		r = import(cli, &options);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(&otpauth, sizeof(otpauth));
	return r;
}
