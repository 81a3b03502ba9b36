// SPDX-License-Identifier: Apache-2.0
/* The verbs that are one question to authd: unlock, recovery, resync, substitute, import, and the removal of
 * one person's factor. Each says what was done, to whom; authd has put it on record before it answers. */
#include <stdio.h>
#include <string.h>

#include "mfa.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

#define EXITS_JA "終了コード: 0 = できた、1 = できなかった、3 = 権限がない等で判断できない\n"
#define EXITS_EN "Exit codes: 0 = done, 1 = not done, 3 = could not tell (no right to ask, no service)\n"
#define SOCKET_JA "  --socket PATH            認証サービスのソケット (試験用)\n"
#define SOCKET_EN "  --socket PATH            the verification service's socket (for tests)\n"

static void begin_json(struct skm_json *json, char *buf, size_t size, const char *user)
{
	skm_json_init(json, buf, size);
	skm_json_object_begin(json, NULL);
	skm_json_string(json, "user", user);
	skm_json_string(json, "outcome", skm_auth_outcome_to_string(SKM_AUTH_OK));
}

static void end_json(struct skm_json *json)
{
	skm_json_object_end(json);
	(void)fputs(json->buf, stdout);
	(void)fputs("\n", stdout);
	explicit_bzero(json->buf, json->size);
}

/* "user: what was done." */
static int done(const struct skm_cli *cli, const char *user, const char *what)
{
	if (cli->json) {
		char buf[1024];
		struct skm_json json;
		begin_json(&json, buf, sizeof(buf), user);
		end_json(&json);
		return SKM_EXIT_YES;
	}
	skm_text_print(stdout, user);
	(void)printf(": %s\n", what);
	return SKM_EXIT_YES;
}

static void write_request(struct skm_auth_writer *request, enum skm_auth_operation operation,
	const struct skm_mfa_options *options)
{
	skm_auth_write_begin(request, (uint8_t)operation);
	skm_auth_write_text(request, SKM_AUTH_TAG_USER, options->user);
	skm_auth_write_text(request, SKM_AUTH_TAG_REASON, options->reason);
}

/* ---- unlock ---- */

int skm_verb_mfa_unlock(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"reason", required_argument, NULL, SKM_MFA_REASON}, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help =
		"使い方: sekimori mfa unlock --user NAME --reason 理由\n\n"
		"入力の誤りによる停止を解除します (root、sekimori-admin、sekimori-helpdesk)。\n" SOCKET_JA
			EXITS_JA;
	cli->english_help =
		"Usage: sekimori mfa unlock --user NAME --reason TEXT\n\n"
		"Ends the wait after wrong codes (root, sekimori-admin, sekimori-helpdesk).\n" SOCKET_EN
			EXITS_EN;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_need(cli, options.user[0], "--user NAME");
	if (r == 0)
		r = skm_mfa_need(cli, options.reason[0], "--reason TEXT");
	if (r != 0)
		return r;
	struct skm_auth_writer request;
	write_request(&request, SKM_AUTH_UNLOCK, &options);
	r = skm_mfa_do(cli, &options, &request, &answer);
	return r != 0 ? r : done(cli, options.user, SKM_SAY("停止を解除しました。", "unlocked"));
}

/* ---- recovery ---- */

