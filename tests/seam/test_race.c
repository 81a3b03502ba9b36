// SPDX-License-Identifier: Apache-2.0
/* Many at one moment, through the real socket, service, authenticator and store: what the modules that
 * everybody uses get wrong. Callers are threads here, let go by a barrier; whole logins in processes of their
 * own are raced in the virtual terminal (tests/vm/scenarios/race.py). The clock stands until the test moves
 * it, so that a run's code is right for the whole run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "otp_code.h"
#include "sekimori/otp.h"
#include "sekimori/packet_server.h"
#include "service.h"
#include "tmpdir.h"

#define RUNS 100
#define RUNS_OF_GUESSES 20
#define SESSIONS_MAX 256
#define FREE_TRIES 5
#define NOW_SEC INT64_C(1795000000)
#define PATIENCE_MS 30000

struct session {
	char answer[SKM_OTPAUTH_BYTES];
	int result; /* of asking */
	int outcome;
	uint64_t factor;
};

static struct {
	char folder[TMPDIR_BYTES];
	char socket[96];
	int64_t *now_sec; /* shared with the service */
	char name[257];
	struct skm_otpauth otpauth;
	char recovery[SKM_AUTH_PACKET_MAX];
	pid_t pid;
	pthread_barrier_t barrier;
	struct session sessions[SESSIONS_MAX];
} f;

/* ---- the service ---- */

static void fake_now(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	uint64_t usec = (uint64_t)*f.now_sec * SKM_USEC_PER_SEC;
	*ret_now = (struct skm_timestamp){
		.realtime_usec = (int64_t)usec, .boottime_usec = usec, .monotonic_usec = usec};
}

static _Noreturn void serve(int listen_fd)
{
	static char paths[6][96];
	static const char *const names[] = {"conf", "log", "machine-id", "state", "fallback", "key"};
	struct skm_service_options options;
	skm_service_options_default(&options);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", f.folder, names[i]);
	options.config_path = paths[0];
	options.log_folder = paths[1];
	options.machine_id_path = paths[2];
	options.state_folder = paths[3];
	options.fallback_folder = paths[4];
	options.key_path = paths[5];
	options.idle_ms = 0;
	options.clock = (struct skm_clock){.now = fake_now};
	options.answer = skm_authenticator_answer;
	options.settle = skm_authenticator_settle;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen("/dev/null", "w", stderr) || skm_seal_start() < 0 || skm_key_create(paths[5]) < 0)
		_exit(10);
	_exit(skm_service_run(&options, &listen_fd) == 0 ? 0 : 11);
}

/* ---- asking ---- */

static int take_outcome(void *user, const struct skm_auth_packet *packet)
{
	struct session *session = user;
	session->outcome = packet->code;
	session->factor = skm_auth_packet_number(packet, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_NONE);
	return 0;
}

static void verify(struct session *session)
{
	struct skm_auth_writer request;
	uint32_t budget_ms = PATIENCE_MS;
	skm_auth_write_begin(&request, SKM_AUTH_VERIFY);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, f.name);
	skm_auth_write_text(&request, SKM_AUTH_TAG_SERVICE, "race");
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, session->answer, strlen(session->answer));
	session->outcome = -1;
	session->result = skm_auth_ask(f.socket, &request, &budget_ms, take_outcome, session);
}

static void *run_session(void *user)
{
	(void)pthread_barrier_wait(&f.barrier);
	verify(user);
	return NULL;
}

static unsigned count(size_t sessions, enum skm_auth_outcome outcome)
{
	unsigned found = 0;
	for (size_t i = 0; i < sessions; i++)
		found += f.sessions[i].outcome == (int)outcome;
	return found;
}

/* Each with the answer that stands in it. */
static void race(size_t sessions)
{
	pthread_t threads[SESSIONS_MAX];
	pthread_attr_t attributes;
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, 256 * 1024);
	cr_assert_eq(pthread_barrier_init(&f.barrier, NULL, (unsigned)sessions), 0);
	for (size_t i = 0; i < sessions; i++)
		cr_assert_eq(pthread_create(&threads[i], &attributes, run_session, &f.sessions[i]), 0);
	for (size_t i = 0; i < sessions; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	(void)pthread_barrier_destroy(&f.barrier);
	(void)pthread_attr_destroy(&attributes);
	/* Somebody who is not root has few places at a time, and hears so. */
	unsigned answered = (unsigned)sessions - count(sessions, (enum skm_auth_outcome) - 1);
	cr_assert(geteuid() != 0 || answered == sessions, "%u of %zu were answered", answered, sessions);
}

static void give_to_all(size_t sessions, const char *answer)
{
	for (size_t i = 0; i < sessions; i++)
		(void)snprintf(f.sessions[i].answer, sizeof(f.sessions[i].answer), "%s", answer);
}

static const char *right_code(char ret_code[16])
{
	(void)snprintf(ret_code, 16, "%06u",
		skm_otp_code(SKM_OTP_SHA256, f.otpauth.secret, f.otpauth.secret_len,
			skm_otp_step(*f.now_sec, 30), 6));
	return ret_code;
}

/* ---- who is enrolled: whoever runs the test, so that it needs no root ---- */

static struct {
	uint8_t ticket[SKM_AUTH_PACKET_MAX];
	size_t ticket_len;
	char text[SKM_AUTH_PACKET_MAX];
} begun;

