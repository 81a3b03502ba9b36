// SPDX-License-Identifier: Apache-2.0
/* Acts on other people's factors. Each is on record before it happens (who by uid, process and login, for
 * whom, why): an act first and its record second would be, on a full disk, an act without a record. The other
 * order costs a second record when the act then fails.
 *
 * Rights are one table. Roles come with the peer, by the kernel's word; nothing in a request can give any. */
#include "administration.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "recovery.h"
#include "sekimori/parse.h"

#define SEC_PER_DAY 86400

enum right {
	RIGHT_ADMIN = 1,
	RIGHT_HELPDESK = 2,
	RIGHT_READER = 4,
	RIGHT_SELF = 8,
	OTHERS_ONLY = 16,  /* nobody for themselves, whatever else they may */
	NEEDS_REASON = 32, /* for somebody else */
	NEEDS_RECORD = 64, /* of a person who can be loaded */
};

/* ---- acts ---- */

bool skm_act_begin(struct skm_inquiry *inquiry, enum skm_event event, const char *detail_format, ...)
{
	char detail[256];
	va_list arguments;
	va_start(arguments, detail_format);
	(void)vsnprintf(detail, sizeof(detail), detail_format, arguments);
	va_end(arguments);
	skm_inquiry_record(inquiry, event, SKM_OUTCOME_LOGGED, "administration", "%s", detail);
	return skm_inquiry_flush(inquiry) == 0;
}

enum skm_auth_outcome skm_act_end(struct skm_inquiry *inquiry, int result)
{
	if (result == 0)
		return SKM_AUTH_OK;
	skm_inquiry_record(inquiry, SKM_EVENT_AUTH_ERROR, SKM_OUTCOME_ERROR, "administration",
		"what the record before this one says could not be stored; nothing was changed: %s",
		result < 0 ? strerrordesc_np(-result) : "there is no machine key");
	(void)!skm_inquiry_flush(inquiry);
	return result == SKM_STORE_WRONG_KEY ? SKM_AUTH_WRONG_KEY : SKM_AUTH_UNAVAILABLE;
}

bool skm_act_is_on_own_factor(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	return inquiry->peer->uid != 0 && skm_inquiry_is_self(inquiry, subject->uid);
}

bool skm_act_is_proved(struct skm_inquiry *inquiry, struct skm_subject *subject, int *ret_result)
{
	struct skm_attempt attempt;
	if (inquiry->peer->is_admin && !skm_act_is_on_own_factor(inquiry, subject))
		return true;
	if (!inquiry->request->field[SKM_AUTH_TAG_ANSWER]) {
		*ret_result = skm_inquiry_reply_prompt(inquiry, subject);
		return false;
	}
	skm_subject_record_notes(inquiry, subject);
	skm_attempt_make(inquiry, subject, false, &attempt);
	skm_attempt_record(inquiry, &attempt);
	if (attempt.outcome == SKM_AUTH_OK)
		return true;
	(void)!skm_inquiry_flush(inquiry);
	*ret_result = skm_attempt_reply(inquiry, &attempt);
	return false;
}

int skm_reply_text(
	const struct skm_inquiry *inquiry, enum skm_auth_outcome outcome, const char *text, int64_t until_sec)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, (uint8_t)outcome);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_TEXT, text);
	if (until_sec > 0)
		skm_auth_write_number(&writer, SKM_AUTH_TAG_UNTIL, (uint64_t)until_sec);
	return skm_inquiry_send(inquiry, &writer);
}

/* ---- DISABLE, UNLOCK, RESYNC ---- */

