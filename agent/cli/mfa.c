// SPDX-License-Identifier: Apache-2.0
/* The question to authd and its outcomes in words. The words live here and not with the module's
 * (lib/auth_text.c): at the login screen a stranger must learn nothing, here somebody with a right to know
 * wants to hear what to do. */
#include "mfa.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "mfa_people.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

/* Ten recovery codes are ten Argon2id hashes on the oldest terminal of the office. */
#define PATIENCE_MS 20000u

static const char help_ja[] =
	"使い方: sekimori mfa 動詞 [オプション]\n"
	"\n"
	"  enrol           認証アプリやトークンを登録します (QRコードを表示)\n"
	"  status          登録の状態を表示します\n"
	"  list            全員の登録の状態を一覧にします\n"
	"  recovery        代用コードを再発行します\n"
	"  resync          ずれたトークンを合わせます\n"
	"  disable         --user NAME: その人の登録を削除します。--user なし: ログイン画面を元に戻します\n"
	"  unlock          入力の停止を解除します\n"
	"  substitute      期限付きの代用コードをほかの人のために発行します\n"
	"  import          鍵が決まっているトークンを登録します\n"
	"  require         だれに多要素認証を必須とするかを設定します\n"
	"  enable          ログイン画面で確認コードを求めるようにします\n"
	"\n"
	"くわしくは sekimori mfa 動詞 --help、man sekimori をご覧ください。\n";
static const char help_en[] =
	"Usage: sekimori mfa VERB [OPTIONS]\n"
	"\n"
	"  enrol           registers an authenticator app or a token (shows a QR code)\n"
	"  status          shows what is registered\n"
	"  list            the same for everybody\n"
	"  recovery        issues new recovery codes\n"
	"  resync          brings a token back into step\n"
	"  disable         --user NAME: removes that person's factor; without --user: switches the login back\n"
	"  unlock          ends the wait after wrong codes\n"
	"  substitute      issues a dated substitute code for somebody else\n"
	"  import          registers a token whose secret is given\n"
	"  require         sets of whom the factor is required\n"
	"  enable          makes the login ask for codes\n"
	"\n"
	"See sekimori mfa VERB --help and man sekimori.\n";

const char *skm_mfa_help(enum skm_language language)
{
	return skm_text(language, help_ja, help_en);
}

/* ---- asking ---- */

struct asking {
	skm_mfa_more_fn on_more;
	void *user;
	struct skm_mfa_answer *answer;
};

static int take_last(const struct skm_auth_packet *packet, struct skm_mfa_answer *answer)
{
	if (packet->code >= SKM_AUTH_OUTCOME_COUNT_)
		return -EBADMSG;
	answer->outcome = (enum skm_auth_outcome)packet->code;
	int r = skm_auth_packet_text(packet, SKM_AUTH_TAG_TEXT, answer->text, sizeof(answer->text));
	if (r < 0 && r != -ENOENT)
		return r;
	if (packet->field[SKM_AUTH_TAG_TICKET]) {
		answer->ticket_len = packet->field_len[SKM_AUTH_TAG_TICKET];
		memcpy(answer->ticket, packet->field[SKM_AUTH_TAG_TICKET], answer->ticket_len);
	}
	answer->tries = skm_auth_packet_number(packet, SKM_AUTH_TAG_TRIES, 0);
	answer->wait_sec = skm_auth_packet_number(packet, SKM_AUTH_TAG_WAIT_SEC, 0);
	answer->factor = skm_auth_packet_number(packet, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_NONE);
	answer->diagnosis = skm_auth_packet_number(packet, SKM_AUTH_TAG_DIAGNOSIS, SKM_AUTH_DIAGNOSIS_NONE);
	answer->until_sec = skm_auth_packet_number(packet, SKM_AUTH_TAG_UNTIL, 0);
	answer->offset_sec = (int64_t)skm_auth_packet_number(packet, SKM_AUTH_TAG_OFFSET_SEC, 0);
	return 0;
}

