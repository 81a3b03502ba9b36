// SPDX-License-Identifier: Apache-2.0
/* What goes into records comes from here alone, so that no other file has to think of what must never be in
 * one: answers and secrets are not even reachable through skm_auth_facts. Texts of the caller are cut to
 * their place, never refused: a name of 1 KiB is an attempt that belongs on record. */
#include "facts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

#define ELLIPSIS "\xe2\x80\xa6" /* U+2026 */
/* By themselves, in one such time; see skm_inquiry_record_outcome. */
#define RECORDS_PER_PERIOD 100
#define PERIOD_USEC (600 * SKM_USEC_PER_SEC)

static unsigned hex_digit(char c)
{
	return c >= 'a' ? (unsigned)(c - 'a') + 10 : (unsigned)(c - '0');
}

/* skm_boot_id_read gives nothing but hex digits; "" (a kernel that does not tell) gives zeros. */
static void decode_boot_id(const char text[SKM_BOOT_ID_BYTES], uint8_t ret_boot_id[16])
{
	memset(ret_boot_id, 0, 16);
	for (size_t i = 0; i < 16 && text[2 * i] && text[2 * i + 1]; i++)
		ret_boot_id[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
}

/* As much as fits; what was cut ends in an ellipsis. The record's writer deals with what is not UTF-8. */
static void copy_cut(
	const struct skm_auth_packet *request, enum skm_auth_tag tag, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	if (!request->field[tag])
		return;
	size_t len = request->field_len[tag];
	if (len < size) {
		memcpy(ret_text, request->field[tag], len);
		ret_text[len] = '\0';
		return;
	}
	len = size - sizeof(ELLIPSIS);
	/* Not in the middle of a character. */
	while (len > 0 && (request->field[tag][len] & 0xc0) == 0x80)
		len--;
	memcpy(ret_text, request->field[tag], len);
	memcpy(ret_text + len, ELLIPSIS, sizeof(ELLIPSIS));
}

void skm_inquiry_init(struct skm_inquiry *inquiry, struct skm_authenticator *authenticator,
	const struct skm_peer *peer, const struct skm_auth_packet *request)
{
	*inquiry = (struct skm_inquiry){
		.authenticator = authenticator,
		.peer = peer,
		.request = request,
		.way = peer->uid == 0 ? SKM_WAY_SYSTEM : SKM_WAY_SELF,
	};
	authenticator->clock.now(authenticator->clock.user, &inquiry->now);
	decode_boot_id(authenticator->boot_id, inquiry->boot_id);
	if (skm_auth_packet_text(request, SKM_AUTH_TAG_USER, inquiry->name, sizeof(inquiry->name)) != 0 ||
		!skm_user_name_is_possible(inquiry->name))
		inquiry->name[0] = '\0';
	struct skm_auth_facts *facts = &inquiry->facts;
	facts->subject_uid = -1;
	copy_cut(request, SKM_AUTH_TAG_USER, facts->subject, sizeof(facts->subject));
	copy_cut(request, SKM_AUTH_TAG_SERVICE, facts->service, sizeof(facts->service));
	copy_cut(request, SKM_AUTH_TAG_TTY, facts->tty, sizeof(facts->tty));
	copy_cut(request, SKM_AUTH_TAG_RHOST, facts->rhost, sizeof(facts->rhost));
	copy_cut(request, SKM_AUTH_TAG_RUSER, facts->ruser, sizeof(facts->ruser));
	copy_cut(request, SKM_AUTH_TAG_REASON, facts->reason, sizeof(facts->reason));
}

int64_t skm_inquiry_now_sec(const struct skm_inquiry *inquiry)
{
	return inquiry->now.realtime_usec / (int64_t)SKM_USEC_PER_SEC;
}

bool skm_inquiry_is_self(const struct skm_inquiry *inquiry, uint32_t uid)
{
	return inquiry->peer->uid == uid;
}

bool skm_inquiry_is_other(const struct skm_inquiry *inquiry, uint32_t uid)
{
	/* SKM_LOGIN_UID_UNSET is nobody's uid: root at the console, or a service. */
	return inquiry->peer->uid != uid && inquiry->peer->login_uid != uid;
}

/* ---- records ---- */

static const struct {
	enum skm_event event;
	enum skm_outcome outcome;
} by_outcome[SKM_AUTH_OUTCOME_COUNT_] = {
	[SKM_AUTH_OK] = {SKM_EVENT_AUTH_OK, SKM_OUTCOME_ALLOWED},
	[SKM_AUTH_NOT_REQUIRED] = {SKM_EVENT_AUTH_OK, SKM_OUTCOME_ALLOWED},
	[SKM_AUTH_WRONG] = {SKM_EVENT_AUTH_FAIL, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_REPLAYED] = {SKM_EVENT_AUTH_REPLAY, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_LOCKED] = {SKM_EVENT_AUTH_LOCKED, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_CLOCK] = {SKM_EVENT_AUTH_CLOCK, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_UNENROLLED] = {SKM_EVENT_AUTH_FAIL, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_NOT_A_CODE] = {SKM_EVENT_AUTH_FAIL, SKM_OUTCOME_BLOCKED},
	[SKM_AUTH_DAMAGED] = {SKM_EVENT_AUTH_ERROR, SKM_OUTCOME_ERROR},
	[SKM_AUTH_WRONG_KEY] = {SKM_EVENT_AUTH_ERROR, SKM_OUTCOME_ERROR},
	[SKM_AUTH_UNAVAILABLE] = {SKM_EVENT_AUTH_ERROR, SKM_OUTCOME_ERROR},
	[SKM_AUTH_DENIED] = {SKM_EVENT_AUTH_DENIED, SKM_OUTCOME_BLOCKED},
};

/* No lookup for a login: the name service may be a network away, and the person waits. */
static void name_login_user(const struct skm_inquiry *inquiry, char *ret_name, size_t size)
{
	const struct skm_users *users = &inquiry->authenticator->users;
	uint32_t uid = inquiry->peer->login_uid;
	ret_name[0] = '\0';
	if (uid == SKM_LOGIN_UID_UNSET)
		return;
	if ((int64_t)uid == inquiry->facts.subject_uid)
		(void)snprintf(ret_name, size, "%s", inquiry->facts.subject);
	else if (inquiry->request->code < SKM_AUTH_ENROL_BEGIN ||
		 users->name_of(users->user, uid, ret_name, size) != 0)
		(void)snprintf(ret_name, size, "uid:%" PRIu32, uid);
}

static void start_record(const struct skm_authenticator *authenticator, enum skm_event event,
	const char *rule, struct skm_record *ret_record)
{
	skm_record_init(ret_record, event);
	ret_record->stream = "auth";
	ret_record->has_auth = true;
	ret_record->auth.subject_uid = -1;
	memcpy(ret_record->policy_version, authenticator->config->version,
		sizeof(ret_record->policy_version));
	(void)snprintf(ret_record->rule, sizeof(ret_record->rule), "builtin:mfa-%s", rule);
}

static void make_record(const struct skm_inquiry *inquiry, enum skm_event event, enum skm_outcome outcome,
	const char *rule, struct skm_record *ret_record)
{
	start_record(inquiry->authenticator, event, rule, ret_record);
	ret_record->outcome = outcome;
	ret_record->auth = inquiry->facts;
	ret_record->caller_uid = inquiry->peer->uid;
	ret_record->caller_pid = inquiry->peer->pid;
	ret_record->time = inquiry->now;
	(void)snprintf(
		ret_record->object, sizeof(ret_record->object), "%s", inquiry->object ? inquiry->object : "");
	name_login_user(inquiry, ret_record->login_user, sizeof(ret_record->login_user));
}

void skm_inquiry_record(const struct skm_inquiry *inquiry, enum skm_event event, enum skm_outcome outcome,
	const char *rule, const char *detail_format, ...)
{
	struct skm_record record;
	va_list arguments;
	make_record(inquiry, event, outcome, rule, &record);
	va_start(arguments, detail_format);
	(void)vsnprintf(record.detail, sizeof(record.detail), detail_format, arguments);
	va_end(arguments);
	inquiry->authenticator->record(inquiry->authenticator->user, &record);
}

void skm_inquiry_record_machine(
	const struct skm_inquiry *inquiry, enum skm_event event, const char *object, const char *detail)
{
	struct skm_record record;
	make_record(inquiry, event, SKM_OUTCOME_LOGGED, "administration", &record);
	record.has_auth = false;
	(void)snprintf(record.object, sizeof(record.object), "%s", object);
	(void)snprintf(record.detail, sizeof(record.detail), "%s", detail);
	inquiry->authenticator->record(inquiry->authenticator->user, &record);
}

/* The work of a record for one that is only counted, so that time does not tell which it was. */
static void weigh_record(const struct skm_inquiry *inquiry, enum skm_auth_outcome outcome, const char *detail)
{
	struct skm_record record;
	char line[SKM_RECORD_LINE_MAX];
	make_record(inquiry, by_outcome[outcome].event, by_outcome[outcome].outcome,
		skm_auth_outcome_to_string(outcome), &record);
	(void)snprintf(record.detail, sizeof(record.detail), "%s", detail);
	(void)skm_record_format(&record, line);
}

void skm_tally_record(struct skm_authenticator *authenticator, const struct skm_tally_entry *entry)
{
	struct skm_record record;
	enum skm_auth_outcome kind = entry->key.kind;
	start_record(authenticator, by_outcome[kind].event, skm_auth_outcome_to_string(kind), &record);
	record.outcome = by_outcome[kind].outcome;
	record.count = entry->untold;
	/* The uid of a DENIED entry is the asker's: those asked for may be many. */
	if (kind == SKM_AUTH_DENIED) {
		record.caller_uid = entry->key.uid;
	} else {
		record.auth.subject_uid = entry->key.uid;
		memcpy(record.auth.subject, entry->subject, sizeof(record.auth.subject));
	}
	authenticator->clock.now(authenticator->clock.user, &record.time);
	(void)snprintf(record.detail, sizeof(record.detail),
		"further attempts like one on record, which were counted instead of recorded");
	authenticator->record(authenticator->user, &record);
}

/* Attempts while waiting come in floods, since nothing is counted against anybody: the first after each
 * failure is told (`mark` is the failure). Other refusals that cost the caller nothing are limited only where
 * the caller needs no privilege; a login program has its own delay, and a password was right before. */
static bool is_worth_telling(struct skm_inquiry *inquiry, enum skm_auth_outcome outcome, uint64_t mark)
{
	struct skm_tally *tally = &inquiry->authenticator->tally;
	bool is_locked = outcome == SKM_AUTH_LOCKED;
	if (!is_locked && inquiry->way == SKM_WAY_SYSTEM)
		return true;
	struct skm_tally_key key = {.uid = inquiry->peer->uid, .way = inquiry->way, .kind = outcome};
	if (outcome != SKM_AUTH_DENIED && inquiry->facts.subject_uid >= 0)
		key.uid = (uint32_t)inquiry->facts.subject_uid;
	struct skm_tally_entry closed;
	bool is_told = skm_tally_tell(tally, &key, inquiry->facts.subject,
		is_locked ? mark : inquiry->now.boottime_usec / PERIOD_USEC,
		is_locked ? 1 : RECORDS_PER_PERIOD, &closed);
	if (closed.untold > 0)
		skm_tally_record(inquiry->authenticator, &closed);
	return is_told;
}

/* Before anything new is told of a person, what was counted comes out, so that the log reads in order. */
static void tell_counts(struct skm_inquiry *inquiry)
{
	struct skm_tally_key key = {.way = inquiry->way};
	struct skm_tally_entry entry;
	if (inquiry->facts.subject_uid < 0)
		return;
	key.uid = (uint32_t)inquiry->facts.subject_uid;
	while (skm_tally_take(&inquiry->authenticator->tally, &key, &entry))
		skm_tally_record(inquiry->authenticator, &entry);
}

void skm_inquiry_record_outcome(
	struct skm_inquiry *inquiry, enum skm_auth_outcome outcome, uint64_t mark, const char *detail)
{
	if (!is_worth_telling(inquiry, outcome, mark)) {
		weigh_record(inquiry, outcome, detail);
		return;
	}
	tell_counts(inquiry);
	skm_inquiry_record(inquiry, by_outcome[outcome].event, by_outcome[outcome].outcome,
		skm_auth_outcome_to_string(outcome), "%s", detail);
}

void skm_inquiry_record_fallback(const struct skm_inquiry *inquiry)
{
	if (inquiry->authenticator->is_degraded)
		return;
	inquiry->authenticator->is_degraded = true;
	skm_inquiry_record(inquiry, SKM_EVENT_AUTH_DEGRADED, SKM_OUTCOME_LOGGED, "state-in-run",
		"the disk cannot be written; the state is kept in memory until it can");
}

int skm_inquiry_flush(const struct skm_inquiry *inquiry)
{
	return inquiry->authenticator->flush(inquiry->authenticator->user);
}

/* ---- answers ---- */

int skm_inquiry_send(const struct skm_inquiry *inquiry, struct skm_auth_writer *writer)
{
	int r = skm_auth_write_end(writer);
	if (r == 0)
		r = inquiry->send(inquiry->user, writer);
	explicit_bzero(writer, sizeof(*writer));
	return r;
}

int skm_inquiry_reply(const struct skm_inquiry *inquiry, enum skm_auth_outcome outcome)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, (uint8_t)outcome);
	return skm_inquiry_send(inquiry, &writer);
}

int skm_inquiry_deny(struct skm_inquiry *inquiry, const char *detail)
{
	skm_inquiry_record_outcome(inquiry, SKM_AUTH_DENIED, 0, detail);
	/* Refusing needs no proof that it was recorded. */
	(void)!skm_inquiry_flush(inquiry);
	return skm_inquiry_reply(inquiry, SKM_AUTH_DENIED);
}

bool skm_text_is_printable(const char *text)
{
	size_t len = strlen(text);
	if (!skm_utf8_is_valid(text, len))
		return false;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		/* C0, DEL, and C1 (U+0080 to U+009F is 0xc2 0x80 to 0xc2 0x9f) */
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return false;
	}
	return true;
}
