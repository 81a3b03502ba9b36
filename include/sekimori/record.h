// SPDX-License-Identifier: Apache-2.0
/* One audit record and its one line of JSON. OCSF-shaped (schema.ocsf.io, classes 1010 Peripheral Activity,
 * 3002 Authentication and 1008 Event Log Activity, profiles security_control and datetime), with the chain as
 * the last member. */
#ifndef SEKIMORI_RECORD_H
#define SEKIMORI_RECORD_H

#include "sekimori/chain.h"
#include "sekimori/clock.h"
#include "sekimori/decision.h"
#include "sekimori/event.h"

#define SKM_RECORD_LINE_MAX 8000 /* bytes with the final newline; rsyslog's default cuts at 8,096 */
#define SKM_USER_BYTES 129
#define SKM_HEX256_BYTES 65
#define SKM_HEX128_BYTES 33

/* What became of it. */
enum skm_outcome {
	SKM_OUTCOME_BLOCKED,
	SKM_OUTCOME_ALLOWED,
	SKM_OUTCOME_PARTIAL,
	SKM_OUTCOME_OBSERVED, /* let pass although the policy refuses (mode "audit", system disk) */
	SKM_OUTCOME_LOGGED,   /* a fact, nothing was decided */
	SKM_OUTCOME_ERROR,    /* could not be done */
	SKM_OUTCOME_COUNT_,
};

/* Whose second factor a record is about (OCSF class 3002 Authentication). All texts may be a stranger's: they
 * are cut and escaped, never believed. There is no member for a code or a secret, and none may be written
 * into one of these. */
struct skm_auth_facts {
	char subject[SKM_USER_BYTES]; /* whose factor; as the caller wrote it, when unknown */
	int64_t subject_uid;	      /* -1 = unknown */
	char service[65], tty[65], rhost[129], ruser[SKM_USER_BYTES];
	char factor[16];  /* "token", "recovery", "substitute", "" = none; else it reads "Unknown" */
	char token[65];	  /* label of the token, "" = none */
	char reason[256]; /* what an administrator gave as the reason */
};

struct skm_record {
	enum skm_event event;
	enum skm_outcome outcome;
	struct skm_timestamp time;
	char boot_id[SKM_BOOT_ID_BYTES];
	uint64_t sequence;  /* set by the stream when it stores the record; 1 is the first of a stream */
	const char *stream; /* "agent" or "auth": static storage */

	char terminal_number[65];
	char section[129];
	char policy_version[17];

	/* Who was at the console: the active session's user; who logged in (loginuid); who operates it ("" =
	 * not known). */
	char user[SKM_USER_BYTES];
	char login_user[SKM_USER_BYTES];
	char operator_id[SKM_USER_BYTES];
	int64_t user_uid; /* -1 = nobody at the console */

	/* Administrative acts: who asked, by the kernel's word. -1 = not asked by anybody. */
	int64_t caller_uid;
	int32_t caller_pid;

	/* At most one of has_auth and has_device; of a record with both, the device is written. A record of
	 * stream "auth" that is about no person (the key is missing, the log is full) has neither. */
	bool has_auth;
	struct skm_auth_facts auth;

	bool has_device;
	struct skm_device device;
	struct skm_decision decision;
	bool at_start; /* was there when the agent (or the machine) started */

	bool has_checkpoint; /* event CHECKPOINT */
	struct skm_checkpoint checkpoint;

	/* What decided, when it was no device decision: "builtin:…". "" = decision.rule; a record of a device
	 * always names one. */
	char rule[SKM_RULE_ID_BYTES];
	char object[256]; /* what it is about when it is no device: a controller, a file, a segment */
	char detail[512]; /* English, one sentence, may be empty */
	uint64_t count;	  /* aggregated or lost records, 0 = none */

	/* The chain, set by the stream when it stores the record: the chain's id, the number of the boot, the
	 * hash of the record before, and this record's MAC. "" and 0: a stream without a chain. */
	uint64_t boot_number;
	char chain_id[SKM_HEX128_BYTES];
	char previous_hash[SKM_HEX256_BYTES];
	char mac[SKM_HEX128_BYTES];
};

/* A record with nothing in it but defaults (uids -1, stream "agent", outcome LOGGED). */
void skm_record_init(struct skm_record *record, enum skm_event event);

/* Writes one line with its newline (and no NUL), always valid JSON in valid UTF-8, escaped as json.h says,
 * members in a fixed order. Each text has a budget of bytes and is cut beyond it, ending in U+2026; the list
 * of interfaces is cut to what the line still holds and "interfaces_omitted" counts the rest: so the line
 * never exceeds SKM_RECORD_LINE_MAX. What is not known is null; left out are only "peripheral_device" (no
 * device), the members of class 3002 (no person), "count" (0) and "checkpoint". The members are described in
 * docs/audit-record.schema.json. All strings of the record must be terminated, stream may be NULL. Returns
 * the length. Pure. */
size_t skm_record_format(const struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX]);

const char *skm_outcome_to_string(enum skm_outcome outcome);

#endif