static int on_packet(void *user, const struct skm_auth_packet *packet)
{
	struct asking *asking = user;
	if (packet->code != SKM_AUTH_MORE)
		return take_last(packet, asking->answer);
	if (!asking->on_more)
		return -EBADMSG;
	char text[SKM_AUTH_PACKET_MAX];
	int r = skm_auth_packet_text(packet, SKM_AUTH_TAG_TEXT, text, sizeof(text));
	return r < 0 ? -EBADMSG : asking->on_more(asking->user, text);
}

int skm_mfa_ask(const char *socket_path, struct skm_auth_writer *request, skm_mfa_more_fn on_more, void *user,
	struct skm_mfa_answer *ret_answer)
{
	*ret_answer = (struct skm_mfa_answer){.outcome = SKM_AUTH_BAD_REQUEST};
	struct asking asking = {on_more, user, ret_answer};
	struct skm_auth_packet packet;
	uint32_t budget_ms = PATIENCE_MS;
	int r = skm_auth_write_end(request);
	if (r == 0)
		r = skm_auth_packet_parse(request->buf, request->len, &packet);
	if (r == 0) {
		ret_answer->had_code = packet.field[SKM_AUTH_TAG_ANSWER] != NULL;
		r = skm_auth_ask(socket_path, request, &budget_ms, on_packet, &asking);
	}
	explicit_bzero(request, sizeof(*request));
	return r;
}

void skm_mfa_answer_clear(struct skm_mfa_answer *answer)
{
	explicit_bzero(answer, sizeof(*answer));
}

int skm_mfa_no_answer(const struct skm_cli *cli, int result)
{
	const char *text = NULL;
	switch (result) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ECONNRESET:
		text = SKM_SAY("認証サービス (sekimori-authd) が動いていません。"
			       "systemctl status sekimori-authd.socket で確認してください。",
			"the verification service (sekimori-authd) is not running; see systemctl status "
			"sekimori-authd.socket");
		break;
	case -EAGAIN:
	case -ETIMEDOUT:
		text = SKM_SAY("認証サービスが時間内に応答しません。",
			"the verification service does not answer in time");
		break;
	case -EPERM:
		text = SKM_SAY("認証サービスのソケットで待っているのは root ではありません (偽物です)。",
			"what listens on the verification service's socket is not root: an impostor");
		break;
	case -EACCES:
		text = SKM_SAY("認証サービスのソケットを開く権限がありません。",
			"the verification service's socket may not be opened");
		break;
	case -EBADMSG:
	case -EPROTO:
		text = SKM_SAY("認証サービスと版が合いません。更新の後であれば "
			       "systemctl restart sekimori-authd を実行してください。",
			"the verification service speaks another version; after an update: systemctl restart "
			"sekimori-authd");
		break;
	case -ENOBUFS:
		text = SKM_SAY("入力が長すぎます (全体で8,000バイトまで)。",
			"what was given is too long (8,000 bytes in all)");
		break;
	default:
		return skm_cli_failure(cli,
			SKM_SAY("認証サービスに尋ねられません:", "cannot ask the verification service at"),
			SKM_AUTH_PATH, result);
	}
	(void)fprintf(stderr, "sekimori: %s\n", text);
	return SKM_EXIT_UNKNOWN;
}

/* ---- outcomes ---- */

struct meaning {
	const char *ja, *en;
	enum skm_exit exit;
};