static int remove_token(struct skm_inquiry *inquiry, struct skm_subject *subject, uint64_t id)
{
	struct skm_person *person = &subject->person;
	uint8_t at = 0;
	enum skm_auth_outcome found = skm_subject_outcome(subject);
	if (found != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, found);
	while (at < person->token_count && person->tokens[at].id != id)
		at++;
	if (at == person->token_count)
		return skm_inquiry_reply(inquiry, SKM_AUTH_CONFLICT);
	memcpy(inquiry->facts.token, person->tokens[at].label, sizeof(inquiry->facts.token));
	if (!skm_act_begin(inquiry, SKM_EVENT_MFA_DISABLED, "token %" PRIu64 " is removed", id))
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	person->token_count--;
	memmove(&person->tokens[at], &person->tokens[at + 1],
		(size_t)(person->token_count - at) * sizeof(person->tokens[0]));
	explicit_bzero(&person->tokens[person->token_count], sizeof(person->tokens[0]));
	int r = skm_store_save_person(inquiry->authenticator->store, person, &subject->state);
	return skm_inquiry_reply(inquiry, skm_act_end(inquiry, r));
}

/* Also what cannot be read: somebody whose record is damaged is helped by removing it. */
static int disable(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	uint64_t id = skm_auth_packet_number(inquiry->request, SKM_AUTH_TAG_TOKEN, 0);
	bool is_only_one =
		subject->load == 0 && subject->person.token_count == 1 && subject->person.tokens[0].id == id;
	int r = 0;
	if (subject->load == SKM_STORE_ABSENT)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNENROLLED);
	if (subject->load != 0 && skm_act_is_on_own_factor(inquiry, subject))
		return skm_inquiry_deny(inquiry, "one's own record that no code can be compared with");
	if (!skm_act_is_proved(inquiry, subject, &r))
		return r;
	if (id != 0 && !is_only_one)
		return remove_token(inquiry, subject, id);
	if (!skm_act_begin(inquiry, SKM_EVENT_MFA_DISABLED, "the whole record is removed (%s)",
		    skm_subject_state_word(subject)))
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	r = skm_store_remove(inquiry->authenticator->store, subject->uid);
	return skm_inquiry_reply(inquiry, skm_act_end(inquiry, r));
}

static int unlock(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	struct skm_person_state *state = &subject->state;
	if (!skm_act_begin(inquiry, SKM_EVENT_MFA_UNLOCKED,
		    "%" PRIu32 " failures by login programs and %" PRIu32
		    " by the person's own are forgotten",
		    state->throttles[SKM_WAY_SYSTEM].failures, state->throttles[SKM_WAY_SELF].failures))
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	for (size_t way = 0; way < SKM_WAY_COUNT_; way++)
		skm_throttle_clear(&state->throttles[way]);
	int r = skm_store_save_state(inquiry->authenticator->store, subject->uid, state);
	if (r == SKM_STORE_FELL_BACK) {
		/* Forgotten until the next boot, and the disk's owner is told. */
		skm_inquiry_record_fallback(inquiry);
		(void)!skm_inquiry_flush(inquiry);
		r = 0;
	}
	return skm_inquiry_reply(inquiry, skm_act_end(inquiry, r));
}

static int resync(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	struct skm_attempt attempt;
	if (!inquiry->request->field[SKM_AUTH_TAG_ANSWER] || !inquiry->request->field[SKM_AUTH_TAG_ANSWER2])
		return skm_inquiry_reply(inquiry, SKM_AUTH_BAD_REQUEST);
	skm_subject_record_notes(inquiry, subject);
	skm_attempt_make(inquiry, subject, true, &attempt);
	if (attempt.outcome == SKM_AUTH_OK)
		skm_inquiry_record(inquiry, SKM_EVENT_MFA_RESYNCED, SKM_OUTCOME_LOGGED, "administration",
			"the token's clock or counter was found by two codes");
	else
		skm_attempt_record(inquiry, &attempt);
	/* Two codes have to be compared before anything is known, so here the record comes second. */
	if (skm_inquiry_flush(inquiry) != 0 && attempt.outcome == SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	return skm_attempt_reply(inquiry, &attempt);
}

/* ---- RECOVERY, SUBSTITUTE ---- */

int skm_recovery_issue(struct skm_person *person, char ret_text[SKM_RECOVERY_LIST_BYTES])
{
	struct skm_recovery_hash hashes[SKM_RECOVERY_CODES];
	char text[SKM_RECOVERY_LIST_BYTES] = "";
	char code[SKM_RECOVERY_TEXT_BYTES];
	size_t len = 0;
	int r = 0;
	_Static_assert(SKM_RECOVERY_CODES * SKM_RECOVERY_TEXT_BYTES < SKM_RECOVERY_LIST_BYTES, "they fit");
	for (uint8_t i = 0; i < SKM_RECOVERY_CODES && r == 0; i++) {
		r = skm_recovery_new((uint8_t)(i + 1), &hashes[i], code);
		if (r == 0)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "%s%s", i > 0 ? "\n" : "", code);
	}
	if (r == 0) {
		memcpy(person->recovery, hashes, sizeof(hashes));
		person->recovery_count = SKM_RECOVERY_CODES;
		person->recovery_series++;
		memcpy(ret_text, text, sizeof(text));
	}
	explicit_bzero(text, sizeof(text));
	explicit_bzero(code, sizeof(code));
	return r;
}