static int take_text(void *user, const struct skm_auth_packet *packet)
{
	(void)user;
	if (packet->code != SKM_AUTH_OK)
		return -EPROTO;
	(void)skm_auth_packet_text(packet, SKM_AUTH_TAG_TEXT, begun.text, sizeof(begun.text));
	if (packet->field[SKM_AUTH_TAG_TICKET]) {
		begun.ticket_len = packet->field_len[SKM_AUTH_TAG_TICKET];
		memcpy(begun.ticket, packet->field[SKM_AUTH_TAG_TICKET], begun.ticket_len);
	}
	return 0;
}

static void enrol(void)
{
	char code[16];
	struct skm_auth_writer request;
	uint32_t budget_ms = PATIENCE_MS;
	skm_auth_write_begin(&request, SKM_AUTH_ENROL_BEGIN);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, f.name);
	cr_assert_eq(skm_auth_ask(f.socket, &request, &budget_ms, take_text, NULL), 0);
	cr_assert_eq(skm_otpauth_parse(begun.text, &f.otpauth), 0);
	skm_auth_write_begin(&request, SKM_AUTH_ENROL_FINISH);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, f.name);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, right_code(code), 6);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_TICKET, begun.ticket, begun.ticket_len);
	cr_assert_eq(skm_auth_ask(f.socket, &request, &budget_ms, take_text, NULL), 0);
	(void)snprintf(f.recovery, sizeof(f.recovery), "%s", begun.text);
}

static void setup(void)
{
	const struct passwd *self = getpwuid(geteuid());
	int listen_fd = -1;
	char path[96];
	cr_assert_not_null(self);
	(void)snprintf(f.name, sizeof(f.name), "%s", self->pw_name);
	/* In memory where there is such a place: what is raced is not the disk, and a run is thousands of
	 * syncs. */
	(void)snprintf(f.folder, sizeof(f.folder), "/dev/shm/sekimori-test-XXXXXX");
	if (!mkdtemp(f.folder))
		tmpdir_make(f.folder);
	(void)snprintf(f.socket, sizeof(f.socket), "%s/auth", f.folder);
	tmpdir_write(f.folder, "", "conf");
	tmpdir_write(f.folder, "0123456789abcdef0123456789abcdef\n", "machine-id");
	(void)snprintf(path, sizeof(path), "%s/log", f.folder);
	cr_assert_eq(mkdir(path, 0750), 0);
	(void)snprintf(path, sizeof(path), "%s/state", f.folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	f.now_sec = mmap(NULL, sizeof(*f.now_sec), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(f.now_sec != MAP_FAILED);
	*f.now_sec = NOW_SEC;
	cr_assert_eq(skm_packet_listen(f.socket, &listen_fd), 0);
	f.pid = fork();
	cr_assert_geq(f.pid, 0);
	if (f.pid == 0)
		serve(listen_fd);
	(void)close(listen_fd);
	enrol();
}

static void teardown(void)
{
	int status = -1;
	(void)kill(f.pid, SIGTERM);
	cr_expect_eq(waitpid(f.pid, &status, 0), f.pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
	tmpdir_remove(f.folder);
}

TestSuite(race, .init = setup, .fini = teardown, .timeout = 280);

/* ---- the races ---- */

static const size_t crowds[] = {16, 64, 256};

Test(race, one_right_code_is_accepted_once)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(crowds); i++) {
		for (unsigned run = 0; run < RUNS; run++) {
			char code[16];
			*f.now_sec += 30;
			give_to_all(crowds[i], right_code(code));
			race(crowds[i]);
			cr_assert_eq(count(crowds[i], SKM_AUTH_OK), 1, "%zu sessions, run %u: %u accepted",
				crowds[i], run, count(crowds[i], SKM_AUTH_OK));
			if (geteuid() == 0)
				cr_assert_eq(count(crowds[i], SKM_AUTH_REPLAYED), crowds[i] - 1);
		}
	}
}

Test(race, each_recovery_code_is_accepted_once)
{
	size_t sessions = crowds[0];
	char *rest = f.recovery;
	for (char *code; (code = strsep(&rest, "\n"));) {
		give_to_all(sessions, code);
		race(sessions);
		cr_assert_eq(count(sessions, SKM_AUTH_OK), 1, "%u accepted", count(sessions, SKM_AUTH_OK));
		for (size_t i = 0; i < sessions; i++)
			cr_assert(f.sessions[i].outcome != SKM_AUTH_OK ||
				  f.sessions[i].factor == SKM_AUTH_FACTOR_RECOVERY);
	}
}

/* 256 guesses with the right one among them: whether it is among those that are compared is chance, how many
 * are compared is not. */
Test(race, no_more_guesses_are_compared_than_may_be)
{
	size_t sessions = SESSIONS_MAX;
	for (unsigned run = 0; run < RUNS_OF_GUESSES; run++) {
		char code[16];
		*f.now_sec += (int64_t)24 * 3600; /* all waits are over, and a success forgives */
		give_to_all(1, right_code(code));
		verify(&f.sessions[0]);
		cr_assert_eq(f.sessions[0].outcome, SKM_AUTH_OK);
		*f.now_sec += 30;
		(void)right_code(code);
		for (size_t i = 0; i < sessions; i++)
			(void)snprintf(f.sessions[i].answer, sizeof(f.sessions[i].answer), "%06zu", i);
		give_to_all(1, code);
		race(sessions);
		unsigned tried = count(sessions, SKM_AUTH_WRONG), accepted = count(sessions, SKM_AUTH_OK);
		/* The right one forgives those before it. */
		cr_assert_leq(tried, accepted ? 2 * FREE_TRIES - 1 : FREE_TRIES,
			"run %u: %u were compared, %u accepted", run, tried, accepted);
		cr_assert_leq(accepted, 1);
	}
}