/* What has numbers in it is said in skm_mfa_refused. */
static const struct meaning meanings[SKM_AUTH_OUTCOME_COUNT_] = {
	[SKM_AUTH_WRONG] = {"確認コードが違います。", "wrong verification code", SKM_EXIT_NO},
	[SKM_AUTH_REPLAYED] = {"使用済みのコードです。次の表示を待ってください。",
		"this code was used already; wait for the next one", SKM_EXIT_NO},
	[SKM_AUTH_CLOCK] =
		{"この端末の時刻が、前回の認証の時刻より前に戻っています。時刻を合わせてください。",
			"this terminal's clock stands before the last accepted code: set it right",
			SKM_EXIT_NO},
	[SKM_AUTH_UNENROLLED] = {"多要素認証は未登録です (登録: sekimori mfa enrol)。",
		"no second factor is registered (register one: sekimori mfa enrol)", SKM_EXIT_NO},
	[SKM_AUTH_NOT_A_CODE] =
		{"確認コードではありません。6桁または8桁の数字、または代用コードを入力してください。",
			"this is no code: 6 or 8 digits, or a recovery code", SKM_EXIT_NO},
	[SKM_AUTH_DAMAGED] = {"登録の記録が壊れているか、別の端末のものか、古いものに戻されています。"
			      "sekimori mfa disable --user で削除し、登録し直してください。",
		"the record is damaged, of another machine, or an older one was put back; remove it (sekimori mfa "
		"disable --user) and enrol again",
		SKM_EXIT_NO},
	[SKM_AUTH_WRONG_KEY] = {"端末の鍵では登録の記録を開けません (鍵がないか、取り替えられています)。"
				"鍵を元に戻すか、登録し直してください。",
		"the machine key does not open the record (it is missing, or another one); bring the key back or "
		"enrol again",
		SKM_EXIT_NO},
	[SKM_AUTH_UNAVAILABLE] = {"認証サービスが記録を保存できません。ディスクの空きと "
				  "journalctl -u sekimori-authd を確認してください。",
		"the verification service cannot store its state; look at the disk and at journalctl -u "
		"sekimori-authd",
		SKM_EXIT_UNKNOWN},
	[SKM_AUTH_DENIED] =
		{"権限がありません。ほかの人の登録、登録の削除、取り込みは root と sekimori-admin が、"
		 "停止の解除と代用コードの発行は sekimori-helpdesk もできます (自分のためにはできません)。",
			"permission denied: other people's factors, removal and import are for root and sekimori-admin; "
			"sekimori-helpdesk may unlock and issue substitute codes; nobody may do that for themselves",
			SKM_EXIT_UNKNOWN},
	[SKM_AUTH_BUSY] = {"認証サービスへの接続が多すぎます。しばらくしてからやり直してください。",
		"too many connections to the verification service; try again in a moment", SKM_EXIT_UNKNOWN},
	[SKM_AUTH_BAD_REQUEST] = {"認証サービスが依頼を受け付けません (値が範囲外か、版が合いません)。",
		"the verification service does not take this request (a value out of its range, or another "
		"version)",
		SKM_EXIT_UNKNOWN},
	[SKM_AUTH_CONFLICT] = {"登録がほかの操作で変わったか、トークンが上限 (8個) に達しています。"
			       "sekimori mfa status で確認し、最初からやり直してください。",
		"the record was changed meanwhile, or there are 8 tokens already, the most a person can have; "
		"see sekimori mfa status and begin again",
		SKM_EXIT_NO},
	[SKM_AUTH_REFUSED] = {"この端末の設定では許可されていません (sekimori.conf の mfa.algorithms、"
			      "mfa.self_enrol、mfa.substitute_days_max を確認してください)。",
		"this terminal's configuration does not allow it (mfa.algorithms, mfa.self_enrol, "
		"mfa.substitute_days_max in sekimori.conf)",
		SKM_EXIT_NO},
};

int skm_mfa_refused(const struct skm_cli *cli, const char *user, const struct skm_mfa_answer *answer)
{
	(void)fputs("sekimori: ", stderr);
	skm_text_print(stderr, user);
	(void)fputs(*user ? ": " : "", stderr);
	if (answer->outcome == SKM_AUTH_LOCKED) {
		(void)fprintf(stderr,
			SKM_SAY("入力を%" PRIu64 "回誤りました。%" PRIu64 "分後にやり直してください。\n",
				"too many attempts (%" PRIu64 "); try again in %" PRIu64 " minutes\n"),
			answer->tries, answer->wait_sec / 60 + (answer->wait_sec % 60 != 0));
		return SKM_EXIT_NO;
	}
	static const struct meaning nobody = {
		"この端末にその利用者はいません。", "there is no such user", SKM_EXIT_NO};
	bool is_nobody = answer->outcome == SKM_AUTH_WRONG && !answer->had_code;
	const struct meaning *meaning = is_nobody ? &nobody : &meanings[answer->outcome];
	if (!meaning->ja) {
		/* An outcome that does not answer this question. */
		(void)fprintf(stderr,
			SKM_SAY("認証サービスの予期しない応答: %s\n", "unexpected answer: %s\n"),
			skm_auth_outcome_to_string(answer->outcome));
		return SKM_EXIT_UNKNOWN;
	}
	(void)fprintf(stderr, "%s\n", SKM_SAY(meaning->ja, meaning->en));
	return (int)meaning->exit;
}

