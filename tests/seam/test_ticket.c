// SPDX-License-Identifier: Apache-2.0
/* What comes back is what went out, or nothing. */
#include <criterion/criterion.h>
#include <string.h>

#include "ticket.h"

static struct skm_key key = {.bytes = {1, 2, 3}, .id = {4, 5, 6}};

static struct skm_ticket make_ticket(void)
{
	struct skm_ticket ticket = {
		.uid = 1000,
		.peer_uid = UINT32_MAX,
		.generation = UINT64_MAX - 1,
		.boot_id = {9, 8, 7},
		.boottime_usec = UINT64_C(1) << 60,
		.token =
			{
				.parameters = {SKM_OTP_HOTP, SKM_OTP_SHA512, 8, 0},
				.secret_len = SKM_OTP_SECRET_BYTES_MAX,
				.first_counter = UINT64_C(1) << 63,
			},
	};
	memset(ticket.token.secret, 0xa5, sizeof(ticket.token.secret));
	memset(ticket.token.label, 'l', sizeof(ticket.token.label) - 1);
	cr_assert_eq(skm_seal_start(), 0);
	return ticket;
}

Test(ticket, every_member_comes_back)
{
	struct skm_ticket ticket = make_ticket(), opened;
	uint8_t box[SKM_TICKET_BYTES];
	memset(&opened, 0x55, sizeof(opened));
	skm_ticket_seal(&key, &ticket, box);
	cr_assert_eq(skm_ticket_open(&key, box, sizeof(box), &opened), 0);
	cr_assert_eq(opened.uid, ticket.uid);
	cr_assert_eq(opened.peer_uid, ticket.peer_uid);
	cr_assert_eq(opened.generation, ticket.generation);
	cr_assert_arr_eq(opened.boot_id, ticket.boot_id, sizeof(ticket.boot_id));
	cr_assert_eq(opened.boottime_usec, ticket.boottime_usec);
	cr_assert_eq(opened.token.parameters.type, SKM_OTP_HOTP);
	cr_assert_eq(opened.token.parameters.algorithm, SKM_OTP_SHA512);
	cr_assert_eq(opened.token.parameters.digits, 8);
	cr_assert_eq(opened.token.parameters.period_sec, 0);
	cr_assert_eq(opened.token.first_counter, ticket.token.first_counter);
	cr_assert_eq(opened.token.secret_len, ticket.token.secret_len);
	cr_assert_arr_eq(opened.token.secret, ticket.token.secret, sizeof(ticket.token.secret));
	cr_assert_str_eq(opened.token.label, ticket.token.label);
	cr_assert_eq(opened.token.id, 0);
}

Test(ticket, the_secret_cannot_be_read_in_it)
{
	struct skm_ticket ticket = make_ticket();
	uint8_t box[SKM_TICKET_BYTES];
	skm_ticket_seal(&key, &ticket, box);
	cr_assert_null(memmem(box, sizeof(box), ticket.token.secret, 8));
	cr_assert_null(memmem(box, sizeof(box), "llllllll", 8));
}

Test(ticket, a_single_bit_or_another_length_is_damage)
{
	struct skm_ticket ticket = make_ticket(), opened = {.uid = 77};
	uint8_t box[SKM_TICKET_BYTES + 1];
	skm_ticket_seal(&key, &ticket, box);
	for (size_t i = 0; i < SKM_TICKET_BYTES; i++) {
		box[i] ^= 0x10;
		cr_assert_neq(skm_ticket_open(&key, box, SKM_TICKET_BYTES, &opened), 0, "byte %zu", i);
		box[i] ^= 0x10;
	}
	cr_assert_eq(skm_ticket_open(&key, box, SKM_TICKET_BYTES - 1, &opened), SKM_SEAL_DAMAGED);
	cr_assert_eq(skm_ticket_open(&key, box, SKM_TICKET_BYTES + 1, &opened), SKM_SEAL_DAMAGED);
	cr_assert_eq(skm_ticket_open(&key, box, 0, &opened), SKM_SEAL_DAMAGED);
	cr_assert_eq(opened.uid, 77, "touched on failure");
	cr_assert_eq(skm_ticket_open(&key, box, SKM_TICKET_BYTES, &opened), 0);
}

Test(ticket, another_key_or_purpose_does_not_open_it)
{
	struct skm_ticket ticket = make_ticket(), opened;
	struct skm_key other = key;
	uint8_t box[SKM_TICKET_BYTES], text[SKM_TICKET_TEXT_BYTES] = {0};
	skm_ticket_seal(&key, &ticket, box);
	other.id[0] ^= 1;
	cr_assert_eq(skm_ticket_open(&other, box, sizeof(box), &opened), SKM_SEAL_WRONG_KEY);
	skm_seal(&key, SKM_SEAL_STATE, text, sizeof(text), box);
	cr_assert_eq(skm_ticket_open(&key, box, sizeof(box), &opened), SKM_SEAL_DAMAGED);
}

Test(ticket, what_no_token_can_be_is_damage)
{
	struct skm_ticket ticket = make_ticket(), opened;
	uint8_t box[SKM_TICKET_BYTES];
	ticket.token.secret_len = SKM_OTP_SECRET_BYTES_MAX + 1;
	skm_ticket_seal(&key, &ticket, box);
	cr_assert_eq(skm_ticket_open(&key, box, sizeof(box), &opened), SKM_SEAL_DAMAGED);
	ticket = make_ticket();
	ticket.token.parameters.digits = 7;
	skm_ticket_seal(&key, &ticket, box);
	cr_assert_eq(skm_ticket_open(&key, box, sizeof(box), &opened), SKM_SEAL_DAMAGED);
}

Test(ticket, it_ages_by_the_boot_clock_and_ends_with_the_boot)
{
	struct skm_ticket ticket = make_ticket();
	struct skm_timestamp now = {.boottime_usec = ticket.boottime_usec, .realtime_usec = INT64_MAX};
	uint8_t other_boot[16] = {9, 8, 6};
	cr_assert(skm_ticket_is_fresh(&ticket, &now, ticket.boot_id));
	cr_assert_not(skm_ticket_is_fresh(&ticket, &now, other_boot));
	now.boottime_usec += (uint64_t)SKM_TICKET_LIFE_SEC * SKM_USEC_PER_SEC - 1;
	cr_assert(skm_ticket_is_fresh(&ticket, &now, ticket.boot_id));
	now.boottime_usec++;
	cr_assert_not(skm_ticket_is_fresh(&ticket, &now, ticket.boot_id));
	now.boottime_usec = ticket.boottime_usec - 1;
	cr_assert_not(skm_ticket_is_fresh(&ticket, &now, ticket.boot_id));
}
