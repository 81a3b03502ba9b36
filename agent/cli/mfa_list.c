// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa status` and `mfa list`: what is registered, without anything secret; and of the machine,
 * which logins do not ask for it. The exit code of `status` is about the person alone: a way round that
 * stands open on purpose (automatic login of a kiosk) must not make every user's state look wrong to a
 * script. */
#include <stdio.h>
#include <string.h>

#include "mfa.h"
#include "mfa_person.h"
#include "mfa_ways.h"

static const char status_help_ja[] =
	"使い方: sekimori mfa status [--user NAME] [--json]\n"
	"\n"
	"多要素認証の登録の状態を表示します (ほかの人の状態は、4つの役割のいずれかの人だけ)。\n"
	"この端末に、確認コードなしで認証できる入口があれば、開いているモジュールとともに示します。\n"
	"  --socket PATH  --root DIR   別の場所 (試験用)\n"
	"終了コード: 0 = 登録済みで使える、1 = 未登録・停止中・要確認、3 = 権限がない等で判断できない\n";
static const char status_help_en[] =
	"Usage: sekimori mfa status [--user NAME] [--json]\n"
	"\n"
	"Shows what is registered; for other people it takes one of the four roles. Names this terminal's\n"
	"logins that let people in without a code, with the module that does.\n"
	"  --socket PATH  --root DIR   other places (for tests)\n"
	"Exit codes: 0 = registered and usable, 1 = not registered, waiting or in need of attention,\n"
	"3 = could not tell (no right to ask, no service)\n";
static const char list_help_ja[] = "使い方: sekimori mfa list [--json]\n"
				   "\n"
				   "登録のある全員を一覧にします (4つの役割のいずれかの人だけ)。\n"
				   "  --socket PATH   認証サービスのソケット (試験用)\n"
				   "終了コード: 0 = 記録はすべて読める、1 = 読めない記録がある、"
				   "3 = 権限がない等で判断できない\n";
static const char list_help_en[] =
	"Usage: sekimori mfa list [--json]\n"
	"\n"
	"Lists everybody who has something registered; it takes one of the four roles.\n"
	"  --socket PATH   the verification service's socket (for tests)\n"
	"Exit codes: 0 = every record can be read, 1 = some cannot, 3 = could not tell\n";

/* ---- this terminal ---- */

static void print_machine(const struct skm_cli *cli, const struct skm_mfa_ways *ways)
{
	(void)putchar('\n');
	(void)puts(
		skm_mfa_ways_asks(ways)
			? SKM_SAY("この端末のログイン: 確認コードを求めます",
				  "this terminal's logins ask for a code")
			: SKM_SAY("この端末のログイン: 確認コードを求めません (切り替えるには sekimori mfa enable)",
				  "this terminal's logins ask for no code (to switch: sekimori mfa enable)"));
	if (skm_mfa_ways_count(ways) == 0)
		(void)puts(SKM_SAY("確認コードなしの入口: なし", "ways around it: none"));
	else if (skm_mfa_ways_asks(ways))
		(void)puts(SKM_SAY("確認コードなしの入口:", "ways around it:"));
	else
		(void)puts(SKM_SAY("有効にしても残る、確認コードなしの入口:",
			"ways around it that remain once it is on:"));
	skm_mfa_ways_print(stdout, cli->language, ways);
}

/* The object as it came, with ours as its last member; ours alone without one. 0 or -errno. */
static int print_json(const char *object, const struct skm_mfa_ways *ways)
{
	SKM_CLEANUP(skm_free) char *buf = malloc(SKM_MFA_WAYS_JSON_BYTES);
	struct skm_json json;
	if (!buf)
		return -ENOMEM;
	skm_json_init(&json, buf, SKM_MFA_WAYS_JSON_BYTES);
	skm_json_object_begin(&json, NULL);
	skm_mfa_ways_json(&json, ways);
	skm_json_object_end(&json);
	const char *end = object ? strrchr(object, '}') : NULL;
	if (json.has_overflowed || (object && !end))
		return -EOVERFLOW;
	if (end)
		(void)printf("%.*s,%s\n", (int)(end - object), object, buf + 1);
	else
		(void)puts(buf);
	return 0;
}

/* The person, then the machine, which can be judged also when the service tells nothing of a person (then the
 * object is its refusal) or does not answer (then there is none). 0, or the exit code, said. */
