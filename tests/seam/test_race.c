// SPDX-License-Identifier: Apache-2.0
/* Many at one moment, through the real socket, service, authenticator and store: what the modules that
 * everybody uses get wrong. Callers are threads here, let go by a barrier; whole logins in processes of their
 * own are raced in the virtual terminal (tests/vm/scenarios/race.py). The clock stands until the test moves
 * it, so that a run's code is right for the whole run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live_authd.h"
#include "otp_code.h"
#include "sekimori/auth.h"
#include "sekimori/otp.h"

#define RUNS 100
#define RUNS_OF_GUESSES 20
#define SESSIONS_MAX 256
#define FREE_TRIES 5
#define PATIENCE_MS 30000

struct session {
	char answer[SKM_OTPAUTH_BYTES];
	int result; /* of asking */
	int outcome;
	uint64_t factor;
};

static struct {
	struct live_authd authd;
	char name[257];
	struct skm_otpauth otpauth;
	char recovery[SKM_AUTH_PACKET_MAX];
	pthread_barrier_t barrier;
	struct session sessions[SESSIONS_MAX];
} f;

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
	session->result = skm_auth_ask(f.authd.socket, &request, &budget_ms, take_outcome, session);
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
			skm_otp_step(*f.authd.now_sec, 30), 6));
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
	cr_assert_eq(skm_auth_ask(f.authd.socket, &request, &budget_ms, take_text, NULL), 0);
	cr_assert_eq(skm_otpauth_parse(begun.text, &f.otpauth), 0);
	skm_auth_write_begin(&request, SKM_AUTH_ENROL_FINISH);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, f.name);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, right_code(code), 6);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_TICKET, begun.ticket, begun.ticket_len);
	cr_assert_eq(skm_auth_ask(f.authd.socket, &request, &budget_ms, take_text, NULL), 0);
	(void)snprintf(f.recovery, sizeof(f.recovery), "%s", begun.text);
}

static void setup(void)
{
	const struct passwd *self = getpwuid(geteuid());
	cr_assert_not_null(self);
	(void)snprintf(f.name, sizeof(f.name), "%s", self->pw_name);
	live_authd_start(&f.authd);
	enrol();
}

static void teardown(void)
{
	live_authd_stop(&f.authd);
}

TestSuite(race, .init = setup, .fini = teardown, .timeout = 280);

/* ---- the races ---- */

static const size_t crowds[] = {16, 64, 256};

Test(race, one_right_code_is_accepted_once)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(crowds); i++) {
		for (unsigned run = 0; run < RUNS; run++) {
			char code[16];
			*f.authd.now_sec += 30;
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
		*f.authd.now_sec += (int64_t)24 * 3600; /* all waits are over, and a success forgives */
		give_to_all(1, right_code(code));
		verify(&f.sessions[0]);
		cr_assert_eq(f.sessions[0].outcome, SKM_AUTH_OK);
		*f.authd.now_sec += 30;
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
