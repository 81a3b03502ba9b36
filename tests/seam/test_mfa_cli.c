// SPDX-License-Identifier: Apache-2.0
/* The verbs of `sekimori mfa` against an authd that answers as the test has written down, request by request,
 * and writes down what it was asked. What the verbs print is caught, what people type is given. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "mfa.h"
#include "tmpdir.h"

#define EXCHANGES_MAX 8
#define PACKETS_MAX 4
#define PRINTED_BYTES 65536
#define URI                                                                                                \
	"otpauth://totp/Sekimori:sato?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA&issuer=" \
	"Sekimori&algorithm=SHA256&digits=6&period=30"

struct exchange {
	struct skm_auth_writer packets[PACKETS_MAX];
	size_t count;
};

static struct exchange exchanges[EXCHANGES_MAX];
static size_t exchange_count;
static char folder[TMPDIR_BYTES];
static char socket_option[TMPDIR_BYTES + 32];
static pid_t authd;
static uint8_t asked[EXCHANGES_MAX][SKM_AUTH_PACKET_MAX];
static struct skm_auth_packet requests[EXCHANGES_MAX];
static size_t request_count;
static char out[PRINTED_BYTES];
static char err[PRINTED_BYTES];

/* ---- the authd ---- */

static struct skm_auth_writer *answer(enum skm_auth_outcome outcome)
{
	struct exchange *exchange = &exchanges[exchange_count++];
	exchange->count = 1;
	skm_auth_write_begin(&exchange->packets[0], (uint8_t)outcome);
	return &exchange->packets[0];
}

static void answer_text(enum skm_auth_outcome outcome, const char *text)
{
	skm_auth_write_text(answer(outcome), SKM_AUTH_TAG_TEXT, text);
}

static void answer_begun(const char *uri)
{
	struct skm_auth_writer *packet = answer(SKM_AUTH_OK);
	skm_auth_write_bytes(packet, SKM_AUTH_TAG_TICKET, "tick\0et", 7);
	skm_auth_write_text(packet, SKM_AUTH_TAG_TEXT, uri);
}

static void answer_diagnosis(enum skm_auth_diagnosis diagnosis, int64_t offset_sec)
{
	struct skm_auth_writer *packet = answer(SKM_AUTH_WRONG);
	skm_auth_write_number(packet, SKM_AUTH_TAG_DIAGNOSIS, diagnosis);
	skm_auth_write_number(packet, SKM_AUTH_TAG_OFFSET_SEC, (uint64_t)offset_sec);
}

static _Noreturn void serve(int listen_fd)
{
	char path[TMPDIR_BYTES + 32];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(path, sizeof(path), "%s/requests", folder);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (size_t i = 0; i < exchange_count; i++) {
		int fd = accept(listen_fd, NULL, NULL);
		uint8_t buf[SKM_AUTH_PACKET_MAX];
		ssize_t len = recv(fd, buf, sizeof(buf), 0);
		uint16_t record_len = (uint16_t)len;
		if (len <= 0 || write(log, &record_len, 2) != 2 || write(log, buf, (size_t)len) != len)
			_exit(1);
		for (size_t k = 0; k < exchanges[i].count; k++)
			(void)send(
				fd, exchanges[i].packets[k].buf, exchanges[i].packets[k].len, MSG_NOSIGNAL);
		(void)close(fd);
	}
	_exit(0);
}

static void authd_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/auth", folder);
	(void)unlink(address.sun_path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	authd = fork();
	cr_assert_geq(authd, 0);
	if (authd == 0)
		serve(fd);
	(void)close(fd);
}

/* Reads what was asked; the authd is gone afterwards, and the next run begins anew. */
static void authd_stop(void)
{
	char path[TMPDIR_BYTES + 32];
	(void)kill(authd, SIGKILL);
	(void)waitpid(authd, NULL, 0);
	(void)snprintf(path, sizeof(path), "%s/requests", folder);
	FILE *log = fopen(path, "re");
	request_count = 0;
	for (uint16_t len; log && request_count < EXCHANGES_MAX && fread(&len, 2, 1, log) == 1;) {
		cr_assert_eq(fread(asked[request_count], 1, len, log), len);
		cr_assert_eq(skm_auth_packet_parse(asked[request_count], len, &requests[request_count]), 0);
		request_count++;
	}
	if (log)
		(void)fclose(log);
	(void)unlink(path);
	exchange_count = 0;
}

/* ---- the command ---- */

static void catch_into(FILE *file, char *text)
{
	rewind(file);
	size_t len = fread(text, 1, PRINTED_BYTES - 1, file);
	text[len] = '\0';
	(void)fclose(file);
}

typedef int (*verb_fn)(struct skm_cli *cli, int argc, char **argv);

