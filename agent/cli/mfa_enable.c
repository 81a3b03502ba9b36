// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa enable`, and `mfa disable` without a person: the login of this machine. What is switched on
 * by mistake locks everybody out, those who could switch it off included. So before it: the verification
 * service answers, an administrator has just logged in with a code of their own, as far as that can be done
 * without the stack, and everybody who would be refused is named. So are the logins that will not ask for a
 * code although it is on: that is for the administrator to mend, or to know, and no reason not to switch.
 *
 * The switch is on record, in authd's stream and then in the system's log (authpriv), before it is made. Only
 * the way back may go without (--unrecorded): when authd is what is broken, nobody can log in, and whoever
 * got in by a rescue disk must be able to end that. */
#include <stdio.h>
#include <string.h>

#include "mfa.h"
#include "mfa_people.h"
#include "mfa_person.h"
#include "mfa_stack.h"
#include "mfa_ways.h"
#include "sekimori/text.h"

#define ADMIN_GROUP "sekimori-admin"
#define SERVICE "sekimori-mfa-enable" /* what authd's record calls this round trip */
#define NAMED_MAX 20

static const char help_ja[] =
	"使い方: sekimori mfa enable [--user NAME] [--yes]\n"
	"\n"
	"この端末のログインで確認コードを求めるようにします (root のみ)。その前に:\n"
	"  - 管理者 (自分、または --user NAME。root か sekimori-admin) が確認コードを1回入力します\n"
	"  - 必須なのに未登録で、ログインできなくなる人がいれば名前を示して中止します\n"
	"    (猶予期限 mfa require --grace-until があれば、期限までは通れます)\n"
	"  - 有効にしても確認コードを求めない入口 (指紋、カード、自動ログイン等) があれば示します\n"
	"  --yes                      ログインできなくなる人がいても切り替えます\n"
	"  --socket PATH  --root DIR  --pam-auth-update PROGRAM   別の場所 (試験用)\n"
	"元に戻すには sekimori mfa disable。以前の状態の写しは " SKM_MFA_STACK_KEPT " にあります。\n"
	"終了コード: 0 = 切り替えた、1 = 中止した、3 = 権限がない等でできない\n";
static const char help_en[] =
	"Usage: sekimori mfa enable [--user NAME] [--yes]\n"
	"\n"
	"Makes this terminal's login ask for codes (root only). Before that\n"
	"  - an administrator (you, or --user NAME: root or in sekimori-admin) enters a code\n"
	"  - whoever could not log in any more is named, and then nothing is switched\n"
	"    (a grace, mfa require --grace-until, lets them pass until its last day)\n"
	"  - logins that will ask for no code all the same (fingerprint, card, automatic) are named\n"
	"  --yes                      switch although some could not log in\n"
	"  --socket PATH  --root DIR  --pam-auth-update PROGRAM   other places (for tests)\n"
	"Back: sekimori mfa disable. A copy of what was there is in " SKM_MFA_STACK_KEPT ".\n"
	"Exit codes: 0 = switched, 1 = not switched, 3 = could not\n";

static int need_root(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	if (geteuid() == 0 || options->root[0])
		return 0;
	(void)fprintf(
		stderr, "sekimori: %s\n", SKM_SAY("root だけが実行できます。", "only root may do this"));
	return SKM_EXIT_UNKNOWN;
}

static int stack_failure(const struct skm_cli *cli, const char *path, int error)
{
	return skm_cli_failure(
		cli, SKM_SAY("PAMの設定を扱えません:", "cannot handle the PAM stack:"), path, error);
}

/* ---- on record ---- */

/* 0, or the exit code. `flags` is SKM_AUTH_FLAG_LOGIN_ON or 0, and SKM_AUTH_FLAG_FAILED; `admin` is whose
 * code opened the way, "" for the way back. */
