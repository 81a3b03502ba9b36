// SPDX-License-Identifier: Apache-2.0
/* What a login asks. PREPARE never fails: whatever is wrong, the person is asked for a code and the verdict
 * says what it is, so that no program sees an answer without a conversation (kscreenlocker takes that for a
 * broken method, SDDM hangs) and nobody learns at the prompt who exists. */
#include "administration.h"
#include "attempt.h"

#define DIGITS_WHEN_UNKNOWN 6

/* The latest time that anybody's login has proved on this terminal. A clock that was set back, or an empty
 * battery, must not bring a grace back that is over; and those whom it concerns have no state of their own.
 * Read once: later successes are seen as they happen. */
static int note_latest(void *user, uint32_t uid)
{
	struct skm_inquiry *inquiry = user;
	struct skm_authenticator *authenticator = inquiry->authenticator;
	struct skm_subject subject = {.uid = uid};
	skm_subject_read(inquiry, &subject);
	if (subject.load == 0 && subject.state.latest_sec > authenticator->latest_sec)
		authenticator->latest_sec = subject.state.latest_sec;
	skm_subject_clear(&subject);
	return 0;
}

static int64_t proved_now_sec(struct skm_inquiry *inquiry)
{
	struct skm_authenticator *authenticator = inquiry->authenticator;
	int64_t now_sec = skm_inquiry_now_sec(inquiry);
	if (authenticator->latest_sec == 0) {
		authenticator->latest_sec = 1;
		/* What cannot be read proves nothing. */
		(void)!skm_store_each(authenticator->store, note_latest, inquiry);
	}
	return now_sec > authenticator->latest_sec ? now_sec : authenticator->latest_sec;
}

bool skm_inquiry_is_required(
	struct skm_inquiry *inquiry, const char *name, bool is_enrolled, int64_t *ret_until_sec)
{
	const struct skm_authenticator *authenticator = inquiry->authenticator;
	const struct skm_config *config = authenticator->config;
	int64_t now_sec = skm_inquiry_now_sec(inquiry);
	if (!is_enrolled && now_sec < config->mfa.grace_until_sec)
		now_sec = proved_now_sec(inquiry);
	return skm_requirement(config, &authenticator->users, name, is_enrolled, now_sec, ret_until_sec) != 0;
}

static bool is_before_the_password(const struct skm_auth_packet *request)
{
	return request->code == SKM_AUTH_PREPARE &&
	       (skm_auth_packet_number(request, SKM_AUTH_TAG_FLAGS, 0) & SKM_AUTH_FLAG_SPLIT) != 0;
}

static int reply_not_required(struct skm_inquiry *inquiry, int64_t until_sec)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, SKM_AUTH_NOT_REQUIRED);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_UNTIL, (uint64_t)until_sec);
	/* A login without a second factor is on record like any other, once: before the password was seen
	 * nobody is let in, and the plain line asks again when it was right. */
	if (!is_before_the_password(inquiry->request))
		skm_inquiry_record_outcome(inquiry, SKM_AUTH_NOT_REQUIRED, 0,
			until_sec > 0 ? "not enrolled; passed by the grace period"
				      : "not enrolled, and the configuration does not require it");
	(void)!skm_inquiry_flush(inquiry);
	return skm_inquiry_send(inquiry, &writer);
}

static int reply_prompt(const struct skm_inquiry *inquiry, const struct skm_person *person)
{
	struct skm_auth_writer writer;
	uint8_t digits = person->token_count > 0 ? person->tokens[0].parameters.digits : DIGITS_WHEN_UNKNOWN;
	for (size_t i = 1; i < person->token_count; i++) {
		if (person->tokens[i].parameters.digits != digits)
			digits = DIGITS_WHEN_UNKNOWN;
	}
	skm_auth_write_begin(&writer, SKM_AUTH_PROMPT);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_DIGITS, digits);
	skm_auth_write_number(
		&writer, SKM_AUTH_TAG_LANGUAGE, inquiry->authenticator->config->terminal.language);
	return skm_inquiry_send(inquiry, &writer);
}

int skm_inquiry_reply_prompt(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	return reply_prompt(inquiry, &subject->person);
}

static bool may_ask(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	return inquiry->peer->uid == 0 ||
	       (subject->lookup == 0 && skm_inquiry_is_self(inquiry, subject->uid));
}

/* Not enrolled, known, and not asked for anything. */
static bool passes_without(
	struct skm_inquiry *inquiry, const struct skm_subject *subject, int64_t *ret_until_sec)
{
	return subject->lookup == 0 && subject->load == SKM_STORE_ABSENT &&
	       !skm_inquiry_is_required(inquiry, inquiry->name, false, ret_until_sec);
}

static int prepare(struct skm_inquiry *inquiry)
{
	SKM_CLEANUP(skm_subject_clear) struct skm_subject subject;
	int64_t until_sec = 0;
	skm_subject_find(inquiry, &subject);
	if (!may_ask(inquiry, &subject))
		return reply_prompt(inquiry, &subject.person);
	skm_subject_load(inquiry, &subject);
	if (passes_without(inquiry, &subject, &until_sec))
		return reply_not_required(inquiry, until_sec);
	return reply_prompt(inquiry, &subject.person);
}

static int verify(struct skm_inquiry *inquiry)
{
	SKM_CLEANUP(skm_subject_clear) struct skm_subject subject;
	struct skm_attempt attempt;
	int64_t until_sec = 0;
	skm_subject_find(inquiry, &subject);
	if (!may_ask(inquiry, &subject))
		return skm_inquiry_deny(inquiry, "asked to verify somebody else");
	skm_subject_load(inquiry, &subject);
	skm_subject_record_notes(inquiry, &subject);
	skm_attempt_make(inquiry, &subject, false, &attempt);
	/* The configuration may have changed since PREPARE. */
	if (passes_without(inquiry, &subject, &until_sec))
		return reply_not_required(inquiry, until_sec);
	if (attempt.outcome == SKM_AUTH_OK && subject.state.latest_sec > inquiry->authenticator->latest_sec &&
		inquiry->authenticator->latest_sec > 0)
		inquiry->authenticator->latest_sec = subject.state.latest_sec;
	skm_attempt_record(inquiry, &attempt);
	/* A login does not fail for a log that cannot be written; the stream tells when it can be again. */
	(void)!skm_inquiry_flush(inquiry);
	return skm_attempt_reply(inquiry, &attempt);
}

int skm_authenticator_answer(struct skm_authenticator *authenticator, const struct skm_peer *peer,
	const struct skm_auth_packet *request, skm_send_fn send, void *user)
{
	struct skm_inquiry inquiry;
	skm_inquiry_init(&inquiry, authenticator, peer, request);
	inquiry.send = send;
	inquiry.user = user;
	switch (request->code) {
	case SKM_AUTH_PREPARE:
		return prepare(&inquiry);
	case SKM_AUTH_VERIFY:
		return verify(&inquiry);
	default:
		return skm_administration_answer(&inquiry);
	}
}

void skm_authenticator_settle(struct skm_authenticator *authenticator)
{
	struct skm_tally_entry entry;
	while (skm_tally_take(&authenticator->tally, NULL, &entry))
		skm_tally_record(authenticator, &entry);
	(void)!authenticator->flush(authenticator->user);
}
