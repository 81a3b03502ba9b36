// SPDX-License-Identifier: Apache-2.0
/* An office with a second factor: people, groups, a clock that stands until a test moves it, a recorder, and
 * an authenticator on a real store in a folder of the test's own. Requests go through the real packets.
 * System calls of the store can be counted and made to fail. */
#ifndef SKM_TEST_FAKE_PEOPLE_H
#define SKM_TEST_FAKE_PEOPLE_H

#include "authenticator.h"
#include "tmpdir.h"

#define PEOPLE_RECORDS 512
#define PEOPLE_SECRET "12345678901234567890123456789012" /* RFC 6238, appendix B: 32 bytes for SHA-256 */
#define PEOPLE_NOW_SEC INT64_C(1795000000)		 /* November 2026 */

enum people_uid { ROOT = 0, ALICE = 1000, BOB = 1001, CAROL = 1002, DAVE = 1003, ERIN = 1004 };
/* root; alice and bob (staff); carol (helpdesk); dave (auditor); erin (administrator) */

enum people_call { PEOPLE_OPEN, PEOPLE_READ, PEOPLE_WRITE, PEOPLE_SYNC, PEOPLE_OTHER, PEOPLE_CALL_COUNT };

struct people {
	char folder[TMPDIR_BYTES];
	char state_folder[TMPDIR_BYTES + 16], fallback_folder[TMPDIR_BYTES + 16];
	struct skm_store_ops ops;
	struct skm_authenticator authenticator;
	struct skm_config *config;
	struct skm_key key;
	struct skm_timestamp now;
	int lookup_error;    /* of every question to the name service; 0 = it works */
	const char *renamed; /* the account of uid ALICE is called so now */
	const char *alias;   /* another spelling of "alice" */

	struct skm_record records[PEOPLE_RECORDS];
	size_t record_count; /* all since the last people_forget */
	size_t flushed;	     /* how many of them were on disk at the last flush */
	unsigned flushes;
	int flush_error;

	/* The last answer, and all texts of MORE packets, each followed by a newline. */
	uint8_t packet_bytes[SKM_AUTH_PACKET_MAX];
	struct skm_auth_packet answer;
	unsigned answers;
	char listed[32768];
};

/* What the store's system calls do. One store at a time. */
struct people_faults {
	unsigned calls[PEOPLE_CALL_COUNT];
	int disk_error;			 /* of writes and syncs in the state folder; 0 = they work */
	int everywhere_error;		 /* of all writes and syncs */
	unsigned everywhere_error_calls; /* so many of them fail; 0 = all */
	unsigned disk_error_after;	 /* so many writes on disk still work */
};
extern struct people_faults people_faults;

void people_make(struct people *people);
/* The same files, another process: nothing but the disk is remembered. Another boot, too, if the test sets
 * authenticator.boot_id and the clock before. */
void people_restart(struct people *people);
void people_remove(struct people *people);

struct skm_peer people_peer(enum people_uid uid);
/* Root by sudo. */
struct skm_peer people_sudo(enum people_uid login_uid);

/* A request; members that are not set are left out. */
struct people_request {
	const char *user, *service, *answer, *answer2, *reason, *label;
	const void *secret, *ticket;
	size_t secret_len, ticket_len, answer_len;
	uint64_t flags, token, days, counter;
	uint64_t type, algorithm, digits, period; /* 0 = left out; algorithm and type: value + 1 */
};
enum skm_auth_outcome people_ask(struct people *people, struct skm_peer peer,
	enum skm_auth_operation operation, const struct people_request *request);
/* VERIFY by root for the user. */
enum skm_auth_outcome people_verify(struct people *people, const char *user, const char *answer);
/* The right code of PEOPLE_SECRET now, plus so many steps. */
const char *people_code(const struct people *people, int steps, char ret_code[16]);
/* Imports a SHA-256 token with PEOPLE_SECRET, and forgets the records of that. */
void people_enrol(struct people *people, const char *user);
void people_advance(struct people *people, int64_t sec);
/* Forgets records and counts of calls. */
void people_forget(struct people *people);
/* The text of the last answer, "" when there was none. */
const char *people_text(struct people *people);
uint64_t people_number(const struct people *people, enum skm_auth_tag tag);
/* The only record of that event since people_forget; NULL when there is none or more than one. */
const struct skm_record *people_only(const struct people *people, enum skm_event event);
size_t people_count(const struct people *people, enum skm_event event);
/* No record holds this text in any place. */
void people_expect_untold(const struct people *people, const char *text);
/* RIGHT code wrong in its last digit. */
const char *people_wrong_code(const struct people *people, char ret_code[16]);

#endif