static int run_verb(verb_fn verb, struct skm_cli *cli, const char *typed, int argc, char **argv)
{
	FILE *files[3] = {tmpfile(), tmpfile(), tmpfile()};
	int saved[3];
	(void)fputs(typed, files[0]);
	rewind(files[0]);
	(void)fflush(stdout);
	(void)fflush(stderr);
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = dup(fd);
		(void)dup2(fileno(files[fd]), fd);
	}
	(void)lseek(STDIN_FILENO, 0, SEEK_SET);
	optind = 0;
	int exit_code = verb(cli, argc, argv);
	(void)fflush(stdout);
	(void)fflush(stderr);
	for (int fd = 0; fd < 3; fd++) {
		(void)dup2(saved[fd], fd);
		(void)close(saved[fd]);
	}
	(void)fclose(files[0]);
	catch_into(files[1], out);
	catch_into(files[2], err);
	return exit_code;
}

/* `options` are words separated by blanks; "json" and "ja" in front of a bar set the common ones. */
static int run(verb_fn verb, const char *typed, const char *options_format, ...)
{
	char options[1024];
	char *argv[32] = {(char[]){"verb"}, socket_option};
	int argc = 2;
	va_list args;
	va_start(args, options_format);
	(void)vsnprintf(options, sizeof(options), options_format, args);
	va_end(args);
	struct skm_cli cli = {.language = SKM_LANGUAGE_EN};
	char *rest = options;
	for (char *word; (word = strsep(&rest, " "));) {
		if (strcmp(word, "ja|") == 0)
			cli.language = SKM_LANGUAGE_JA;
		else if (*word)
			argv[argc++] = word;
	}
	authd_start();
	int exit_code = run_verb(verb, &cli, typed, argc, argv);
	authd_stop();
	return exit_code;
}

static void prints(const char *text)
{
	cr_expect_not_null(strstr(out, text), "\"%s\" is not in stdout:\n%s\nstderr:\n%s", text, out, err);
}

static void says(const char *text)
{
	cr_expect_not_null(strstr(err, text), "\"%s\" is not in stderr:\n%s", text, err);
}

static void expect_text(size_t request, enum skm_auth_tag tag, const char *wanted)
{
	char text[1024] = "";
	cr_assert_lt(request, request_count, "asked %zu times; stderr: %s", request_count, err);
	(void)skm_auth_packet_text(&requests[request], tag, text, sizeof(text));
	cr_expect_str_eq(
		text, wanted, "request %zu, tag %d: \"%s\", not \"%s\"", request, (int)tag, text, wanted);
}

static void expect_bytes(size_t request, enum skm_auth_tag tag, const void *wanted, size_t len)
{
	cr_assert_lt(request, request_count);
	const struct skm_auth_packet *packet = &requests[request];
	cr_assert_not_null(packet->field[tag], "request %zu has no tag %d", request, (int)tag);
	cr_expect(packet->field_len[tag] == len && memcmp(packet->field[tag], wanted, len) == 0,
		"request %zu, tag %d: %.*s", request, (int)tag, (int)packet->field_len[tag],
		packet->field[tag]);
}

static void expect_number(size_t request, enum skm_auth_tag tag, uint64_t wanted)
{
	cr_assert_lt(request, request_count);
	cr_expect_eq(skm_auth_packet_number(&requests[request], tag, UINT64_MAX), wanted,
		"request %zu, tag %d", request, (int)tag);
}

static void expect_operation(size_t request, enum skm_auth_operation operation)
{
	cr_assert_lt(request, request_count, "asked %zu times; stderr: %s", request_count, err);
	cr_expect_eq(requests[request].code, operation);
}

static void prepare(void)
{
	tmpdir_make(folder);
	(void)snprintf(socket_option, sizeof(socket_option), "--socket=%s/auth", folder);
	(void)setenv("TZ", "Asia/Tokyo", 1);
}

static void clean(void)
{
	tmpdir_remove(folder);
}

TestSuite(mfa, .init = prepare, .fini = clean, .timeout = 60);

/* ---- enrol ---- */