static int issue_recovery(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	char text[SKM_RECOVERY_LIST_BYTES];
	int r = 0;
	if (!skm_act_is_proved(inquiry, subject, &r))
		return r;
	if (skm_recovery_issue(&subject->person, text) != 0)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	if (skm_act_begin(inquiry, SKM_EVENT_MFA_RECOVERY,
		    "recovery codes are issued anew; those before are void")) {
		r = skm_store_save_person(inquiry->authenticator->store, &subject->person, &subject->state);
		enum skm_auth_outcome outcome = skm_act_end(inquiry, r);
		r = skm_reply_text(inquiry, outcome, outcome == SKM_AUTH_OK ? text : NULL, 0);
	} else {
		r = skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	}
	explicit_bzero(text, sizeof(text));
	return r;
}

/* The first second after the last of so many days, by the terminal's own midnight. */
static int64_t end_of_days(const struct skm_inquiry *inquiry, int64_t from_sec, uint64_t days)
{
	int64_t local_sec = from_sec + inquiry->now.utc_offset_sec;
	int64_t today = local_sec / SEC_PER_DAY - (local_sec % SEC_PER_DAY < 0);
	return (today + (int64_t)days) * SEC_PER_DAY - inquiry->now.utc_offset_sec;
}

static int substitute(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	struct skm_person *person = &subject->person;
	uint64_t days = skm_auth_packet_number(inquiry->request, SKM_AUTH_TAG_DAYS, 1);
	int64_t from_sec = skm_inquiry_now_sec(inquiry);
	char text[SKM_RECOVERY_TEXT_BYTES];
	if (days < 1 || days > inquiry->authenticator->config->mfa.substitute_days_max)
		return skm_inquiry_reply(inquiry, SKM_AUTH_REFUSED);
	if (skm_recovery_new(0, &person->substitute, text) != 0)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	/* It ends by the later of the clock and what is known of the time; so it must begin there too. */
	if (from_sec < subject->state.latest_sec)
		from_sec = subject->state.latest_sec;
	person->substitute_series++;
	person->substitute_until_sec = end_of_days(inquiry, from_sec, days);
	enum skm_auth_outcome outcome = SKM_AUTH_UNAVAILABLE;
	if (skm_act_begin(inquiry, SKM_EVENT_SUBSTITUTE_ISSUED,
		    "one substitute code for %" PRIu64 " days, the first being today", days))
		outcome = skm_act_end(inquiry,
			skm_store_save_person(inquiry->authenticator->store, person, &subject->state));
	int r = outcome == SKM_AUTH_OK ? skm_reply_text(inquiry, outcome, text, person->substitute_until_sec)
				       : skm_inquiry_reply(inquiry, outcome);
	explicit_bzero(text, sizeof(text));
	return r;
}

/* ---- SWITCH, POLICY ---- */

