// SPDX-License-Identifier: Apache-2.0
/* A fixed layout of its own, not person.c's: a ticket lives for minutes and is read by the program that wrote
 * it, so it needs no versions. The boot clock counts its age: nobody can set that back. */
#include "ticket.h"

#include <endian.h>
#include <string.h>

/* Each member behind the other; numbers little-endian. */
enum {
	AT_UID = 0,
	AT_PEER_UID = 4,
	AT_GENERATION = 8,
	AT_BOOT_ID = 16,
	AT_BOOTTIME = 32,
	AT_COUNTER = 40,
	AT_TYPE = 48,
	AT_ALGORITHM = 49,
	AT_DIGITS = 50,
	AT_PERIOD = 51,
	AT_SECRET_LEN = 52,
	AT_SECRET = 56,
	AT_LABEL = AT_SECRET + SKM_OTP_SECRET_BYTES_MAX,
	AT_END = AT_LABEL + SKM_OTP_LABEL_BYTES,
};
_Static_assert(AT_END <= SKM_TICKET_TEXT_BYTES, "a ticket's members fit");

static void put_number(uint8_t *at, uint64_t value)
{
	uint64_t little = htole64(value);
	memcpy(at, &little, sizeof(little));
}

static uint64_t get_number(const uint8_t *at)
{
	uint64_t little;
	memcpy(&little, at, sizeof(little));
	return le64toh(little);
}

void skm_ticket_seal(
	const struct skm_key *key, const struct skm_ticket *ticket, uint8_t ret_box[SKM_TICKET_BYTES])
{
	uint8_t text[SKM_TICKET_TEXT_BYTES] = {0};
	const struct skm_token *token = &ticket->token;
	put_number(text + AT_UID, (uint64_t)ticket->peer_uid << 32 | ticket->uid);
	put_number(text + AT_GENERATION, ticket->generation);
	memcpy(text + AT_BOOT_ID, ticket->boot_id, sizeof(ticket->boot_id));
	put_number(text + AT_BOOTTIME, ticket->boottime_usec);
	put_number(text + AT_COUNTER, token->first_counter);
	text[AT_TYPE] = (uint8_t)token->parameters.type;
	text[AT_ALGORITHM] = (uint8_t)token->parameters.algorithm;
	text[AT_DIGITS] = token->parameters.digits;
	text[AT_PERIOD] = token->parameters.period_sec;
	text[AT_SECRET_LEN] = token->secret_len;
	memcpy(text + AT_SECRET, token->secret, sizeof(token->secret));
	memcpy(text + AT_LABEL, token->label, strnlen(token->label, sizeof(token->label) - 1));
	skm_seal(key, SKM_SEAL_TICKET, text, sizeof(text), ret_box);
	explicit_bzero(text, sizeof(text));
}

int skm_ticket_open(
	const struct skm_key *key, const uint8_t *box, size_t box_len, struct skm_ticket *ret_ticket)
{
	uint8_t text[SKM_TICKET_TEXT_BYTES];
	if (box_len != SKM_TICKET_BYTES)
		return SKM_SEAL_DAMAGED;
	int r = skm_unseal(key, SKM_SEAL_TICKET, box, box_len, text);
	if (r != 0)
		return r;
	struct skm_ticket ticket = {
		.uid = (uint32_t)get_number(text + AT_UID),
		.peer_uid = (uint32_t)(get_number(text + AT_UID) >> 32),
		.generation = get_number(text + AT_GENERATION),
		.boottime_usec = get_number(text + AT_BOOTTIME),
		.token =
			{
				.parameters =
					{
						.type = (enum skm_otp_type)text[AT_TYPE],
						.algorithm = (enum skm_otp_algorithm)text[AT_ALGORITHM],
						.digits = text[AT_DIGITS],
						.period_sec = text[AT_PERIOD],
					},
				.secret_len = text[AT_SECRET_LEN],
				.first_counter = get_number(text + AT_COUNTER),
			},
	};
	memcpy(ticket.boot_id, text + AT_BOOT_ID, sizeof(ticket.boot_id));
	memcpy(ticket.token.secret, text + AT_SECRET, sizeof(ticket.token.secret));
	memcpy(ticket.token.label, text + AT_LABEL, sizeof(ticket.token.label) - 1);
	explicit_bzero(text, sizeof(text));
	/* Nobody else can seal, so this is only for a future version's ticket. */
	if (skm_otp_parameters_check(&ticket.token.parameters) == 0 &&
		ticket.token.secret_len >= SKM_OTP_SECRET_BYTES_MIN &&
		ticket.token.secret_len <= SKM_OTP_SECRET_BYTES_MAX)
		*ret_ticket = ticket;
	else
		r = SKM_SEAL_DAMAGED;
	explicit_bzero(&ticket, sizeof(ticket));
	return r;
}

bool skm_ticket_is_fresh(
	const struct skm_ticket *ticket, const struct skm_timestamp *now, const uint8_t boot_id[16])
{
	return memcmp(ticket->boot_id, boot_id, sizeof(ticket->boot_id)) == 0 &&
	       now->boottime_usec >= ticket->boottime_usec &&
	       now->boottime_usec - ticket->boottime_usec < SKM_TICKET_LIFE_SEC * SKM_USEC_PER_SEC;
}