Test(mfa, enrol_asks_for_a_code_tells_what_is_wrong_and_shows_recovery_codes_once)
{
	answer_begun(URI);
	answer_diagnosis(SKM_AUTH_DIAGNOSIS_SHA1, 0);
	answer_text(SKM_AUTH_OK, "1-ACEF-HJKL\n2-MQRT-UWXY");
	cr_expect_eq(
		run(skm_verb_mfa_enrol, "111111\r\n222222\n", "--user sato --label phone"), SKM_EXIT_YES);
	cr_expect_eq(request_count, 3u);
	expect_operation(0, SKM_AUTH_ENROL_BEGIN);
	expect_text(0, SKM_AUTH_TAG_USER, "sato");
	expect_text(0, SKM_AUTH_TAG_LABEL, "phone");
	expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_TOTP);
	expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA256);
	expect_number(0, SKM_AUTH_TAG_DIGITS, 6);
	expect_number(0, SKM_AUTH_TAG_PERIOD, 30);
	for (size_t i = 1; i < 3; i++) {
		expect_operation(i, SKM_AUTH_ENROL_FINISH);
		expect_text(i, SKM_AUTH_TAG_USER, "sato");
		expect_bytes(i, SKM_AUTH_TAG_TICKET, "tick\0et", 7);
		expect_number(i, SKM_AUTH_TAG_FLAGS, UINT64_MAX);
	}
	expect_bytes(1, SKM_AUTH_TAG_ANSWER, "111111", 6);
	expect_bytes(2, SKM_AUTH_TAG_ANSWER, "222222", 6);
	says("Your app ignored SHA256 and used SHA-1.");
	cr_expect_str_eq(
		out, URI "\n1-ACEF-HJKL\n2-MQRT-UWXY\n", "no terminal: the URI, then the codes:\n%s", out);
}

Test(mfa, enrol_ends_after_three_wrong_codes_and_at_the_end_of_the_input)
{
	answer_begun(URI);
	for (unsigned i = 0; i < 4; i++)
		answer_diagnosis(SKM_AUTH_DIAGNOSIS_NONE, 0);
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n2\n3\n4\n", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(request_count, 4u, "asked %zu times", request_count);
	says("nothing was registered");
	answer_begun(URI);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(request_count, 1u);
	says("nothing was registered");
}

Test(mfa, every_diagnosis_says_what_to_do)
{
	static const struct {
		enum skm_auth_diagnosis diagnosis;
		int64_t offset_sec;
		const char *en, *ja;
	} cases[] = {
		{SKM_AUTH_DIAGNOSIS_NONE, 0, "Wrong code.", "確認コードが違います。"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, 90, "about 90 s ahead of this terminal's", "約90秒進んでいます"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, -3600, "about 3600 s behind this terminal's",
			"約3600秒遅れています"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, INT64_MIN, "behind", "遅れています"},
		{SKM_AUTH_DIAGNOSIS_SHA1, 0, "--algorithm sha1 (mfa.algorithms", "SHA-1 で計算しています"},
		{SKM_AUTH_DIAGNOSIS_SHA256, 0, "--algorithm sha256", "SHA-256 で計算しています"},
		{SKM_AUTH_DIAGNOSIS_DIGITS, 0, "number of digits (6). Enrol again with --digits 8",
			"--digits 8"},
		{SKM_AUTH_DIAGNOSIS_PERIOD, 0, "period (30 s). Enrol again with --period 60", "--period 60"},
		{(enum skm_auth_diagnosis)99, 0, "Wrong code.", "確認コードが違います。"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		for (unsigned is_ja = 0; is_ja < 2; is_ja++) {
			answer_begun(URI);
			answer_diagnosis(cases[i].diagnosis, cases[i].offset_sec);
			cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "%s --user sato", is_ja ? "ja|" : ""),
				SKM_EXIT_NO);
			says(is_ja ? cases[i].ja : cases[i].en);
		}
	}
}

Test(mfa, the_uri_alone_is_one_line_and_nothing_else)
{
	answer_begun(URI);
	answer_text(SKM_AUTH_OK, "1-SECRET");
	cr_expect_eq(run(skm_verb_mfa_enrol, "",
			     "--user sato --no-confirm --uri --type hotp --algorithm SHA512 --digits 8"),
		SKM_EXIT_YES);
	cr_expect_str_eq(out, URI "\n");
	cr_expect_null(strstr(err, "1-SECRET"), "codes do not go where nobody asked for them");
	says("sekimori mfa recovery");
	expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_HOTP);
	expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA512);
	expect_number(0, SKM_AUTH_TAG_DIGITS, 8);
	expect_number(0, SKM_AUTH_TAG_PERIOD, UINT64_MAX);
	expect_number(1, SKM_AUTH_TAG_FLAGS, SKM_AUTH_FLAG_NO_CONFIRM);
	cr_expect_null(requests[1].field[SKM_AUTH_TAG_ANSWER]);
	/* What is not stored is not shown. */
	answer_begun(URI);
	(void)answer(SKM_AUTH_DENIED);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --no-confirm --uri"), SKM_EXIT_UNKNOWN);
	cr_expect_str_eq(out, "");
}

