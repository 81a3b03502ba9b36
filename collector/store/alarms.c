// SPDX-License-Identifier: Apache-2.0
/* A mail may be late but not lost, and it must never hold up the records: the lines wait in a file; a child
 * process gives them to sendmail, which queues; they are removed when it said that it has them. Lines of one
 * minute are one mail, so that a thousand terminals that lose their switch are one mail too. syslog, SNMP and
 * our own SMTP were rejected: the system's sendmail is configured already, or is one package. */
#include "alarms.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sekimori/io.h"
#include "sekimori/log.h"
#include "sekimori/stream.h"

#define WAITING "mail"
#define SENDING "mail.sending"
#define BETWEEN_CHECKPOINTS_USEC (600 * SKM_USEC_PER_SEC)
#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define BETWEEN_MAILS_USEC (60 * SKM_USEC_PER_SEC)
#define AFTER_FAILURE_USEC (300 * SKM_USEC_PER_SEC)
#define SENDMAIL_LIMIT_USEC (120 * SKM_USEC_PER_SEC)
#define WAITING_MAX_BYTES (1 << 20) /* beyond, the record alone tells */

struct skm_alarms {
	struct skm_alarms_options options;
	char *mail_to, *sendmail;
	struct skm_stream *stream;
	char boot_id[SKM_BOOT_ID_BYTES];
	pid_t child; /* 0 = none */
	uint64_t child_since_usec, next_mail_usec, next_checkpoint_usec;
	bool has_told_failure;
};

bool skm_notice_is_alarm(enum skm_notice_kind kind)
{
	switch (kind) {
	case SKM_NOTICE_BEGIN:
	case SKM_NOTICE_FILLED:
	case SKM_NOTICE_HEARD:
		return false;
	case SKM_NOTICE_RESTART:
	case SKM_NOTICE_GAP:
	case SKM_NOTICE_EDIT:
	case SKM_NOTICE_FORK:
	case SKM_NOTICE_FOREIGN:
	case SKM_NOTICE_MISMATCH:
	case SKM_NOTICE_DROP:
	case SKM_NOTICE_SILENT:
	case SKM_NOTICE_STOPPED:
	case SKM_NOTICE_DISK:
	case SKM_NOTICE_COUNT_:
	default:
		return true;
	}
}

static struct skm_timestamp now(const struct skm_alarms *alarms)
{
	struct skm_timestamp time;
	alarms->options.clock.now(alarms->options.clock.user, &time);
	return time;
}

static void stamp(void *user, struct skm_record *record)
{
	const struct skm_alarms *alarms = user;
	record->stream = "store";
	record->time = now(alarms);
	(void)snprintf(record->boot_id, sizeof(record->boot_id), "%s", alarms->boot_id);
}

int skm_alarms_new(const struct skm_alarms_options *options, struct skm_alarms **ret_alarms)
{
	struct skm_alarms *alarms = calloc(1, sizeof(*alarms));
	if (!alarms)
		return -ENOMEM;
	alarms->options = *options;
	if (skm_boot_id_read(alarms->boot_id) < 0)
		alarms->boot_id[0] = '\0';
	if (options->mail_to) {
		alarms->mail_to = strdup(options->mail_to);
		alarms->sendmail = strdup(options->sendmail);
	}
	int r = skm_stream_new(options->log_folder, SEGMENT_BYTES, &alarms->stream);
	if (r < 0 || (options->mail_to && (!alarms->mail_to || !alarms->sendmail))) {
		(void)skm_alarms_free(alarms);
		return r < 0 ? r : -ENOMEM;
	}
	skm_stream_set_stamp(alarms->stream, stamp, alarms);
	struct skm_stream_chain_options chain = {.path = options->chain_path,
		.verifier_key = options->verifier_key,
		.boot_id = alarms->boot_id};
	r = skm_stream_set_chain(alarms->stream, &chain);
	if (r < 0) {
		(void)skm_alarms_free(alarms);
		return r;
	}
	alarms->next_checkpoint_usec = now(alarms).boottime_usec + BETWEEN_CHECKPOINTS_USEC;
	*ret_alarms = alarms;
	return 0;
}

struct skm_alarms *skm_alarms_free(struct skm_alarms *alarms)
{
	if (!alarms)
		return NULL;
	if (alarms->stream)
		skm_stream_checkpoint(alarms->stream, "stop");
	(void)skm_stream_free(alarms->stream);
	free(alarms->mail_to);
	free(alarms->sendmail);
	free(alarms);
	return NULL;
}