/* 0; SKM_AUTH_DENIED, SKM_AUTH_BAD_REQUEST. */
static enum skm_auth_outcome read_announcement(const struct skm_inquiry *inquiry, char *ret_text, size_t size)
{
	if (inquiry->peer->uid != 0)
		return SKM_AUTH_DENIED;
	if (skm_auth_packet_text(inquiry->request, SKM_AUTH_TAG_TEXT, ret_text, size) != 0 || !ret_text[0] ||
		!skm_text_is_printable(ret_text))
		return SKM_AUTH_BAD_REQUEST;
	return SKM_AUTH_OK;
}

/* The PAM stack is switched by the command: it takes programs and files that are kept from authd on purpose.
 * What authd gives is the order of things: no switch without its record, like every other act. Whoever can
 * switch it without asking is root already. */
static int record_switch(struct skm_inquiry *inquiry)
{
	struct skm_subject subject;
	char profiles[256];
	uint64_t flags = skm_auth_packet_number(inquiry->request, SKM_AUTH_TAG_FLAGS, 0);
	bool is_on = flags & SKM_AUTH_FLAG_LOGIN_ON;
	enum skm_auth_outcome read = read_announcement(inquiry, profiles, sizeof(profiles));
	if (read == SKM_AUTH_DENIED)
		return skm_inquiry_deny(inquiry, "the machine's login is root's to switch");
	if (read != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, read);
	if (inquiry->request->field[SKM_AUTH_TAG_USER])
		skm_subject_find(inquiry, &subject); /* its uid, for the record */
	inquiry->object = profiles;
	if (flags & SKM_AUTH_FLAG_FAILED) {
		skm_inquiry_record(inquiry, SKM_EVENT_AUTH_ERROR, SKM_OUTCOME_ERROR, "administration",
			"what the record before this one says did not come about: the login could not be "
			"switched %s",
			is_on ? "on" : "off");
		return skm_inquiry_reply(
			inquiry, skm_inquiry_flush(inquiry) == 0 ? SKM_AUTH_OK : SKM_AUTH_UNAVAILABLE);
	}
	bool is_recorded = skm_act_begin(inquiry, is_on ? SKM_EVENT_MFA_LOGIN_ON : SKM_EVENT_MFA_LOGIN_OFF,
		"this terminal's login asks for %s code from now on", is_on ? "a" : "no");
	return skm_inquiry_reply(inquiry, is_recorded ? SKM_AUTH_OK : SKM_AUTH_UNAVAILABLE);
}

/* That the file has changed authd sees by itself, and records when it takes it; not who wrote it. */
static int record_policy(struct skm_inquiry *inquiry)
{
	char text[1024];
	enum skm_auth_outcome read = read_announcement(inquiry, text, sizeof(text));
	if (read == SKM_AUTH_DENIED)
		return skm_inquiry_deny(inquiry, "the configuration is root's to change");
	if (read != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, read);
	skm_inquiry_record_machine(inquiry, SKM_EVENT_POLICY_CHANGED, "mfa.require", text);
	return skm_inquiry_reply(
		inquiry, skm_inquiry_flush(inquiry) == 0 ? SKM_AUTH_OK : SKM_AUTH_UNAVAILABLE);
}

/* ---- who may ---- */

static const struct act {
	int (*answer)(struct skm_inquiry *inquiry, struct skm_subject *subject);
	unsigned rights;
} acts[] = {
	[SKM_AUTH_ENROL_BEGIN] = {skm_enrol_begin, RIGHT_ADMIN | RIGHT_SELF},
	[SKM_AUTH_ENROL_FINISH] = {skm_enrol_finish, RIGHT_ADMIN | RIGHT_SELF},
	[SKM_AUTH_STATUS] = {skm_status, RIGHT_ADMIN | RIGHT_HELPDESK | RIGHT_READER | RIGHT_SELF},
	[SKM_AUTH_DISABLE] = {disable, RIGHT_ADMIN | NEEDS_REASON},
	[SKM_AUTH_UNLOCK] = {unlock,
		RIGHT_ADMIN | RIGHT_HELPDESK | OTHERS_ONLY | NEEDS_REASON | NEEDS_RECORD},
	[SKM_AUTH_RECOVERY] = {issue_recovery, RIGHT_ADMIN | RIGHT_SELF | NEEDS_RECORD},
	[SKM_AUTH_RESYNC] = {resync, RIGHT_ADMIN | RIGHT_SELF | NEEDS_RECORD},
	[SKM_AUTH_IMPORT] = {skm_token_import, RIGHT_ADMIN},
	[SKM_AUTH_SUBSTITUTE] = {substitute,
		RIGHT_ADMIN | RIGHT_HELPDESK | OTHERS_ONLY | NEEDS_REASON | NEEDS_RECORD},
};