Test(mfa, a_further_token_needs_a_code_of_an_older_one)
{
	(void)answer(SKM_AUTH_PROMPT);
	(void)answer(SKM_AUTH_WRONG);
	answer_begun(URI);
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_enrol, "111111\n222222\n333333\n", "--user sato"), SKM_EXIT_YES);
	cr_assert_eq(request_count, 4u);
	cr_expect_null(requests[0].field[SKM_AUTH_TAG_ANSWER]);
	expect_operation(1, SKM_AUTH_ENROL_BEGIN);
	expect_bytes(1, SKM_AUTH_TAG_ANSWER, "111111", 6);
	expect_bytes(2, SKM_AUTH_TAG_ANSWER, "222222", 6);
	expect_operation(3, SKM_AUTH_ENROL_FINISH);
	expect_bytes(3, SKM_AUTH_TAG_ANSWER, "333333", 6);
	says("wrong verification code");
	(void)answer(SKM_AUTH_PROMPT);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato"), SKM_EXIT_USAGE);
	says("a code of what is registered already is needed");
}

Test(mfa, enrol_in_json_has_a_line_before_and_one_after)
{
	answer_begun(URI);
	answer_text(SKM_AUTH_OK, "1-A\n2-B\n");
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "--user sato --json"), SKM_EXIT_YES);
	cr_expect_str_eq(out,
		"{\"user\":\"sato\",\"enrolled\":false,\"uri\":\"" URI
		"\",\"secret\":\"GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZA\"}\n"
		"{\"user\":\"sato\",\"enrolled\":true,\"recovery_codes\":[\"1-A\",\"2-B\"]}\n");
	answer_begun(URI);
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --json --no-confirm"), SKM_EXIT_YES);
	prints("\"enrolled\":true,\"uri\":\"otpauth:");
	prints("\"recovery_codes\":[]}\n");
}

Test(mfa, the_picture_is_private_new_and_goes_when_nothing_was_registered)
{
	char path[TMPDIR_BYTES + 32];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/qr.png", folder);
	answer_begun(URI);
	(void)answer(SKM_AUTH_OK);
	(void)umask(0);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --no-confirm --png %s", path), SKM_EXIT_YES);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600u);
	cr_expect_gt(status.st_size, 1000);
	says(path);
	cr_expect_null(strstr(out, "otpauth"), "the picture was asked for, not the text");
	/* There already: nothing is asked, the file stays. */
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_UNKNOWN);
	cr_expect_eq(request_count, 0u);
	says("it exists already");
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_gt(status.st_size, 1000);
	(void)unlink(path);
	answer_begun(URI);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_NO);
	cr_expect_neq(stat(path, &status), 0);
	(void)symlink("/nonexistent/x", path);
	cr_expect_eq(run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_UNKNOWN);
}

Test(mfa, drawing_is_as_asked)
{
	answer_begun(URI);
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "--user sato --qr utf8"), SKM_EXIT_YES);
	prints("\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88");
	prints("\nGEZD GNBV ");
	cr_expect_null(strchr(out, '\033'), "no colours in a file");
	answer_begun(URI);
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "--user sato --qr ansi --uri"), SKM_EXIT_YES);
	prints("\033[40m  ");
	prints("\n" URI "\n");
}