/* ---- the record ---- */

static void format_numbers(const struct skm_notice *notice, char *text, size_t size)
{
	if (notice->first == 0)
		text[0] = '\0';
	else if (notice->last > notice->first)
		(void)snprintf(text, size, " %" PRIu64 "..%" PRIu64, notice->first, notice->last);
	else
		(void)snprintf(text, size, " %" PRIu64, notice->first);
}

void skm_alarms_fact(struct skm_alarms *alarms, enum skm_event event, const char *detail)
{
	struct skm_record record;
	skm_record_init(&record, event);
	stamp(alarms, &record);
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:collector");
	(void)snprintf(record.object, sizeof(record.object), "sekimori-store");
	(void)snprintf(record.detail, sizeof(record.detail), "%s", detail);
	skm_stream_append(alarms->stream, &record);
}

static void record_notice(struct skm_alarms *alarms, const struct skm_notice *notice, const char *numbers)
{
	struct skm_record record;
	char id[2 * SKM_CHAIN_ID_BYTES + 1];
	skm_hex_format(notice->chain_id, sizeof(notice->chain_id), id);
	skm_record_init(&record,
		skm_notice_is_alarm(notice->kind) ? SKM_EVENT_COLLECTOR_ALARM : SKM_EVENT_COLLECTOR_NOTICE);
	stamp(alarms, &record);
	(void)snprintf(record.rule, sizeof(record.rule), "collector:%s", skm_notice_to_string(notice->kind));
	(void)snprintf(
		record.object, sizeof(record.object), "%s/%s %s", notice->terminal, notice->stream, id);
	(void)snprintf(record.detail, sizeof(record.detail), "%s%s: %s", skm_notice_to_string(notice->kind),
		numbers, notice->text);
	skm_stream_append(alarms->stream, &record);
	skm_log_record(&record);
}

/* ---- the mail ---- */

