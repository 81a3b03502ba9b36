// SPDX-License-Identifier: Apache-2.0
/* One request on its way: who asks, about whom, when; the records and answers that it leads to. */
#ifndef SKM_FACTS_H
#define SKM_FACTS_H

#include "authenticator.h"

struct skm_inquiry {
	struct skm_authenticator *authenticator;
	const struct skm_peer *peer;
	const struct skm_auth_packet *request;
	skm_send_fn send;
	void *user;
	struct skm_timestamp now; /* read once: one request happens at one moment */
	uint8_t boot_id[16];
	enum skm_way way;
	char name[SKM_PERSON_NAME_BYTES]; /* USER; "" when no user can have such a name */
	struct skm_auth_facts facts;
	const char *object; /* of its records, when an act is about more than a person; NULL = none */
};

void skm_inquiry_init(struct skm_inquiry *inquiry, struct skm_authenticator *authenticator,
	const struct skm_peer *peer, const struct skm_auth_packet *request);
int64_t skm_inquiry_now_sec(const struct skm_inquiry *inquiry);

/* Does the kernel's word say that the peer is this very person; that it is certainly somebody else? Root
 * through sudo is the one who logged in. */
bool skm_inquiry_is_self(const struct skm_inquiry *inquiry, uint32_t uid);
bool skm_inquiry_is_other(const struct skm_inquiry *inquiry, uint32_t uid);

/* Queues one record about this request. */
void skm_inquiry_record(const struct skm_inquiry *inquiry, enum skm_event event, enum skm_outcome outcome,
	const char *rule, const char *detail_format, ...) SKM_PRINTF(5, 6);
/* One about the machine and no person: who asked, by the kernel's word, what it is about, and a text. */
void skm_inquiry_record_machine(
	const struct skm_inquiry *inquiry, enum skm_event event, const char *object, const char *detail);
/* The record of an outcome, with its event and severity from one table, or its count if it comes too often
 * (tally.h). */
void skm_inquiry_record_outcome(
	struct skm_inquiry *inquiry, enum skm_auth_outcome outcome, uint64_t mark, const char *detail);
/* That the state is kept in memory: once, until the disk could be written again. */
void skm_inquiry_record_fallback(const struct skm_inquiry *inquiry);
/* 0, or -errno when records could not be stored. */
SKM_NODISCARD int skm_inquiry_flush(const struct skm_inquiry *inquiry);
/* Records one count of the tally. */
void skm_tally_record(struct skm_authenticator *authenticator, const struct skm_tally_entry *entry);

/* Sends the packet and wipes it. 0, -errno of writing or sending. */
SKM_NODISCARD int skm_inquiry_send(const struct skm_inquiry *inquiry, struct skm_auth_writer *writer);
SKM_NODISCARD int skm_inquiry_reply(const struct skm_inquiry *inquiry, enum skm_auth_outcome outcome);
/* Flushes (a failure is not told) and replies DENIED, with its record. */
SKM_NODISCARD int skm_inquiry_deny(struct skm_inquiry *inquiry, const char *detail);

/* Whole and printable (UTF-8 without control characters)? For what people wrote and other people will read.
 */
bool skm_text_is_printable(const char *text);

#endif