Test(mfa, an_answer_that_is_none_is_told)
{
	answer_text(SKM_AUTH_OK, "https://example.org/");
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	says("another version");
	answer_text(SKM_AUTH_OK, URI); /* without a ticket */
	cr_expect_eq(run(skm_verb_mfa_enrol, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	answer_text(SKM_AUTH_OK, "{\"user\":\"x\"}");
	cr_expect_eq(run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_UNKNOWN);
	cr_expect_str_eq(out, "");
	exchange_count = 1;
	exchanges[0].count = 0; /* hangs up */
	cr_expect_eq(run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_UNKNOWN);
	cr_expect_str_neq(err, "");
}

/* ---- outcomes ---- */

Test(mfa, every_outcome_has_its_words_and_its_exit)
{
	for (unsigned outcome = 1; outcome < SKM_AUTH_OUTCOME_COUNT_; outcome++) {
		bool is_unexpected = outcome == SKM_AUTH_MORE || outcome == SKM_AUTH_PROMPT ||
				     outcome == SKM_AUTH_NOT_REQUIRED;
		bool is_unknown = is_unexpected || outcome == SKM_AUTH_UNAVAILABLE ||
				  outcome == SKM_AUTH_DENIED || outcome == SKM_AUTH_BUSY ||
				  outcome == SKM_AUTH_BAD_REQUEST;
		for (unsigned is_ja = 0; is_ja < 2; is_ja++) {
			(void)answer((enum skm_auth_outcome)outcome);
			int exit_code = run(
				skm_verb_mfa_unlock, "", "%s --user sato --reason lost", is_ja ? "ja|" : "");
			cr_expect_eq(exit_code, is_unknown ? SKM_EXIT_UNKNOWN : SKM_EXIT_NO, "outcome %u: %d",
				outcome, exit_code);
			cr_expect_gt(strlen(err), 20u);
			cr_expect_str_eq(out, "");
		}
	}
}

Test(mfa, a_wrong_name_is_not_called_a_wrong_code)
{
	(void)answer(SKM_AUTH_WRONG);
	cr_expect_eq(run(skm_verb_mfa_status, "", "--user nobody-here"), SKM_EXIT_NO);
	says("there is no such user");
	(void)answer(SKM_AUTH_WRONG);
	cr_expect_eq(run(skm_verb_mfa_resync, "1\n2\n", "--user sato"), SKM_EXIT_NO);
	says("wrong verification code");
}

Test(mfa, a_wait_is_told_in_minutes_and_in_json)
{
	struct skm_auth_writer *packet = answer(SKM_AUTH_LOCKED);
	skm_auth_write_number(packet, SKM_AUTH_TAG_TRIES, 6);
	skm_auth_write_number(packet, SKM_AUTH_TAG_WAIT_SEC, 841);
	cr_expect_eq(run(skm_verb_mfa_resync, "1\n2\n", "ja| --user sato --json"), SKM_EXIT_NO);
	says("sato: 入力を6回誤りました。15分後にやり直してください。");
	cr_expect_str_eq(out, "{\"user\":\"sato\",\"outcome\":\"locked\",\"tries\":6,\"wait_sec\":841}\n");
}

Test(mfa, no_service_is_told_and_is_no_answer)
{
	struct skm_cli cli = {.language = SKM_LANGUAGE_EN};
	char *argv[] = {(char[]){"verb"}, socket_option, (char[]){"--user=sato"}, NULL};
	cr_expect_eq(run_verb(skm_verb_mfa_status, &cli, "", 3, argv), SKM_EXIT_UNKNOWN);
	says("sekimori-authd) is not running");
	cli.json = true;
	cr_expect_eq(run_verb(skm_verb_mfa_list, &cli, "", 2, argv), SKM_EXIT_UNKNOWN);
	cr_expect_null(strstr(out, "]}"), "a list that was not made does not end like one");
}

/* ---- acts ---- */

Test(mfa, acts_carry_what_they_need)
{
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_unlock, "", "--user sato --reason forgot"), SKM_EXIT_YES);
	expect_operation(0, SKM_AUTH_UNLOCK);
	expect_text(0, SKM_AUTH_TAG_USER, "sato");
	expect_text(0, SKM_AUTH_TAG_REASON, "forgot");
	cr_expect_str_eq(out, "sato: unlocked\n");

	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(
		run(skm_verb_mfa_disable, "", "--user sato --token 3 --reason lost --json"), SKM_EXIT_YES);
	expect_operation(0, SKM_AUTH_DISABLE);
	expect_number(0, SKM_AUTH_TAG_TOKEN, 3);
	cr_expect_str_eq(out, "{\"user\":\"sato\",\"outcome\":\"ok\"}\n");
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_disable, "", "ja| --user uid:1234 --reason 退職"), SKM_EXIT_YES);
	expect_text(0, SKM_AUTH_TAG_USER, "uid:1234");
	expect_text(0, SKM_AUTH_TAG_REASON, "退職");
	expect_number(0, SKM_AUTH_TAG_TOKEN, UINT64_MAX);
	prints("登録をすべて削除しました");

	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_resync, "123456\n654321\n", "--user sato"), SKM_EXIT_YES);
	expect_operation(0, SKM_AUTH_RESYNC);
	expect_bytes(0, SKM_AUTH_TAG_ANSWER, "123456", 6);
	expect_bytes(0, SKM_AUTH_TAG_ANSWER2, "654321", 6);
	cr_expect_eq(run(skm_verb_mfa_resync, "123456\n", "--user sato"), SKM_EXIT_USAGE);
	cr_expect_eq(request_count, 0u);
}

Test(mfa, recovery_codes_are_shown_once_after_proof)
{
	(void)answer(SKM_AUTH_PROMPT);
	answer_text(SKM_AUTH_OK, "1-A\n2-B");
	cr_expect_eq(run(skm_verb_mfa_recovery, "123456\n", "--user sato"), SKM_EXIT_YES);
	expect_operation(1, SKM_AUTH_RECOVERY);
	expect_bytes(1, SKM_AUTH_TAG_ANSWER, "123456", 6);
	cr_expect_str_eq(out, "1-A\n2-B\n");
	says("The old recovery codes have ended.");
	answer_text(SKM_AUTH_OK, "1-A\n2-B");
	cr_expect_eq(run(skm_verb_mfa_recovery, "", "--user sato --json"), SKM_EXIT_YES);
	cr_expect_str_eq(
		out, "{\"user\":\"sato\",\"outcome\":\"ok\",\"recovery_codes\":[\"1-A\",\"2-B\"]}\n");
}

