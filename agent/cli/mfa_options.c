// SPDX-License-Identifier: Apache-2.0
/* The options of all `mfa` verbs in one place: they mean the same everywhere, and are checked before anything
 * is asked, so that a wrong one is told by its name and not as an outcome of authd. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "mfa.h"
#include "sekimori/io.h"
#include "sekimori/parse.h"

#define REASON_BYTES_MAX 512

static int wrong(const struct skm_cli *cli, const char *option, const char *allowed)
{
	char what[128];
	(void)snprintf(
		what, sizeof(what), SKM_SAY("%s の値が正しくありません", "wrong value for %s"), option);
	return skm_cli_usage_error(cli, what, optarg, allowed);
}

static bool is_printable(const char *text, size_t max)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return len > 0 && len <= max && skm_utf8_is_valid(text, len);
}

static int take_text(
	const struct skm_cli *cli, const char *option, size_t max, const char *allowed, const char **ret_text)
{
	if (!is_printable(optarg, max))
		return wrong(cli, option, allowed);
	*ret_text = optarg;
	return 0;
}

static int take_number(const struct skm_cli *cli, const char *option, uint64_t max, const char *allowed,
	uint64_t *ret_number)
{
	if (skm_parse_uint(optarg, option[2] == 'c' ? 0 : 1, max, ret_number) < 0)
		return wrong(cli, option, allowed);
	return 0;
}

static int take_either(
	const struct skm_cli *cli, const char *option, uint8_t first, uint8_t second, uint8_t *ret_number)
{
	uint64_t number = 0;
	char allowed[32];
	(void)snprintf(allowed, sizeof(allowed), "%u, %u", first, second);
	if (skm_parse_uint(optarg, 0, UINT8_MAX, &number) < 0 || (number != first && number != second))
		return wrong(cli, option, allowed);
	*ret_number = (uint8_t)number;
	return 0;
}

static int take_parameter(const struct skm_cli *cli, int option, struct skm_mfa_options *options)
{
	struct skm_otp_parameters *parameters = &options->parameters;
	options->has_parameters = true;
	switch (option) {
	case SKM_MFA_TYPE:
		return skm_otp_type_from_string(optarg, &parameters->type) < 0
			       ? wrong(cli, "--type", "totp, hotp")
			       : 0;
	case SKM_MFA_ALGORITHM:
		return skm_otp_algorithm_from_string(optarg, &parameters->algorithm) < 0
			       ? wrong(cli, "--algorithm", "sha256, sha512, sha1")
			       : 0;
	case SKM_MFA_DIGITS:
		return take_either(cli, "--digits", 6, 8, &parameters->digits);
	default:
		return take_either(cli, "--period", 30, 60, &parameters->period_sec);
	}
}

static int take_user(const struct skm_cli *cli, struct skm_mfa_options *options)
{
	if (optarg[0] == '\0' || strlen(optarg) >= sizeof(options->user))
		return wrong(cli, "--user",
			SKM_SAY("256バイト以内の利用者名", "a login name of at most 256 bytes"));
	(void)snprintf(options->user, sizeof(options->user), "%s", optarg);
	return 0;
}

static int take_group(const struct skm_cli *cli, struct skm_mfa_options *options)
{
	if (options->group_count == SKM_MFA_GROUPS_MAX || strlen(optarg) >= SKM_GROUP_NAME_BYTES ||
		!optarg[0])
		return wrong(cli, "--group",
			SKM_SAY("32バイト以内のグループ名を16個まで",
				"at most 16 names of groups, of at most 32 bytes each"));
	options->groups[options->group_count++] = optarg;
	return 0;
}

static int take_checked(const struct skm_cli *cli, int option, struct skm_mfa_options *options)
{
	switch (option) {
	case SKM_MFA_USER:
		return take_user(cli, options);
	case SKM_MFA_REASON:
		return take_text(cli, "--reason", REASON_BYTES_MAX,
			SKM_SAY("512バイト以内の、改行のない文", "one line of at most 512 bytes"),
			&options->reason);
	case SKM_MFA_LABEL:
		return take_text(cli, "--label", SKM_OTP_LABEL_BYTES - 1,
			SKM_SAY("64バイト以内の、改行のない名前", "a name of at most 64 bytes"),
			&options->label);
	case SKM_MFA_TOKEN:
		return take_number(cli, "--token", 255, "1 - 255", &options->token);
	case SKM_MFA_DAYS:
		return take_number(cli, "--days", 7, "1 - 7", &options->days);
	case SKM_MFA_COUNTER:
		return take_number(cli, "--counter", INT64_MAX, "0 - 9223372036854775807", &options->counter);
	case SKM_MFA_QR:
		options->has_qr = true;
		return skm_qr_style_from_string(optarg, &options->qr) < 0
			       ? wrong(cli, "--qr", "utf8, ansi, inverse, none")
			       : 0;
	case SKM_MFA_GROUP:
		return take_group(cli, options);
	default:
		return take_parameter(cli, option, options);
	}
}

/* Options that need no judgement. */
static bool take_plain(int option, struct skm_mfa_options *options)
{
	const struct {
		int option;
		const char **text;
		bool *flag;
	} plain[] = {{SKM_MFA_SOCKET, &options->socket_path, NULL}, {SKM_MFA_PNG, &options->png, NULL},
		{SKM_MFA_URI, &options->uri_text, NULL}, {SKM_MFA_SECRET, &options->base32, NULL},
		{SKM_MFA_GRACE, &options->grace, NULL}, {SKM_MFA_CONFIG, &options->config_path, NULL},
		{SKM_MFA_ROOT, &options->root, NULL},
		{SKM_MFA_PAM_AUTH_UPDATE, &options->pam_auth_update, NULL},
		{SKM_MFA_PRINT_URI, NULL, &options->prints_uri},
		{SKM_MFA_NO_CONFIRM, NULL, &options->skips_confirm}, {SKM_MFA_YES, NULL, &options->says_yes},
		{SKM_MFA_UNRECORDED, NULL, &options->goes_unrecorded},
		{SKM_MFA_ALL, NULL, &options->requires_all},
		{SKM_MFA_ENROLLED, NULL, &options->requires_enrolled}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(plain); i++) {
		if (plain[i].option != option)
			continue;
		if (plain[i].text)
			*plain[i].text = optarg;
		else
			*plain[i].flag = true;
		return true;
	}
	return false;
}