static int announce(
	const struct skm_cli *cli, const struct skm_mfa_options *options, const char *admin, uint64_t flags)
{
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_SWITCH);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, admin);
	skm_auth_write_text(&request, SKM_AUTH_TAG_REASON, options->reason);
	skm_auth_write_text(&request, SKM_AUTH_TAG_TEXT, SKM_MFA_STACK_PROFILES);
	skm_auth_write_number(&request, SKM_AUTH_TAG_FLAGS, flags);
	return skm_mfa_announce(cli, options, &request);
}

static int announce_off(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	int r = announce(cli, options, "", 0);
	if (r != 0)
		(void)fprintf(stderr, "sekimori: %s\n",
			SKM_SAY("非常時は --unrecorded を付けると、システムログにだけ記録して切り替えます。",
				"in an emergency --unrecorded switches all the same, and only the system's log knows"));
	return r;
}

/* ---- the round trip ---- */

static int check_admin(const struct skm_cli *cli, struct skm_mfa_options *options)
{
	int r = options->user[0] ? 0 : skm_mfa_people_login_name(options->user, sizeof(options->user));
	if (r == 0)
		r = strcmp(options->user, "root") == 0
			    ? 1
			    : skm_mfa_people_is_member(options->root, options->user, ADMIN_GROUP);
	if (r < 0)
		return skm_cli_failure(
			cli, SKM_SAY("利用者を調べられません:", "cannot look up the user"), options->user, r);
	if (r == 1)
		return 0;
	(void)fputs("sekimori: ", stderr);
	skm_text_print(stderr, options->user);
	(void)fprintf(stderr, ": %s\n",
		SKM_SAY("root でも sekimori-admin の一員でもありません。登録済みの管理者を --user NAME で指定してください。",
			"is neither root nor in sekimori-admin; name an administrator who is registered with --user NAME"));
	return SKM_EXIT_NO;
}

static int ask_to_verify(const struct skm_cli *cli, const struct skm_mfa_options *options, const char *code,
	struct skm_mfa_answer *ret_answer)
{
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_VERIFY);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, options->user);
	skm_auth_write_text(&request, SKM_AUTH_TAG_SERVICE, SERVICE);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
	int r = skm_mfa_ask(options->socket_path, &request, NULL, NULL, ret_answer);
	return r < 0 ? skm_mfa_no_answer(cli, r) : 0;
}

/* A recovery code would prove that paper works, not the token. */
static int judge_round_trip(
	const struct skm_cli *cli, const struct skm_mfa_options *options, const struct skm_mfa_answer *answer)
{
	const char *text = NULL;
	if (answer->outcome == SKM_AUTH_OK && answer->factor == SKM_AUTH_FACTOR_TOKEN)
		return 0;
	if (answer->outcome == SKM_AUTH_OK)
		text = SKM_SAY("代用コードではなく、認証アプリかトークンの確認コードが必要です。",
			"a code of the app or token is needed, not a recovery code");
	else if (answer->outcome == SKM_AUTH_NOT_REQUIRED)
		text = SKM_SAY("この管理者は未登録です。先に sekimori mfa enrol で登録してください。",
			"this administrator has nothing registered: sekimori mfa enrol first");
	if (!text)
		return skm_mfa_refused(cli, options->user, answer);
	(void)fprintf(stderr, "sekimori: %s\n", text);
	return SKM_EXIT_NO;
}

static int round_trip(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	char prompt[512];
	(void)snprintf(prompt, sizeof(prompt), SKM_SAY("%s の確認コード: ", "Verification code of %s: "),
		options->user);
	int r = SKM_EXIT_NO;
	for (unsigned tries = 0; tries < SKM_MFA_TRIES_MAX; tries++) {
		char code[SKM_MFA_CODE_BYTES] = "";
		struct skm_mfa_answer answer;
		if (skm_mfa_read_line(prompt, code, sizeof(code)) < 0) {
			(void)fprintf(stderr, "sekimori: %s\n",
				SKM_SAY("管理者の確認コードが必要です。",
					"an administrator's code is needed"));
			return SKM_EXIT_NO;
		}
		r = ask_to_verify(cli, options, code, &answer);
		explicit_bzero(code, sizeof(code));
		if (r != 0)
			return r;
		r = judge_round_trip(cli, options, &answer);
		if (r == 0 || !skm_mfa_may_try_again(answer.outcome))
			return r;
	}
	return r;
}