Test(mfa, a_substitute_code_has_its_last_day)
{
	for (unsigned is_json = 0; is_json < 2; is_json++) {
		struct skm_auth_writer *packet = answer(SKM_AUTH_OK);
		skm_auth_write_text(packet, SKM_AUTH_TAG_TEXT, "0-ACEF-HJKL");
		/* 2026-11-24 00:00 in Japan: the 23rd is the last day. */
		skm_auth_write_number(packet, SKM_AUTH_TAG_UNTIL, 1795446000);
		cr_expect_eq(run(skm_verb_mfa_substitute, "", "--user sato --reason lost --days 3%s",
				     is_json ? " --json" : ""),
			SKM_EXIT_YES);
		expect_operation(0, SKM_AUTH_SUBSTITUTE);
		expect_number(0, SKM_AUTH_TAG_DAYS, 3);
		cr_expect_str_eq(
			out, is_json ? "{\"user\":\"sato\",\"outcome\":\"ok\",\"code\":\"0-ACEF-HJKL\","
				       "\"last_day\":\"2026-11-23\"}\n"
				     : "0-ACEF-HJKL\n");
	}
	(void)answer(SKM_AUTH_REFUSED);
	cr_expect_eq(run(skm_verb_mfa_substitute, "", "--user sato --reason lost"), SKM_EXIT_NO);
	expect_number(0, SKM_AUTH_TAG_DAYS, 1);
	says("mfa.substitute_days_max");
}

/* ---- import ---- */

Test(mfa, import_takes_secrets_and_uris_also_from_stdin)
{
	static const char secret[] = "12345678901234567890";
	static const char *const forms[] = {
		"--secret GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --type hotp --algorithm sha1 --digits 8 --counter 7",
		"--secret - --type hotp --algorithm sha1 --digits 8 --counter 7",
		"--uri otpauth://hotp/X:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=8&counter=7",
		"--uri -"};
	static const char *const typed[] = {"", "gezd gnbv gy3t qojq-gezd-gnbv-gy3t-qojq\n", "",
		"otpauth://hotp/X:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=8&counter=7\n"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forms); i++) {
		(void)answer(SKM_AUTH_OK);
		cr_expect_eq(run(skm_verb_mfa_import, typed[i], "--user sato --label Counter %s", forms[i]),
			SKM_EXIT_YES, "%s: %s", forms[i], err);
		expect_operation(0, SKM_AUTH_IMPORT);
		expect_text(0, SKM_AUTH_TAG_LABEL, "Counter");
		expect_bytes(0, SKM_AUTH_TAG_SECRET, secret, 20);
		expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_HOTP);
		expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA1);
		expect_number(0, SKM_AUTH_TAG_DIGITS, 8);
		expect_number(0, SKM_AUTH_TAG_COUNTER, 7);
		expect_number(0, SKM_AUTH_TAG_PERIOD, UINT64_MAX);
	}
}

Test(mfa, import_tells_what_is_wrong_without_repeating_the_secret)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{"--user s", "one of --uri and --secret"},
		{"--user s --secret A --uri B", "one of --uri and --secret"},
		{"--secret GEZDGNBVGY3TQOJQ", "--user NAME"},
		{"--user s --secret 0189", "the secret is not base32"},
		{"--user s --secret GEZDGNBV", "16 to 64 bytes"},
		{"--user s --uri https://x", "no otpauth URI"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=7",
			"6 or 8 digits"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBV", "16 to 64 bytes"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --digits 8",
			"the URI itself says"},
		{"--user s --uri -", "no line on stdin"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		cr_expect_eq(run(skm_verb_mfa_import, "", "%s", cases[i].options), SKM_EXIT_USAGE, "%s",
			cases[i].options);
		says(cases[i].says);
		cr_expect_null(strstr(err, "GEZD"), "%s", err);
		cr_expect_eq(request_count, 0u);
	}
}

/* ---- list and status ---- */

#define PERSON(name, state, locked)                                                                               \
	"{\"user\":\"" name "\",\"uid\":1001,\"enrolled\":true,\"state\":\"" state                                \
	"\",\"required\":true,\"grace_until\":null,\"tokens\":[{\"id\":1,\"label\":\"窓口\",\"type\":\"totp\"," \
	"\"algorithm\":\"SHA256\",\"digits\":6,\"period\":30,\"enrolled\":\"2026-11-21T09:00:00.000+09:00\","     \
	"\"last_used\":null}],\"recovery_left\":9,\"substitute_until\":null,\"failures\":{\"system\":2,"          \
	"\"self\":0},\"locked_sec\":{\"system\":" locked ",\"self\":0}}"