bool skm_mfa_take_options(struct skm_cli *cli, int argc, char **argv, const struct option *table,
	struct skm_mfa_options *ret_options, int *ret_exit)
{
	struct skm_mfa_options options = {.socket_path = SKM_AUTH_PATH,
		.reason = "",
		.label = "",
		.parameters = {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
		.config_path = SKM_CONFIG_PATH,
		.root = "",
		.pam_auth_update = SKM_PAM_SWITCH_PATH};
	int r = 0;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, table, ret_exit)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return false;
		if (!take_plain(option, &options))
			r = take_checked(cli, option, &options);
		if (r != 0) {
			*ret_exit = r;
			return false;
		}
	}
	r = skm_cli_no_operands(cli, argc, argv);
	if (r != 0) {
		*ret_exit = r;
		return false;
	}
	*ret_options = options;
	return true;
}

int skm_mfa_default_user(const struct skm_cli *cli, struct skm_mfa_options *options)
{
	if (options->user[0])
		return 0;
	errno = 0;
	const struct passwd *self = getpwuid(getuid());
	if (!self || strlen(self->pw_name) >= sizeof(options->user))
		return skm_cli_failure(cli,
			SKM_SAY("自分の利用者名が分かりません。--user で指定してください:",
				"cannot find my own login name; give one with"),
			"--user", errno ? errno : ENOENT);
	(void)snprintf(options->user, sizeof(options->user), "%s", self->pw_name);
	return 0;
}

int skm_mfa_need(const struct skm_cli *cli, bool is_given, const char *option)
{
	if (is_given)
		return 0;
	return skm_cli_usage_error(
		cli, SKM_SAY("必要なオプションがありません", "an option is missing"), option, NULL);
}