/* ---- who would stand before a closed door ---- */

struct lock_out {
	const struct skm_cli *cli;
	const struct skm_mfa_options *options;
	unsigned count, waiting_count;
	int64_t grace_until_sec;
};

/* 1 = would be refused, 0 = not, -errno. */
static int is_locked_out(struct lock_out *lock_out, const char *name)
{
	struct skm_mfa_answer answer;
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_STATUS);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, name);
	int r = skm_mfa_ask(lock_out->options->socket_path, &request, NULL, NULL, &answer);
	if (r < 0)
		return r;
	if (answer.outcome != SKM_AUTH_OK)
		return answer.outcome == SKM_AUTH_DENIED ? -EACCES : 1;
	struct skm_mfa_person person;
	r = skm_mfa_person_parse(answer.text, &person);
	if (r < 0)
		return r;
	bool is_usable = person.is_enrolled && strcmp(person.state, "ok") == 0;
	bool is_refused = person.is_enrolled ? !is_usable : person.is_required;
	if (!person.is_enrolled && !person.is_required && *person.grace_until)
		lock_out->waiting_count++;
	skm_mfa_person_finish(&person);
	return is_refused;
}

static int on_person(void *user, const char *name)
{
	struct lock_out *lock_out = user;
	const struct skm_cli *cli = lock_out->cli;
	int r = is_locked_out(lock_out, name);
	if (r <= 0)
		return r;
	if (lock_out->count == 0)
		(void)fputs(
			SKM_SAY("切り替えると、次の人はログインできなくなります (未登録、または記録が読めない):\n",
				"These people could not log in any more (nothing registered, or not readable):\n"),
			stderr);
	if (lock_out->count++ < NAMED_MAX) {
		(void)fputs("  ", stderr);
		skm_text_print(stderr, name);
		(void)fputs("\n", stderr);
	}
	return 0;
}

static int check_people(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	struct lock_out lock_out = {.cli = cli, .options = options};
	int r = skm_mfa_people_each(options->root, on_person, &lock_out);
	if (r < 0)
		return skm_cli_failure(cli,
			SKM_SAY("ログインできなくなる人を調べられません:",
				"cannot find out who would be locked out:"),
			"passwd", r);
	if (lock_out.count > NAMED_MAX)
		(void)fprintf(stderr, SKM_SAY("  ほか%u人\n", "  and %u more\n"), lock_out.count - NAMED_MAX);
	if (lock_out.waiting_count)
		(void)fprintf(stderr,
			SKM_SAY("未登録の%u人は、猶予期限までは案内だけで通れます。\n",
				"%u who have nothing registered pass with a reminder until the grace ends.\n"),
			lock_out.waiting_count);
	if (lock_out.count == 0 || options->says_yes)
		return 0;
	(void)fprintf(stderr, "sekimori: %s\n",
		SKM_SAY("切り替えを中止しました。登録してもらうか、猶予期限 (sekimori mfa require … --grace-until) "
			"を設けるか、--yes を付けてください。",
			"not switched; let them enrol, set a grace (sekimori mfa require … --grace-until), or add "
			"--yes"));
	return SKM_EXIT_NO;
}

/* ---- what the switch does not reach ---- */

static int warn_of_ways(
	const struct skm_cli *cli, const struct skm_mfa_options *options, struct skm_mfa_ways **ret_ways)
{
	int r = skm_mfa_ways_find(options->root, true, ret_ways);
	if (r < 0)
		return stack_failure(cli, SKM_MFA_STACK_FOLDER, r);
	if (skm_mfa_ways_count(*ret_ways) > 0) {
		(void)fprintf(stderr, "%s\n",
			SKM_SAY("注意: 有効にしても、確認コードなしの入口が残ります:",
				"Warning: ways around the code remain once it is on:"));
		skm_mfa_ways_print(stderr, cli->language, *ret_ways);
	}
	return 0;
}

