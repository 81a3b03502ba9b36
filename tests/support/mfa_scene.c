// SPDX-License-Identifier: Apache-2.0
/* The authd is a process of its own that writes down each request as it came: what was asked is read back
 * when the verb has ended, so that a verb that hangs or asks too often is seen as well. */
#include "mfa_scene.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PRINTED_BYTES 65536

struct mfa_exchange mfa_exchanges[MFA_EXCHANGES_MAX];
size_t mfa_exchange_count;
char mfa_folder[TMPDIR_BYTES];
char mfa_socket_option[TMPDIR_BYTES + 32];
static pid_t authd;
static uint8_t asked[MFA_EXCHANGES_MAX][SKM_AUTH_PACKET_MAX];
struct skm_auth_packet mfa_requests[MFA_EXCHANGES_MAX];
size_t mfa_request_count;
char mfa_out[PRINTED_BYTES];
char mfa_err[PRINTED_BYTES];

/* ---- the authd ---- */

struct skm_auth_writer *mfa_answer(enum skm_auth_outcome outcome)
{
	struct mfa_exchange *exchange = &mfa_exchanges[mfa_exchange_count++];
	exchange->count = 1;
	skm_auth_write_begin(&exchange->packets[0], (uint8_t)outcome);
	return &exchange->packets[0];
}

void mfa_answer_text(enum skm_auth_outcome outcome, const char *text)
{
	skm_auth_write_text(mfa_answer(outcome), SKM_AUTH_TAG_TEXT, text);
}

void mfa_answer_begun(const char *uri)
{
	struct skm_auth_writer *packet = mfa_answer(SKM_AUTH_OK);
	skm_auth_write_bytes(packet, SKM_AUTH_TAG_TICKET, "tick\0et", 7);
	skm_auth_write_text(packet, SKM_AUTH_TAG_TEXT, uri);
}

void mfa_answer_diagnosis(enum skm_auth_diagnosis diagnosis, int64_t offset_sec)
{
	struct skm_auth_writer *packet = mfa_answer(SKM_AUTH_WRONG);
	skm_auth_write_number(packet, SKM_AUTH_TAG_DIAGNOSIS, diagnosis);
	skm_auth_write_number(packet, SKM_AUTH_TAG_OFFSET_SEC, (uint64_t)offset_sec);
}

static _Noreturn void serve(int listen_fd)
{
	char path[TMPDIR_BYTES + 32];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(path, sizeof(path), "%s/requests", mfa_folder);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (size_t i = 0; i < mfa_exchange_count; i++) {
		int fd = accept(listen_fd, NULL, NULL);
		uint8_t buf[SKM_AUTH_PACKET_MAX];
		ssize_t len = recv(fd, buf, sizeof(buf), 0);
		uint16_t record_len = (uint16_t)len;
		if (len <= 0 || write(log, &record_len, 2) != 2 || write(log, buf, (size_t)len) != len)
			_exit(1);
		for (size_t k = 0; k < mfa_exchanges[i].count; k++)
			(void)send(fd, mfa_exchanges[i].packets[k].buf, mfa_exchanges[i].packets[k].len,
				MSG_NOSIGNAL);
		(void)close(fd);
	}
	_exit(0);
}

static void authd_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/auth", mfa_folder);
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

/* Reads what was asked; the authd is gone afterwards, and the next mfa_run begins anew. */
static void authd_stop(void)
{
	char path[TMPDIR_BYTES + 32];
	(void)kill(authd, SIGKILL);
	(void)waitpid(authd, NULL, 0);
	(void)snprintf(path, sizeof(path), "%s/requests", mfa_folder);
	FILE *log = fopen(path, "re");
	mfa_request_count = 0;
	for (uint16_t len; log && mfa_request_count < MFA_EXCHANGES_MAX && fread(&len, 2, 1, log) == 1;) {
		cr_assert_eq(fread(asked[mfa_request_count], 1, len, log), len);
		cr_assert_eq(skm_auth_packet_parse(
				     asked[mfa_request_count], len, &mfa_requests[mfa_request_count]),
			0);
		mfa_request_count++;
	}
	if (log)
		(void)fclose(log);
	(void)unlink(path);
	mfa_exchange_count = 0;
}

/* ---- the command ---- */

static void catch_into(FILE *file, char *text)
{
	rewind(file);
	size_t len = fread(text, 1, PRINTED_BYTES - 1, file);
	text[len] = '\0';
	(void)fclose(file);
}

int mfa_run_verb(mfa_verb_fn verb, struct skm_cli *cli, const char *typed, int argc, char **argv)
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
	catch_into(files[1], mfa_out);
	catch_into(files[2], mfa_err);
	return exit_code;
}

int mfa_run(mfa_verb_fn verb, const char *typed, const char *options_format, ...)
{
	char options[1024];
	char *argv[32] = {(char[]){"verb"}, mfa_socket_option};
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
	int exit_code = mfa_run_verb(verb, &cli, typed, argc, argv);
	authd_stop();
	return exit_code;
}

void mfa_prints(const char *text)
{
	cr_expect_not_null(
		strstr(mfa_out, text), "\"%s\" is not in stdout:\n%s\nstderr:\n%s", text, mfa_out, mfa_err);
}

void mfa_says(const char *text)
{
	cr_expect_not_null(strstr(mfa_err, text), "\"%s\" is not in stderr:\n%s", text, mfa_err);
}

void mfa_expect_text(size_t request, enum skm_auth_tag tag, const char *wanted)
{
	char text[1024] = "";
	cr_assert_lt(request, mfa_request_count, "asked %zu times; stderr: %s", mfa_request_count, mfa_err);
	(void)skm_auth_packet_text(&mfa_requests[request], tag, text, sizeof(text));
	cr_expect_str_eq(
		text, wanted, "request %zu, tag %d: \"%s\", not \"%s\"", request, (int)tag, text, wanted);
}

void mfa_expect_bytes(size_t request, enum skm_auth_tag tag, const void *wanted, size_t len)
{
	cr_assert_lt(request, mfa_request_count);
	const struct skm_auth_packet *packet = &mfa_requests[request];
	cr_assert_not_null(packet->field[tag], "request %zu has no tag %d", request, (int)tag);
	cr_expect(packet->field_len[tag] == len && memcmp(packet->field[tag], wanted, len) == 0,
		"request %zu, tag %d: %.*s", request, (int)tag, (int)packet->field_len[tag],
		packet->field[tag]);
}

void mfa_expect_number(size_t request, enum skm_auth_tag tag, uint64_t wanted)
{
	cr_assert_lt(request, mfa_request_count);
	cr_expect_eq(skm_auth_packet_number(&mfa_requests[request], tag, UINT64_MAX), wanted,
		"request %zu, tag %d", request, (int)tag);
}

void mfa_expect_operation(size_t request, enum skm_auth_operation operation)
{
	cr_assert_lt(request, mfa_request_count, "asked %zu times; stderr: %s", mfa_request_count, mfa_err);
	cr_expect_eq(mfa_requests[request].code, operation);
}

void mfa_scene_make(void)
{
	tmpdir_make(mfa_folder);
	(void)snprintf(mfa_socket_option, sizeof(mfa_socket_option), "--socket=%s/auth", mfa_folder);
	(void)setenv("TZ", "Asia/Tokyo", 1);
}

void mfa_scene_remove(void)
{
	tmpdir_remove(mfa_folder);
}