void skm_mfa_refusal_json(
	const char *user, const struct skm_mfa_answer *answer, char ret_object[SKM_MFA_REFUSAL_JSON_BYTES])
{
	struct skm_json json;
	skm_json_init(&json, ret_object, SKM_MFA_REFUSAL_JSON_BYTES);
	skm_json_object_begin(&json, NULL);
	if (*user)
		skm_json_string(&json, "user", user);
	skm_json_string(&json, "outcome", skm_auth_outcome_to_string(answer->outcome));
	if (answer->outcome == SKM_AUTH_LOCKED) {
		skm_json_uint(&json, "tries", answer->tries);
		skm_json_uint(&json, "wait_sec", answer->wait_sec);
	}
	skm_json_object_end(&json);
}

static int judge(
	const struct skm_cli *cli, const struct skm_mfa_options *options, const struct skm_mfa_answer *answer)
{
	if (answer->outcome == SKM_AUTH_OK)
		return 0;
	if (cli->json) {
		char object[SKM_MFA_REFUSAL_JSON_BYTES];
		skm_mfa_refusal_json(options->user, answer, object);
		(void)puts(object);
	}
	return skm_mfa_refused(cli, options->user, answer);
}

int skm_mfa_do(const struct skm_cli *cli, const struct skm_mfa_options *options,
	struct skm_auth_writer *request, struct skm_mfa_answer *ret_answer)
{
	int r = skm_mfa_ask(options->socket_path, request, NULL, NULL, ret_answer);
	return r < 0 ? skm_mfa_no_answer(cli, r) : judge(cli, options, ret_answer);
}

void skm_mfa_log(const char *what)
{
	char name[257] = "?";
	(void)!skm_mfa_people_login_name(name, sizeof(name));
	syslog(LOG_AUTHPRIV | LOG_NOTICE, "sekimori mfa: %s by %s (uid %u)", what, name, (unsigned)getuid());
}

int skm_mfa_announce(
	const struct skm_cli *cli, const struct skm_mfa_options *options, struct skm_auth_writer *request)
{
	struct skm_mfa_answer answer;
	int r = skm_mfa_ask(options->socket_path, request, NULL, NULL, &answer);
	if (r == 0 && answer.outcome == SKM_AUTH_OK)
		return 0;
	r = r < 0 ? skm_mfa_no_answer(cli, r) : skm_mfa_refused(cli, "", &answer);
	(void)fprintf(stderr, "sekimori: %s\n",
		options->goes_unrecorded
			? SKM_SAY("監査記録に残せませんでした。システムログにだけ記録して続けます。",
				  "this could not be put on record; going on, with the system's log alone")
			: SKM_SAY("監査記録に残せないため、何も変更していません。",
				  "nothing was changed, since it could not be put on record"));
	return options->goes_unrecorded ? 0 : r;
}

bool skm_mfa_may_try_again(enum skm_auth_outcome outcome)
{
	return outcome == SKM_AUTH_WRONG || outcome == SKM_AUTH_REPLAYED || outcome == SKM_AUTH_NOT_A_CODE;
}

