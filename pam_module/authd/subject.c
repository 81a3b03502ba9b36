// SPDX-License-Identifier: Apache-2.0
/* One table says what each finding of the store means, for logins, lists and records; so a new finding cannot
 * be forgotten in one of them, and "not enrolled" is the meaning of exactly one. */
#include "subject.h"

#include <stdio.h>
#include <string.h>

static const struct finding {
	enum skm_auth_outcome outcome;
	const char *word, *sentence;
} findings[] = {
	[0] = {SKM_AUTH_OK, "ok", ""},
	[SKM_STORE_ABSENT] = {SKM_AUTH_UNENROLLED, "absent", "there is no record of this person"},
	[SKM_STORE_DAMAGED] = {SKM_AUTH_DAMAGED, "damaged", "the person's record is damaged"},
	[SKM_STORE_WRONG_KEY] = {SKM_AUTH_WRONG_KEY, "wrong-key",
		"the machine key is missing or does not open the person's record"},
	[SKM_STORE_OTHER_MACHINE] = {SKM_AUTH_DAMAGED, "other-machine",
		"the person's record was made on another machine"},
	[SKM_STORE_ROLLED_BACK] = {SKM_AUTH_DAMAGED, "rolled-back",
		"an older version of the person's record was put back"},
	[SKM_STORE_MISMATCH] = {SKM_AUTH_DAMAGED, "mismatch",
		"the record was made for another person or another login name"},
};
static const struct finding unreadable = {
	SKM_AUTH_UNAVAILABLE, "error", "the person's record cannot be read"};
static const struct finding unknown = {SKM_AUTH_WRONG, "unknown", "there is no such user"};
static const struct finding not_found_out = {
	SKM_AUTH_UNAVAILABLE, "error", "the name service could not tell who that is"};

static const struct finding *finding_of(const struct skm_subject *subject)
{
	if (subject->lookup == -ENOENT)
		return &unknown;
	if (subject->lookup != 0)
		return &not_found_out;
	if (subject->load < 0 || (size_t)subject->load >= SKM_ARRAY_SIZE(findings))
		return &unreadable;
	return &findings[subject->load];
}

enum skm_auth_outcome skm_subject_outcome(const struct skm_subject *subject)
{
	return finding_of(subject)->outcome;
}

const char *skm_subject_state_word(const struct skm_subject *subject)
{
	return finding_of(subject)->word;
}

const char *skm_subject_finding(const struct skm_subject *subject)
{
	return finding_of(subject)->sentence;
}

void skm_subject_find(struct skm_inquiry *inquiry, struct skm_subject *ret_subject)
{
	const struct skm_users *users = &inquiry->authenticator->users;
	memset(ret_subject, 0, sizeof(*ret_subject));
	ret_subject->load = -ENOENT;
	ret_subject->lookup =
		inquiry->name[0] ? users->uid_of(users->user, inquiry->name, &ret_subject->uid) : -ENOENT;
	if (ret_subject->lookup == 0)
		inquiry->facts.subject_uid = ret_subject->uid;
}

/* Name services that know no case, or two spellings of a domain, give one uid for several names: then the
 * name that belongs to the uid decides. */
static bool is_of(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	const struct skm_users *users = &inquiry->authenticator->users;
	char name[SKM_PERSON_NAME_BYTES];
	if (strcmp(subject->person.name, inquiry->name) == 0)
		return true;
	return users->name_of(users->user, subject->uid, name, sizeof(name)) == 0 &&
	       strcmp(subject->person.name, name) == 0;
}

/* Of the person whose state it was: a list, or a login that asks what time it can be, reads others. */
static void record_rebuilt(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	struct skm_inquiry about = *inquiry;
	about.facts.subject_uid = subject->uid;
	(void)snprintf(about.facts.subject, sizeof(about.facts.subject), "%.*s",
		(int)sizeof(about.facts.subject) - 1, subject->person.name);
	skm_inquiry_record(&about, SKM_EVENT_AUTH_DEGRADED, SKM_OUTCOME_LOGGED, "state-rebuilt",
		"the state was lost; nothing that could have been used before will be accepted");
}

void skm_subject_read(const struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	subject->load = skm_store_load(inquiry->authenticator->store, subject->uid, &inquiry->now,
		&subject->person, &subject->state, &subject->notes);
	if (subject->load == 0 && subject->notes & SKM_STORE_NOTE_STATE_REBUILT)
		record_rebuilt(inquiry, subject);
}

void skm_subject_load(const struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	struct skm_store *store = inquiry->authenticator->store;
	if (subject->lookup != 0) {
		skm_store_load_decoy(store, &inquiry->now, &subject->person, &subject->state);
	} else {
		skm_subject_read(inquiry, subject);
		if (subject->load == 0 && !is_of(inquiry, subject))
			subject->load = SKM_STORE_MISMATCH;
		/* What is not there is found out sooner than what is there is read. */
		if (subject->load == SKM_STORE_ABSENT)
			skm_store_load_decoy(store, &inquiry->now, &subject->person, &subject->state);
	}
	if (subject->load != 0)
		skm_subject_clear(subject);
}

void skm_subject_record_notes(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	if (subject->notes & SKM_STORE_NOTE_SLOT_LOST)
		skm_inquiry_record(inquiry, SKM_EVENT_AUTH_DEGRADED, SKM_OUTCOME_LOGGED, "slot-lost",
			"one of two copies of the state was unreadable; the other one is in use");
	if (subject->notes & SKM_STORE_NOTE_FALLBACK)
		skm_inquiry_record_fallback(inquiry);
}

void skm_subject_clear(struct skm_subject *subject)
{
	skm_person_clear(&subject->person);
	memset(&subject->person, 0, sizeof(subject->person));
	memset(&subject->state, 0, sizeof(subject->state));
}