/* The switch is made: what cannot be said any more must not look like a failure of it. */
static void print_switched_on(const struct skm_mfa_ways *ways)
{
	SKM_CLEANUP(skm_free) char *buf = malloc(SKM_MFA_WAYS_JSON_BYTES);
	struct skm_json json;
	skm_json_init(&json, buf, buf ? SKM_MFA_WAYS_JSON_BYTES : 0);
	skm_json_object_begin(&json, NULL);
	skm_json_bool(&json, "changed", true);
	skm_json_bool(&json, "enabled", true);
	skm_mfa_ways_json(&json, ways);
	skm_json_object_end(&json);
	(void)puts(!buf || json.has_overflowed ? "{\"changed\":true,\"enabled\":true}" : buf);
}

/* ---- the switch ---- */

static int run_switch(const struct skm_cli *cli, const struct skm_mfa_options *options, bool on)
{
	int r = skm_mfa_stack_switch(options->pam_auth_update, on);
	if (r < 0)
		return skm_cli_failure(
			cli, SKM_SAY("起動できません:", "cannot start"), options->pam_auth_update, r);
	if (r == SKM_MFA_STACK_FAILED) {
		(void)fprintf(stderr, SKM_SAY("sekimori: %s が失敗しました。\n", "sekimori: %s failed\n"),
			options->pam_auth_update);
		return SKM_EXIT_UNKNOWN;
	}
	int is_on = skm_mfa_stack_is_on(options->root);
	if (is_on < 0)
		return stack_failure(cli, SKM_MFA_STACK_FILES, is_on);
	if (is_on == on)
		return 0;
	/* It leaves alone what somebody edited by hand, and says nothing. */
	(void)fprintf(stderr, "sekimori: %s\n",
		SKM_SAY("/etc/pam.d/" SKM_MFA_STACK_FILES " が切り替わっていません。手で編集されていないか、"
			"pam-auth-update --force または authselect check で確認してください。",
			"/etc/pam.d/" SKM_MFA_STACK_FILES
			" did not change: it may have been edited by hand, see "
			"pam-auth-update(8), --force, or authselect(8), check"));
	return SKM_EXIT_UNKNOWN;
}

static int already(const struct skm_cli *cli, const char *text)
{
	if (cli->json)
		(void)puts("{\"changed\":false}");
	else
		(void)puts(text);
	return SKM_EXIT_YES;
}

static int switch_on(
	const struct skm_cli *cli, const struct skm_mfa_options *options, const struct skm_mfa_ways *ways)
{
	int r = skm_mfa_stack_keep(options->root);
	if (r < 0)
		return stack_failure(cli, SKM_MFA_STACK_KEPT, r);
	r = announce(cli, options, options->user, SKM_AUTH_FLAG_LOGIN_ON);
	if (r != 0)
		return r;
	skm_mfa_log("the second factor is being switched on in the PAM stack");
	r = run_switch(cli, options, true);
	if (r != 0) {
		/* Half a switch is worse than none. */
		(void)!skm_mfa_stack_switch(options->pam_auth_update, false);
		skm_mfa_log("the second factor could not be switched on in the PAM stack");
		(void)!announce(cli, options, options->user, SKM_AUTH_FLAG_LOGIN_ON | SKM_AUTH_FLAG_FAILED);
		return r;
	}
	/* As it is now, "asks_for_code" included. */
	SKM_CLEANUP(skm_mfa_ways_free) struct skm_mfa_ways *now = NULL;
	if (cli->json)
		print_switched_on(skm_mfa_ways_find(options->root, false, &now) == 0 ? now : ways);
	else
		(void)puts(SKM_SAY(
			"切り替えました。この画面を閉じる前に、別の画面でログインできることを確かめてください。\n"
			"元に戻すには: sekimori mfa disable",
			"Switched on. Before you close this session, try a login in another one.\n"
			"Back: sekimori mfa disable"));
	return SKM_EXIT_YES;
}

