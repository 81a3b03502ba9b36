// SPDX-License-Identifier: Apache-2.0
/* Many logins at one moment, or one after the other, from pam_start to pam_end: the same program for every
 * PAM service, so that modules are compared in one run.
 *
 *   race SERVICE USER together [TIMES]   reads answers from stdin, one a line; TIMES sessions for each
 *   race SERVICE USER in-turn [WARM-UP]  the same, one session after the other in this process; the first
 *                                        WARM-UP are not measured
 *
 * "together" forks, as logins are processes of their own (a module may change its process's identity), and
 * lets all go at once by closing a pipe. Each session gives its answer to every question and waits for no
 * fail delay: an attacker has his own program. Prints one JSON object: how many were accepted, how often each
 * PAM code and each message came, and how long it took (microseconds). */
#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX 4096
#define ANSWER_BYTES 128
#define TEXT_BYTES 160

struct session {
	char answer[ANSWER_BYTES];
	int code; /* of pam_authenticate; -1 = it never ended */
	unsigned prompts;
	int64_t usec;
	char text[TEXT_BYTES]; /* the last message that was no question */
};

static int64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void no_delay(int code, unsigned usec, void *user)
{
	(void)code;
	(void)usec;
	(void)user;
}

static int converse(
	int count, const struct pam_message **messages, struct pam_response **ret_responses, void *user)
{
	struct session *session = user;
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF ||
			messages[i]->msg_style == PAM_PROMPT_ECHO_ON) {
			responses[i].resp = strdup(session->answer);
			session->prompts++;
		} else {
			snprintf(session->text, sizeof(session->text), "%s", messages[i]->msg);
		}
	}
	*ret_responses = responses;
	return PAM_SUCCESS;
}

static void run_session(const char *service, const char *name, struct session *session)
{
	const struct pam_conv conversation = {.conv = converse, .appdata_ptr = session};
	pam_handle_t *pam = NULL;
	int64_t began = now_usec();
	int code = pam_start(service, name, &conversation, &pam);

	if (code == PAM_SUCCESS) {
		pam_set_item(pam, PAM_FAIL_DELAY, (const void *)(uintptr_t)no_delay);
		code = pam_authenticate(pam, 0);
	}
	pam_end(pam, code);
	session->usec = now_usec() - began;
	session->code = code;
}

static int run_together(const char *service, const char *name, struct session *sessions, size_t count)
{
	int gate[2], ready[2];
	char byte = 0;

	if (pipe(gate) < 0 || pipe(ready) < 0)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			return -errno;
		if (child == 0) {
			close(gate[1]);
			if (write(ready[1], &byte, 1) != 1 || read(gate[0], &byte, 1) != 0)
				_exit(1);
			run_session(service, name, &sessions[i]);
			_exit(0);
		}
	}
	for (size_t i = 0; i < count; i++)
		if (read(ready[0], &byte, 1) != 1)
			return -EIO;
	close(gate[1]); /* they read the end of the file, all of them */
	while (wait(NULL) > 0)
		;
	return 0;
}

static int compare_usec(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* "what": {"value": how often, …} for a member of the sessions, which is turned into text by `show`. */
static void print_counts(const char *what, const struct session *sessions, size_t count,
	void (*show)(const struct session *session, char *buf, size_t size))
{
	const char *comma = "";
	char text[TEXT_BYTES], other[TEXT_BYTES];

	printf(", \"%s\": {", what);
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;
		bool is_first = true;

		show(&sessions[i], text, sizeof(text));
		for (size_t j = 0; j < count && is_first; j++) {
			show(&sessions[j], other, sizeof(other));
			if (strcmp(text, other) != 0)
				continue;
			same++;
			is_first = j >= i;
		}
		if (!is_first || text[0] == '\0')
			continue;
		printf("%s\"%s\": %zu", comma, text, same);
		comma = ", ";
	}
	putchar('}');
}

static void show_code(const struct session *session, char *buf, size_t size)
{
	snprintf(buf, size, "%d", session->code);
}

/* What would end a JSON string is left out: these are messages for people. */
static void show_text(const struct session *session, char *buf, size_t size)
{
	size_t len = 0;

	for (const char *c = session->text; *c != '\0' && len + 1 < size; c++)
		if (*c != '"' && *c != '\\' && (unsigned char)*c >= ' ')
			buf[len++] = *c;
	buf[len] = '\0';
}

static void print_result(const char *service, const struct session *sessions, size_t count)
{
	static int64_t usec[SESSIONS_MAX];
	size_t accepted = 0, prompts = 0, unfinished = 0;

	for (size_t i = 0; i < count; i++) {
		usec[i] = sessions[i].usec;
		accepted += sessions[i].code == PAM_SUCCESS;
		unfinished += sessions[i].code < 0;
		prompts += sessions[i].prompts;
	}
	qsort(usec, count, sizeof(usec[0]), compare_usec);
	printf("{\"service\": \"%s\", \"sessions\": %zu, \"accepted\": %zu, \"unfinished\": %zu, \"prompts\": %zu, "
	       "\"p50_usec\": %lld, \"p95_usec\": %lld",
		service, count, accepted, unfinished, prompts, (long long)usec[count / 2],
		(long long)usec[(count * 95 + 99) / 100 - 1]);
	print_counts("codes", sessions, count, show_code);
	print_counts("texts", sessions, count, show_text);
	puts("}");
}

/* Reads the answers; 0 if there is none, or one too many or too long. */
static size_t read_answers(struct session *sessions, size_t times)
{
	char line[ANSWER_BYTES];
	size_t count = 0;

	while (fgets(line, sizeof(line), stdin)) {
		size_t len = strcspn(line, "\n");

		if (line[len] != '\n' || count + times > SESSIONS_MAX)
			return 0;
		line[len] = '\0';
		for (size_t i = 0; i < times; i++) {
			sessions[count].code = -1;
			memcpy(sessions[count++].answer, line, sizeof(line));
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	size_t number = argc == 5 ? strtoul(argv[4], NULL, 10) : 0, count;
	bool is_together = argc >= 4 && strcmp(argv[3], "together") == 0;
	struct session *sessions;
	int r = 0;

	if (argc < 4 || argc > 5 || (!is_together && strcmp(argv[3], "in-turn") != 0)) {
		fputs("usage: race SERVICE USER together [TIMES] | in-turn [WARM-UP]\n", stderr);
		return 2;
	}
	sessions = mmap(NULL, SESSIONS_MAX * sizeof(*sessions), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sessions == MAP_FAILED) {
		perror("race: cannot get memory");
		return 3;
	}
	count = read_answers(sessions, is_together && number > 0 ? number : 1);
	if (count == 0 || (!is_together && number >= count)) {
		fputs("race: no answers, too many, too long ones, or no more than the warm-up\n", stderr);
		return 2;
	}
	if (is_together)
		r = run_together(argv[1], argv[2], sessions, count);
	for (size_t i = 0; !is_together && i < count; i++)
		run_session(argv[1], argv[2], &sessions[i]);
	if (r < 0) {
		fprintf(stderr, "race: cannot start %zu sessions: %s\n", count, strerror(-r));
		return 3;
	}
	if (is_together)
		number = 0;
	print_result(argv[1], sessions + number, count - number);
	return 0;
}