/* What a terminal calls itself, in a mail: nothing that could begin a line. */
static void plain(const char *text, char *ret_text, size_t size)
{
	size_t at = 0;
	for (; *text && at + 1 < size; text++)
		ret_text[at++] = (char)((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
	ret_text[at] = '\0';
}

static void put_line(struct skm_alarms *alarms, const struct skm_notice *notice, const char *numbers)
{
	char line[512], time_text[SKM_RFC3339_BYTES], terminal[SKM_WIRE_TERMINAL_BYTES], text[192];
	struct skm_timestamp time = now(alarms);
	struct stat st;
	skm_timestamp_format(&time, time_text);
	plain(notice->terminal, terminal, sizeof(terminal));
	plain(notice->text, text, sizeof(text));
	int len = snprintf(line, sizeof(line), "%s  %-8s  %s (%s)%s: %s\n", time_text,
		skm_notice_to_string(notice->kind), terminal[0] ? terminal : "-",
		notice->stream[0] ? notice->stream : "-", numbers, text);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(alarms->options.folderfd, WAITING,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > WAITING_MAX_BYTES)
		return;
	/* On a full disk the mail is what can still be sent: there the record waits in memory as well, and
	 * stderr has told. */
	if (fd < 0 || skm_fd_write_all(fd, line, (size_t)len) < 0)
		skm_log(SKM_SEVERITY_ALERT, "cannot keep an alarm for the mail: %s", strerrordesc_np(errno));
}

void skm_alarms_raise(struct skm_alarms *alarms, const struct skm_notice *notice)
{
	char numbers[64];
	format_numbers(notice, numbers, sizeof(numbers));
	record_notice(alarms, notice, numbers);
	if (alarms->mail_to && skm_notice_is_alarm(notice->kind))
		put_line(alarms, notice, numbers);
}

int skm_alarms_flush(struct skm_alarms *alarms)
{
	return skm_stream_flush(alarms->stream);
}

static size_t count_lines(int fd)
{
	char block[4096];
	size_t lines = 0;
	ssize_t n;
	for (off_t at = 0; (n = pread(fd, block, sizeof(block), at)) > 0; at += n) {
		for (ssize_t i = 0; i < n; i++)
			lines += block[i] == '\n';
	}
	return lines;
}

/* The message in a file that has no name any more: sendmail reads at its own pace, and nobody waits at the
 * other end of a pipe. -1 when there is nothing to send, or no way to. */
static int compose(const struct skm_alarms *alarms)
{
	char head[512], block[4096];
	int folderfd = alarms->options.folderfd;
	SKM_CLEANUP(skm_fd_close) int lines = openat(folderfd, SENDING, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (lines < 0) {
		if (renameat(folderfd, WAITING, folderfd, SENDING) < 0)
			return -1;
		lines = openat(folderfd, SENDING, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(folderfd, "mail.message", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lines < 0 || fd < 0)
		return -1;
	(void)unlinkat(folderfd, "mail.message", 0);
	/* RFC 2047 for the Japanese words "audit log alarm". */
	int len = snprintf(head, sizeof(head),
		"To: %s\nSubject: [Sekimori] =?UTF-8?B?55uj5p+76KiY6Yyy44Gu6K2m5aCx?= (%zu)\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
		"Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n",
		alarms->mail_to, count_lines(lines));
	bool is_right = len > 0 && (size_t)len < sizeof(head) && skm_fd_write_all(fd, head, (size_t)len) == 0;
	ssize_t n = 0;
	while (is_right && (n = read(lines, block, sizeof(block))) > 0)
		is_right = skm_fd_write_all(fd, block, (size_t)n) == 0;
	if (!is_right || n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return skm_fd_take(&fd);
}

/* The store blocks signals and ignores SIGPIPE; sendmail must not inherit that. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, usual;
	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	int r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &usual);
	return r;
}

static int start_sendmail(struct skm_alarms *alarms, int message)
{
	char flags[][3] = {"-t", "-i"};
	char *const arguments[] = {alarms->sendmail, flags[0], flags[1], NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = set_signals(&attributes);
		if (r == 0)
			r = posix_spawn_file_actions_adddup2(&actions, message, STDIN_FILENO);
		/* Our stdout is the line to rsyslog: a child's word there would be an answer. */
		if (r == 0)
			r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
		if (r == 0)
			r = posix_spawn(
				&alarms->child, alarms->sendmail, &actions, &attributes, arguments, environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		alarms->child = 0;
	return -r;
}

static void tell_failure(struct skm_alarms *alarms, const char *why)
{
	if (!alarms->has_told_failure)
		skm_log(SKM_SEVERITY_ALERT, "cannot mail alarms by %s: %s; trying again every five minutes",
			alarms->sendmail, why);
	alarms->has_told_failure = true;
}

static void look_after_child(struct skm_alarms *alarms, uint64_t now_usec)
{
	int status = 0;
	pid_t pid = waitpid(alarms->child, &status, WNOHANG);
	if (pid == 0) {
		if (now_usec - alarms->child_since_usec > SENDMAIL_LIMIT_USEC)
			(void)kill(alarms->child, SIGKILL);
		return;
	}
	alarms->child = 0;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		(void)unlinkat(alarms->options.folderfd, SENDING, 0);
		alarms->has_told_failure = false;
		alarms->next_mail_usec = now_usec + BETWEEN_MAILS_USEC;
		return;
	}
	tell_failure(alarms, "it did not take them");
	alarms->next_mail_usec = now_usec + AFTER_FAILURE_USEC;
}

void skm_alarms_tick(struct skm_alarms *alarms)
{
	uint64_t now_usec = now(alarms).boottime_usec;
	if (now_usec >= alarms->next_checkpoint_usec) {
		alarms->next_checkpoint_usec = now_usec + BETWEEN_CHECKPOINTS_USEC;
		skm_stream_checkpoint(alarms->stream, "time");
		(void)!skm_stream_flush(
			alarms->stream); /* it waits in memory when it fails, and stderr has told */
	}
	if (alarms->child > 0)
		look_after_child(alarms, now_usec);
	if (!alarms->mail_to || alarms->child > 0 || now_usec < alarms->next_mail_usec)
		return;
	SKM_CLEANUP(skm_fd_close) int message = compose(alarms);
	if (message < 0)
		return;
	alarms->child_since_usec = now_usec;
	int r = start_sendmail(alarms, message);
	if (r < 0) {
		tell_failure(alarms, strerrordesc_np(-r));
		alarms->next_mail_usec = now_usec + AFTER_FAILURE_USEC;
	}
}