static unsigned role_rights(const struct skm_peer *peer)
{
	return (peer->is_admin ? RIGHT_ADMIN : 0u) | (peer->is_helpdesk ? RIGHT_HELPDESK : 0u) |
	       (peer->is_reader ? RIGHT_READER : 0u);
}

static bool has_reason(const struct skm_inquiry *inquiry)
{
	char reason[256];
	return skm_auth_packet_text(inquiry->request, SKM_AUTH_TAG_REASON, reason, sizeof(reason)) == 0 &&
	       reason[0] && skm_text_is_printable(reason);
}

/* An account that is gone leaves its record behind, which has to be removable. No name has a colon. */
static void find_by_uid(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	uint64_t uid = 0;
	if (subject->lookup != -ENOENT || inquiry->request->code != SKM_AUTH_DISABLE ||
		strncmp(inquiry->facts.subject, "uid:", 4) != 0 ||
		skm_parse_uint(inquiry->facts.subject + 4, 0, UINT32_MAX - 1, &uid) != 0)
		return;
	subject->lookup = 0;
	subject->uid = (uint32_t)uid;
	inquiry->facts.subject_uid = (int64_t)uid;
}

static int answer_about(struct skm_inquiry *inquiry, const struct act *act)
{
	SKM_CLEANUP(skm_subject_clear) struct skm_subject subject;
	skm_subject_find(inquiry, &subject);
	find_by_uid(inquiry, &subject);
	bool is_known = subject.lookup == 0;
	bool is_self = is_known && skm_inquiry_is_self(inquiry, subject.uid);
	bool is_other = !is_known || skm_inquiry_is_other(inquiry, subject.uid);
	unsigned rights = role_rights(inquiry->peer) | (is_self ? RIGHT_SELF : 0u);
	if (!(act->rights & rights))
		return skm_inquiry_deny(inquiry, "without the role");
	if ((act->rights & OTHERS_ONLY) && !is_other)
		return skm_inquiry_deny(inquiry, "nobody may do this for themselves");
	if (!is_known)
		return skm_inquiry_reply(inquiry, skm_subject_outcome(&subject));
	if ((act->rights & NEEDS_REASON) && is_other && !has_reason(inquiry))
		return skm_inquiry_reply(inquiry, SKM_AUTH_BAD_REQUEST);
	skm_subject_load(inquiry, &subject);
	if ((act->rights & NEEDS_RECORD) && subject.load != 0)
		return skm_inquiry_reply(inquiry, skm_subject_outcome(&subject));
	return act->answer(inquiry, &subject);
}

int skm_administration_answer(struct skm_inquiry *inquiry)
{
	uint8_t code = inquiry->request->code;
	if (code == SKM_AUTH_LIST) {
		if (!role_rights(inquiry->peer))
			return skm_inquiry_deny(inquiry, "without a role");
		return skm_list(inquiry);
	}
	if (code == SKM_AUTH_SWITCH)
		return record_switch(inquiry);
	if (code == SKM_AUTH_POLICY)
		return record_policy(inquiry);
	if (code >= SKM_ARRAY_SIZE(acts) || !acts[code].answer)
		return skm_inquiry_reply(inquiry, SKM_AUTH_BAD_REQUEST);
	return answer_about(inquiry, &acts[code]);
}