static void write_recovery(
	struct skm_auth_writer *request, const struct skm_mfa_options *options, const char *code)
{
	skm_auth_write_begin(request, SKM_AUTH_RECOVERY);
	skm_auth_write_text(request, SKM_AUTH_TAG_USER, options->user);
	if (code)
		skm_auth_write_bytes(request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
}

int skm_verb_mfa_recovery(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {
		SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help =
		"使い方: sekimori mfa recovery [--user NAME] [--json]\n\n"
		"代用コードを新しく発行します。以前の代用コードは使えなくなります。登録はそのままです。\n" SOCKET_JA
			EXITS_JA;
	cli->english_help =
		"Usage: sekimori mfa recovery [--user NAME] [--json]\n\n"
		"Issues new recovery codes; the old ones end. The tokens stay as they are.\n" SOCKET_EN
			EXITS_EN;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_default_user(cli, &options);
	if (r != 0)
		return r;
	skm_mfa_unbuffer();
	r = skm_mfa_do_proved(cli, &options, write_recovery, &answer);
	if (r == 0 && cli->json) {
		char buf[SKM_AUTH_PACKET_MAX * 2];
		struct skm_json json;
		begin_json(&json, buf, sizeof(buf), options.user);
		skm_mfa_json_lines(&json, "recovery_codes", answer.text);
		end_json(&json);
	} else if (r == 0) {
		(void)fputs(SKM_SAY("以前の代用コードは使えなくなりました。\n",
				    "The old recovery codes have ended.\n"),
			stderr);
		skm_mfa_print_recovery(cli, options.user, answer.text);
	}
	skm_mfa_answer_clear(&answer);
	return r;
}

/* ---- resync ---- */

int skm_verb_mfa_resync(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {
		SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help =
		"使い方: sekimori mfa resync [--user NAME]\n\n"
		"時計や回数がずれたトークンを、続けて表示された2つのコードで合わせます。\n" SOCKET_JA
			EXITS_JA;
	cli->english_help =
		"Usage: sekimori mfa resync [--user NAME]\n\n"
		"Brings a token back into step, by two codes that followed each other.\n" SOCKET_EN EXITS_EN;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_default_user(cli, &options);
	if (r != 0)
		return r;
	char first[256] = "";
	char second[256] = "";
	r = skm_mfa_read_line(
		SKM_SAY("今表示されているコード: ", "The code that is shown now: "), first, sizeof(first));
	if (r == 0)
		r = skm_mfa_read_line(SKM_SAY("その次に表示されたコード: ", "The one that follows it: "),
			second, sizeof(second));
	if (r < 0)
		return skm_cli_usage_error(cli,
			SKM_SAY("コードは2行で入力してください", "two codes are needed, a line each"), NULL,
			NULL);
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_RESYNC);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, options.user);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, first, strlen(first));
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER2, second, strlen(second));
	explicit_bzero(first, sizeof(first));
	explicit_bzero(second, sizeof(second));
	r = skm_mfa_do(cli, &options, &request, &answer);
	return r != 0 ? r : done(cli, options.user, SKM_SAY("トークンを合わせました。", "back in step"));
}

/* ---- substitute ---- */

static void print_substitute(
	const struct skm_cli *cli, const struct skm_mfa_options *options, const struct skm_mfa_answer *answer)
{
	char day[SKM_LOCAL_TIME_BYTES];
	skm_cli_local_time((int64_t)answer->until_sec - 1, day);
	day[strcspn(day, " ")] = '\0';
	if (cli->json) {
		char buf[2048];
		struct skm_json json;
		begin_json(&json, buf, sizeof(buf), options->user);
		skm_json_string(&json, "code", answer->text);
		skm_json_string(&json, "last_day", day);
		end_json(&json);
		return;
	}
	(void)fprintf(stderr, "%s", SKM_SAY("代用コードの利用者: ", "Substitute code for "));
	skm_text_print(stderr, options->user);
	(void)fprintf(stderr,
		SKM_SAY("\n%s まで、1回だけ使えます。本人であることを確かめてから伝えてください。表示は今回限りです。\n",
			"\nIt holds until the end of %s, for one login. Make sure who is asking before you tell it; "
			"it is shown this once.\n"),
		day);
	(void)fputs(answer->text, stdout);
	(void)fputs("\n", stdout);
}

int skm_verb_mfa_substitute(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"reason", required_argument, NULL, SKM_MFA_REASON},
		{"days", required_argument, NULL, SKM_MFA_DAYS}, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help =
		"使い方: sekimori mfa substitute --user NAME --reason 理由 [--days 1-7]\n\n"
		"スマートフォン等を忘れた人のために、期限付きの代用コードを1つ発行します。\n"
		"自分のためには発行できません。--days 1 (省略時) は今日の終わりまでです。\n" SOCKET_JA
			EXITS_JA;
	cli->english_help =
		"Usage: sekimori mfa substitute --user NAME --reason TEXT [--days 1-7]\n\n"
		"Issues one dated code for somebody whose phone or token is not at hand; never for oneself.\n"
		"--days 1, the default, ends with today.\n" SOCKET_EN EXITS_EN;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_need(cli, options.user[0], "--user NAME");
	if (r == 0)
		r = skm_mfa_need(cli, options.reason[0], "--reason TEXT");
	if (r != 0)
		return r;
	skm_mfa_unbuffer();
	struct skm_auth_writer request;
	write_request(&request, SKM_AUTH_SUBSTITUTE, &options);
	skm_auth_write_number(&request, SKM_AUTH_TAG_DAYS, options.days ? options.days : 1);
	r = skm_mfa_do(cli, &options, &request, &answer);
	if (r == 0)
		print_substitute(cli, &options, &answer);
	skm_mfa_answer_clear(&answer);
	return r;
}