static void answer_people(const char *first, const char *second)
{
	struct exchange *exchange = &exchanges[exchange_count];
	(void)answer(SKM_AUTH_MORE);
	skm_auth_write_text(&exchange->packets[0], SKM_AUTH_TAG_TEXT, first);
	skm_auth_write_begin(&exchange->packets[1], SKM_AUTH_MORE);
	skm_auth_write_text(&exchange->packets[1], SKM_AUTH_TAG_TEXT, second);
	skm_auth_write_begin(&exchange->packets[2], SKM_AUTH_OK);
	exchange->count = 3;
}

Test(mfa, the_list_is_harmless_and_says_who_needs_attention)
{
	answer_people(PERSON("sato", "ok", "0"), PERSON("e\\u001b[2Jvil\\u202e", "damaged", "0"));
	cr_expect_eq(run(skm_verb_mfa_list, "", ""), SKM_EXIT_NO);
	prints("sato                     registered       yes      1        9\n");
	prints("RECORD DAMAGED");
	prints("2 people\n");
	cr_expect_null(strchr(out, '\033'));
	cr_expect_null(strstr(out, "\xe2\x80\xae"));
	answer_people(PERSON("sato", "ok", "0"), PERSON("ito", "ok", "0"));
	cr_expect_eq(run(skm_verb_mfa_list, "", "--json"), SKM_EXIT_YES);
	cr_expect_str_eq(out, "{\"people\":[" PERSON("sato", "ok", "0") "," PERSON("ito", "ok", "0") "]}\n");
	(void)answer(SKM_AUTH_OK);
	cr_expect_eq(run(skm_verb_mfa_list, "", "--json"), SKM_EXIT_YES);
	cr_expect_str_eq(out, "{\"people\":[]}\n");
	(void)answer(SKM_AUTH_DENIED);
	cr_expect_eq(run(skm_verb_mfa_list, "", "ja|"), SKM_EXIT_UNKNOWN);
	says("権限がありません");
}

Test(mfa, status_is_0_only_when_the_factor_can_be_used)
{
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "0"));
	cr_expect_eq(run(skm_verb_mfa_status, "", "ja| --user sato"), SKM_EXIT_YES);
	prints("状態              登録済み\n");
	prints("トークン 1        totp SHA256 6桁 30秒 登録 2026-11-21  窓口\n");
	prints("代用コード        残り9個\n");
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "61"));
	cr_expect_eq(run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_NO);
	prints("LOCKED (2 wrong codes, 2 min to go)");
	answer_text(SKM_AUTH_OK, PERSON("sato", "rolled-back", "0"));
	cr_expect_eq(run(skm_verb_mfa_status, "", "--user sato --json"), SKM_EXIT_NO);
	cr_expect_str_eq(out, PERSON("sato", "rolled-back", "0") "\n");
	/* Without --user it is the caller. */
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "0"));
	(void)run(skm_verb_mfa_status, "", "");
	cr_expect_not_null(requests[0].field[SKM_AUTH_TAG_USER]);
}

/* ---- the machine's login ---- */

#define ABSENT(required)                                                                           \
	"{\"user\":\"x\",\"uid\":1,\"enrolled\":false,\"state\":\"absent\",\"required\":" required \
	",\"grace_until\":null,\"tokens\":[],\"recovery_left\":0,\"substitute_until\":null}"