int skm_mfa_do_proved(const struct skm_cli *cli, const struct skm_mfa_options *options,
	skm_mfa_write_fn write, struct skm_mfa_answer *ret_answer)
{
	struct skm_auth_writer request;
	write(&request, options, NULL);
	int r = skm_mfa_ask(options->socket_path, &request, NULL, NULL, ret_answer);
	bool is_asked = r == 0 && ret_answer->outcome == SKM_AUTH_PROMPT;
	for (unsigned tries = 0; is_asked && tries < SKM_MFA_TRIES_MAX; tries++) {
		char code[SKM_MFA_CODE_BYTES] = "";
		r = skm_mfa_read_line(
			SKM_SAY("本人確認のため、登録済みのトークンの確認コード: ",
				"To make sure that it is you, a code of what is registered already: "),
			code, sizeof(code));
		if (r < 0)
			return skm_cli_usage_error(cli,
				SKM_SAY("登録済みのトークンの確認コードが必要です",
					"a code of what is registered already is needed"),
				NULL, NULL);
		write(&request, options, code);
		explicit_bzero(code, sizeof(code));
		r = skm_mfa_ask(options->socket_path, &request, NULL, NULL, ret_answer);
		if (r < 0 || !skm_mfa_may_try_again(ret_answer->outcome))
			break;
		if (tries + 1 < SKM_MFA_TRIES_MAX)
			(void)skm_mfa_refused(cli, options->user, ret_answer);
	}
	if (r < 0)
		return skm_mfa_no_answer(cli, r);
	return judge(cli, options, ret_answer);
}

/* ---- people ---- */

void skm_mfa_unbuffer(void)
{
	(void)setvbuf(stdout, NULL, _IONBF, 0);
}

int skm_mfa_read_line(const char *prompt, char *ret_line, size_t size)
{
	/* Shown while typed, as other enrolment tools do: the code dies with its use, and who cannot see it
	 * types it wrong. */
	if (isatty(STDIN_FILENO))
		(void)fputs(prompt, stderr);
	size_t len = 0;
	for (;;) {
		char c = 0;
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 && len == 0)
			return -ENODATA;
		if (n == 0 || c == '\n')
			break;
		if (c == '\0' || len + 1 >= size)
			return -EMSGSIZE;
		ret_line[len++] = c;
	}
	if (len > 0 && ret_line[len - 1] == '\r')
		len--;
	ret_line[len] = '\0';
	return 0;
}

bool skm_mfa_confirms(const struct skm_cli *cli, const char *question)
{
	if (!isatty(STDIN_FILENO)) {
		(void)fprintf(stderr, "sekimori: %s\n",
			SKM_SAY("端末からの操作ではないため、確認には --yes が必要です。",
				"nobody can be asked here; confirm with --yes"));
		return false;
	}
	char prompt[512];
	(void)snprintf(prompt, sizeof(prompt), "%s [yes/no]: ", question);
	char line[64] = "";
	if (skm_mfa_read_line(prompt, line, sizeof(line)) < 0)
		return false;
	return strcmp(line, "yes") == 0 || strcmp(line, "はい") == 0;
}

void skm_mfa_print_recovery(const struct skm_cli *cli, const char *user, const char *text)
{
	if (!*text)
		return;
	(void)fprintf(stderr, "\n%s", SKM_SAY("代用コード: ", "Recovery codes of "));
	skm_text_print(stderr, user);
	(void)fprintf(stderr, "\n%s\n",
		SKM_SAY("スマートフォンやトークンが手元にないときに、確認コードの代わりに入力します。\n"
			"1つにつき1回だけ使えます。表示は今回限りです。書き写すか印刷し、鍵のかかる場所に保管してください。",
			"One of them stands in for a code when the phone or the token is not at hand, each once.\n"
			"They are shown this once: write them down or print them, and lock them away."));
	(void)fputs(text, stdout);
	if (text[strlen(text) - 1] != '\n')
		(void)fputs("\n", stdout);
}

void skm_mfa_json_lines(struct skm_json *json, const char *key, const char *text)
{
	skm_json_array_begin(json, key);
	while (*text) {
		char line[256];
		size_t len = strcspn(text, "\n");
		(void)snprintf(
			line, sizeof(line), "%.*s", (int)(len < sizeof(line) ? len : sizeof(line) - 1), text);
		if (len > 0)
			skm_json_string(json, NULL, line);
		text += len + (text[len] == '\n');
		explicit_bzero(line, sizeof(line));
	}
	skm_json_array_end(json);
}