/* ---- disable ---- */

static void write_removal(
	struct skm_auth_writer *request, const struct skm_mfa_options *options, const char *code)
{
	skm_auth_write_begin(request, SKM_AUTH_DISABLE);
	skm_auth_write_text(request, SKM_AUTH_TAG_USER, options->user);
	if (code)
		skm_auth_write_bytes(request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
	skm_auth_write_text(request, SKM_AUTH_TAG_REASON, options->reason);
	if (options->token)
		skm_auth_write_number(request, SKM_AUTH_TAG_TOKEN, options->token);
}

static int remove_factor(const struct skm_cli *cli, struct skm_mfa_options *options)
{
	struct skm_mfa_answer answer;
	int r = skm_mfa_default_user(cli, options);
	if (r == 0)
		r = skm_mfa_need(cli, options->reason[0], "--reason TEXT");
	if (r != 0)
		return r;
	r = skm_mfa_do_proved(cli, options, write_removal, &answer);
	if (r != 0)
		return r;
	return done(cli, options->user,
		options->token
			? SKM_SAY("トークンを削除しました。", "the token was removed")
			: SKM_SAY("登録をすべて削除しました。必須の人は、登録し直すまでログインできません。",
				  "everything registered was removed; if a factor is required of this person, no "
				  "login until one is registered again"));
}

/* One word for two acts, told apart by whom it concerns: a person, or the machine's login. */
int skm_verb_mfa_disable(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"token", required_argument, NULL, SKM_MFA_TOKEN},
		{"reason", required_argument, NULL, SKM_MFA_REASON}, {"yes", no_argument, NULL, SKM_MFA_YES},
		{"unrecorded", no_argument, NULL, SKM_MFA_UNRECORDED}, SKM_MFA_SOCKET_OPTION,
		{"root", required_argument, NULL, SKM_MFA_ROOT},
		{"pam-auth-update", required_argument, NULL, SKM_MFA_PAM_AUTH_UPDATE}, {0}};
	cli->japanese_help =
		"使い方: sekimori mfa disable --user NAME [--token ID] --reason 理由\n"
		"        sekimori mfa disable [--yes] [--reason 理由]\n\n"
		"--user を付けると、その人の登録 (--token ID ならそのトークンだけ) を削除します。\n"
		"付けないと、この端末のログイン画面を sekimori mfa enable の前の状態に戻します (root のみ)。\n"
		"登録はすべて残ります。切り替える前に監査記録に残します。\n"
		"  --unrecorded             認証サービスが動かない非常時に、監査記録なしで切り替えます\n"
		"  --root DIR  --pam-auth-update PROGRAM   別の場所 (試験用)\n" SOCKET_JA EXITS_JA;
	cli->english_help =
		"Usage: sekimori mfa disable --user NAME [--token ID] --reason TEXT\n"
		"       sekimori mfa disable [--yes] [--reason TEXT]\n\n"
		"With --user: removes that person's factor, or one token of it.\n"
		"Without: this terminal's login becomes what it was before sekimori mfa enable (root only); all that\n"
		"is registered stays. It is put on record before it is done.\n"
		"  --unrecorded             in an emergency, without the verification service, go on all the same\n"
		"  --root DIR  --pam-auth-update PROGRAM   other places (for tests)\n" SOCKET_EN EXITS_EN;
	struct skm_mfa_options options;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	if (options.user[0] || options.token)
		return remove_factor(cli, &options);
	return skm_mfa_machine_disable(cli, &options);
}