/* A stand-in for pam-auth-update that edits the file as the real one would. */
static void make_machine(void)
{
	tmpdir_write(folder,
		"root:x:0:0::/root:/bin/bash\nsato:x:1000:1000::/:/bin/bash\n"
		"daemon:x:1:1::/:/bin/bash\nbot:x:1001:1001::/:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n",
		"m/etc/passwd");
	tmpdir_write(folder, "sekimori-admin:x:990:sato\n", "m/etc/group");
	tmpdir_write(folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	tmpdir_write(folder, "@include common-auth\n", "m/etc/pam.d/sshd");
	tmpdir_write(folder, "", "m/var/lib/sekimori/x");
	tmpdir_write(folder,
		"#!/bin/sh\nfile=$(dirname \"$0\")/m/etc/pam.d/common-auth\necho \"$@\" >>\"$0.log\"\n"
		"case $2 in\n--enable) echo 'auth required pam_sekimori.so' >>\"$file\" ;;\n"
		"--remove) sed -i /pam_sekimori/d \"$file\" ;;\nesac\n",
		"switch");
	char path[TMPDIR_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%s/switch", folder);
	(void)chmod(path, 0755);
}

static int run_machine(verb_fn verb, const char *typed, const char *options)
{
	return run(verb, typed, "--root %s/m --pam-auth-update %s/switch %s", folder, folder, options);
}

static void answer_factor(enum skm_auth_factor factor)
{
	skm_auth_write_number(answer(SKM_AUTH_OK), SKM_AUTH_TAG_FACTOR, factor);
}

Test(mfa, enable_switches_after_a_round_trip_and_disable_goes_back)
{
	make_machine();
	(void)answer(SKM_AUTH_WRONG);
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	answer_text(SKM_AUTH_OK, PERSON("root", "ok", "0"));
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "0"));
	cr_expect_eq(
		run_machine(skm_verb_mfa_enable, "111111\n222222\n", "--user sato"), SKM_EXIT_YES, "%s", err);
	expect_operation(1, SKM_AUTH_VERIFY);
	expect_text(1, SKM_AUTH_TAG_USER, "sato");
	expect_text(1, SKM_AUTH_TAG_SERVICE, "sekimori-mfa-enable");
	expect_bytes(1, SKM_AUTH_TAG_ANSWER, "222222", 6);
	expect_text(2, SKM_AUTH_TAG_USER, "root");
	expect_text(3, SKM_AUTH_TAG_USER, "sato");
	tmpdir_expect(folder, "--package --enable sekimori sekimori-split\n", "switch.log");
	tmpdir_expect(folder, "auth required pam_unix.so\nauth required pam_sekimori.so\n",
		"m/etc/pam.d/common-auth");
	tmpdir_expect(folder, "auth required pam_unix.so\n", "m/var/lib/sekimori/pam-before/common-auth");
	tmpdir_expect(folder, "@include common-auth\n", "m/var/lib/sekimori/pam-before/sshd");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "", "--user sato"), SKM_EXIT_YES, "it is on already");
	prints("It is on already");
	tmpdir_expect(folder, "auth required pam_unix.so\n", "m/var/lib/sekimori/pam-before/common-auth");

	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", ""), SKM_EXIT_NO, "nobody confirmed");
	says("confirm with --yes");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes"), SKM_EXIT_YES);
	prints("is what it was before");
	tmpdir_expect(folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes --json"), SKM_EXIT_YES);
	cr_expect_str_eq(out, "{\"changed\":false}\n");
}

Test(mfa, enable_refuses_without_a_token_of_an_administrator)
{
	make_machine();
	answer_factor(SKM_AUTH_FACTOR_RECOVERY);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	says("not a recovery code");
	(void)answer(SKM_AUTH_NOT_REQUIRED);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	says("nothing registered");
	(void)answer(SKM_AUTH_UNENROLLED);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "", "--user sato"), SKM_EXIT_NO);
	says("an administrator's code is needed");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user bot"), SKM_EXIT_NO);
	says("neither root nor in sekimori-admin");
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user ghost"), SKM_EXIT_UNKNOWN);
	tmpdir_expect(folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
}

Test(mfa, enable_names_those_who_would_be_locked_out)
{
	make_machine();
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	answer_text(SKM_AUTH_OK, ABSENT("false"));
	answer_text(SKM_AUTH_OK, ABSENT("true"));
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_NO);
	says("  sato\n");
	cr_expect_null(strstr(err, "  root\n"), "the policy asks nothing of root here");
	tmpdir_expect(folder, "auth required pam_unix.so\n", "m/etc/pam.d/common-auth");
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	answer_text(SKM_AUTH_OK, PERSON("root", "wrong-key", "0"));
	answer_text(SKM_AUTH_OK, ABSENT("true"));
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "ja| --user sato --yes"), SKM_EXIT_YES);
	says("  root\n  sato\n");
	/* Something else changed meanwhile: told, and left. */
	tmpdir_write(folder, "other\n", "m/etc/pam.d/sshd");
	tmpdir_write(folder, "new\n", "m/etc/pam.d/xrdp");
	cr_expect_eq(run_machine(skm_verb_mfa_disable, "", "--yes"), SKM_EXIT_YES);
	says("not as it was kept: sshd");
	says("not as it was kept: xrdp");
	tmpdir_expect(folder, "other\n", "m/etc/pam.d/sshd");
}

Test(mfa, a_switch_that_does_nothing_or_fails_is_told_and_taken_back)
{
	make_machine();
	tmpdir_write(folder, "#!/bin/sh\necho \"$@\" >>\"$0.log\"\n", "switch");
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	answer_text(SKM_AUTH_OK, PERSON("root", "ok", "0"));
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "0"));
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	says("did not change");
	tmpdir_expect(folder,
		"--package --enable sekimori sekimori-split\n--package --remove sekimori sekimori-split\n",
		"switch.log");
	tmpdir_write(folder, "#!/bin/sh\nexit 3\n", "switch");
	answer_factor(SKM_AUTH_FACTOR_TOKEN);
	answer_text(SKM_AUTH_OK, PERSON("root", "ok", "0"));
	answer_text(SKM_AUTH_OK, PERSON("sato", "ok", "0"));
	cr_expect_eq(run_machine(skm_verb_mfa_enable, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	says("pam-auth-update failed");
}