static int print_status(const struct skm_cli *cli, const struct skm_mfa_options *options, const char *object,
	const struct skm_mfa_person *person)
{
	SKM_CLEANUP(skm_mfa_ways_free) struct skm_mfa_ways *ways = NULL;
	if (!cli->json && person)
		skm_mfa_person_print(stdout, cli->language, person);
	int r = skm_mfa_ways_find(options->root, false, &ways);
	if (r == 0 && cli->json)
		r = print_json(object, ways);
	if (r < 0)
		return skm_cli_failure(cli,
			SKM_SAY("PAMの設定を調べられません:", "cannot examine the PAM configuration:"),
			"/etc/pam.d", r);
	if (!cli->json)
		print_machine(cli, ways);
	return 0;
}

int skm_verb_mfa_status(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_USER_OPTION, SKM_MFA_SOCKET_OPTION,
		{"root", required_argument, NULL, SKM_MFA_ROOT}, {0}};
	cli->japanese_help = status_help_ja;
	cli->english_help = status_help_en;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	r = skm_mfa_default_user(cli, &options);
	if (r != 0)
		return r;
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_STATUS);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, options.user);
	r = skm_mfa_ask(options.socket_path, &request, NULL, NULL, &answer);
	if (r < 0) {
		r = skm_mfa_no_answer(cli, r);
		(void)print_status(cli, &options, NULL, NULL);
		return r;
	}
	if (answer.outcome != SKM_AUTH_OK) {
		char refusal[SKM_MFA_REFUSAL_JSON_BYTES];
		skm_mfa_refusal_json(options.user, &answer, refusal);
		r = skm_mfa_refused(cli, options.user, &answer);
		(void)print_status(cli, &options, refusal, NULL);
		return r;
	}
	struct skm_mfa_person person;
	r = skm_mfa_person_parse(answer.text, &person);
	if (r < 0)
		return skm_mfa_no_answer(cli, r);
	r = print_status(cli, &options, answer.text, &person);
	bool is_well = skm_mfa_person_is_well(&person);
	skm_mfa_person_finish(&person);
	if (r != 0)
		return r;
	return is_well ? SKM_EXIT_YES : SKM_EXIT_NO;
}

struct listing {
	const struct skm_cli *cli;
	unsigned count, unreadable_count;
};

static int on_person(void *user, const char *text)
{
	struct listing *listing = user;
	struct skm_mfa_person person;
	int r = skm_mfa_person_parse(text, &person);
	if (r < 0)
		return r;
	if (listing->cli->json) {
		(void)printf("%s%s", listing->count ? "," : "{\"people\":[", text);
	} else {
		if (listing->count == 0)
			skm_mfa_person_print_head(stdout, listing->cli->language);
		skm_mfa_person_print_row(stdout, listing->cli->language, &person);
	}
	listing->count++;
	if (strcmp(person.state, "ok") != 0)
		listing->unreadable_count++;
	skm_mfa_person_finish(&person);
	return 0;
}

static void end_json(const struct listing *listing, int result, const struct skm_mfa_answer *answer)
{
	if (result == 0 && answer->outcome == SKM_AUTH_OK) {
		(void)puts(listing->count ? "]}" : "{\"people\":[]}");
	} else if (listing->count) {
		/* A list that broke off is no list: without its end no program takes it for one. */
		(void)putchar('\n');
	} else if (result == 0) {
		char refusal[SKM_MFA_REFUSAL_JSON_BYTES];
		skm_mfa_refusal_json("", answer, refusal);
		(void)puts(refusal);
	}
}

int skm_verb_mfa_list(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option table[] = {SKM_COMMON_OPTIONS, SKM_MFA_SOCKET_OPTION, {0}};
	cli->japanese_help = list_help_ja;
	cli->english_help = list_help_en;
	struct skm_mfa_options options;
	struct skm_mfa_answer answer;
	struct listing listing = {.cli = cli};
	int r = 0;
	if (!skm_mfa_take_options(cli, argc, argv, table, &options, &r))
		return r;
	struct skm_auth_writer request;
	skm_auth_write_begin(&request, SKM_AUTH_LIST);
	r = skm_mfa_ask(options.socket_path, &request, on_person, &listing, &answer);
	if (cli->json)
		end_json(&listing, r, &answer);
	if (r < 0)
		return skm_mfa_no_answer(cli, r);
	if (answer.outcome != SKM_AUTH_OK)
		return skm_mfa_refused(cli, "", &answer);
	if (!cli->json)
		(void)printf(
			SKM_SAY("%u人\n", listing.count == 1 ? "%u person\n" : "%u people\n"), listing.count);
	return listing.unreadable_count ? SKM_EXIT_NO : SKM_EXIT_YES;
}