int skm_verb_mfa_enable(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION,
		{"yes", no_argument, NULL, SKM_MFA_YES}, SKM_MFA_SOCKET_OPTION,
		{"root", required_argument, NULL, SKM_MFA_ROOT},
		{"pam-auth-update", required_argument, NULL, SKM_MFA_PAM_AUTH_UPDATE}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	struct skm_mfa_options options;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = need_root(cli, &options);
	if (r != 0)
		return r;
	int is_on = skm_mfa_stack_is_on(options.root);
	if (is_on < 0)
		return stack_failure(cli, SKM_MFA_STACK_FILES, is_on);
	if (is_on)
		return already(cli, SKM_SAY("既に有効です。何も変更していません。",
					    "It is on already; nothing was changed."));
	SKM_CLEANUP(skm_mfa_ways_free) struct skm_mfa_ways *ways = NULL;
	r = check_admin(cli, &options);
	if (r == 0)
		r = warn_of_ways(cli, &options, &ways);
	if (r == 0)
		r = round_trip(cli, &options);
	if (r == 0)
		r = check_people(cli, &options);
	return r != 0 ? r : switch_on(cli, &options, ways);
}

/* ---- back ---- */

static void on_difference(void *user, const char *name)
{
	const struct skm_cli *cli = user;
	(void)fputs(SKM_SAY("以前の写しと異なるファイル: ", "not as it was kept: "), stderr);
	skm_text_print(stderr, name);
	(void)fputs("\n", stderr);
}

/* Other packages may have changed the stack meanwhile; that is theirs, but it must be known. */
static int compare_with_kept(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	union {
		const struct skm_cli *given;
		void *passed;
	} user = {cli};
	int r = skm_mfa_stack_compare(options->root, on_difference, user.passed);
	if (cli->json)
		(void)printf("{\"changed\":true,\"enabled\":false,\"differences\":%d}\n", r < 0 ? -1 : r);
	if (r == -ENOENT) {
		(void)fputs(SKM_SAY("無効にしました。比べるための以前の写しがありません。\n",
				    "Switched off. There is no copy of what was before, to compare with.\n"),
			stderr);
		return SKM_EXIT_YES;
	}
	if (r < 0)
		return stack_failure(cli, SKM_MFA_STACK_KEPT, r);
	if (!cli->json)
		(void)puts(
			r == 0 ? SKM_SAY("無効にしました。PAMの設定は有効にする前と同じです。",
					 "Switched off. The PAM stack is what it was before.")
			       : SKM_SAY("無効にしました。上のファイルは、その間にほかの操作で変わったものです。"
					 "以前の写しは " SKM_MFA_STACK_KEPT " にあります。",
					 "Switched off. The files above were changed by something else meanwhile; what they were "
					 "is in " SKM_MFA_STACK_KEPT "."));
	return SKM_EXIT_YES;
}

int skm_mfa_machine_disable(const struct skm_cli *cli, const struct skm_mfa_options *options)
{
	int r = need_root(cli, options);
	if (r != 0)
		return r;
	int is_on = skm_mfa_stack_is_on(options->root);
	if (is_on < 0)
		return stack_failure(cli, SKM_MFA_STACK_FILES, is_on);
	if (!is_on)
		return already(cli, SKM_SAY("有効になっていません。何も変更していません。",
					    "It is not on; nothing was changed."));
	if (!options->says_yes &&
		!skm_mfa_confirms(
			cli, SKM_SAY("この端末のログインで、確認コードを求めなくなります。よろしいですか?",
				     "This terminal's login will ask for no code any more. Go on?")))
		return SKM_EXIT_NO;
	r = announce_off(cli, options);
	if (r != 0)
		return r;
	skm_mfa_log("the second factor is being switched off in the PAM stack");
	r = run_switch(cli, options, false);
	if (r != 0) {
		skm_mfa_log("the second factor could not be switched off in the PAM stack");
		(void)!announce(cli, options, "", SKM_AUTH_FLAG_FAILED);
		return r;
	}
	return compare_with_kept(cli, options);
}
