// SPDX-License-Identifier: Apache-2.0
/* What the module tells authd and what it takes from the answer. Nothing here decides; an answer that is not
 * understood is an error, and an error is a failure (outcome.c). */
#include "question.h"

#include <limits.h>
#include <string.h>

static void put_item(struct skm_auth_writer *request, enum skm_auth_tag tag, const char *text)
{
	char shortened[SKM_PAM_FIELD_BYTES + 1];
	if (strnlen(text, sizeof(shortened)) > SKM_PAM_FIELD_BYTES) {
		memcpy(shortened, text, SKM_PAM_FIELD_BYTES - 1);
		memcpy(shortened + SKM_PAM_FIELD_BYTES - 1, "\n", 2);
		text = shortened;
	}
	skm_auth_write_text(request, tag, text);
}

static void begin(const struct skm_pam_question *question, struct skm_auth_writer *request, uint8_t operation)
{
	static const struct {
		enum skm_auth_tag tag;
		int item;
	} items[] = {
		{SKM_AUTH_TAG_SERVICE, PAM_SERVICE},
		{SKM_AUTH_TAG_TTY, PAM_TTY},
		{SKM_AUTH_TAG_RHOST, PAM_RHOST},
		{SKM_AUTH_TAG_RUSER, PAM_RUSER},
	};
	skm_auth_write_begin(request, operation);
	put_item(request, SKM_AUTH_TAG_USER, *question->user ? question->user : "\n");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(items); i++) {
		const void *text = NULL;
		if (pam_get_item(question->pamh, items[i].item, &text) == PAM_SUCCESS && text)
			put_item(request, items[i].tag, text);
	}
}

static unsigned number_of(const struct skm_auth_packet *packet, enum skm_auth_tag tag)
{
	uint64_t number = skm_auth_packet_number(packet, tag, 0);
	return number < UINT_MAX ? (unsigned)number : UINT_MAX;
}

static int take_verdict(void *user, const struct skm_auth_packet *packet)
{
	struct skm_pam_verdict *verdict = user;
	if (packet->code == SKM_AUTH_MORE)
		return -EBADMSG; /* neither question has a long answer */
	uint64_t digits = skm_auth_packet_number(packet, SKM_AUTH_TAG_DIGITS, 0);
	uint64_t language = skm_auth_packet_number(packet, SKM_AUTH_TAG_LANGUAGE, SKM_LANGUAGE_COUNT_);
	unsigned wait_sec = number_of(packet, SKM_AUTH_TAG_WAIT_SEC);
	*verdict = (struct skm_pam_verdict){
		.outcome = packet->code,
		.digits = digits == 6 || digits == 8 ? (unsigned)digits : 0,
		.language = language < SKM_LANGUAGE_COUNT_ ? (int)language : -1,
		.tries = number_of(packet, SKM_AUTH_TAG_TRIES),
		.wait_min = wait_sec / 60 + (wait_sec % 60 != 0 || wait_sec == 0),
		.until_sec = (int64_t)skm_auth_packet_number(packet, SKM_AUTH_TAG_UNTIL, 0),
		.factor = skm_auth_packet_number(packet, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_NONE),
		.says_left = packet->field[SKM_AUTH_TAG_LEFT] != NULL,
		.left = number_of(packet, SKM_AUTH_TAG_LEFT),
	};
	return 0;
}

static struct skm_pam_verdict ask(
	const struct skm_pam_question *question, struct skm_auth_writer *request, uint32_t *budget_ms)
{
	struct skm_pam_verdict verdict = {.outcome = -ENODATA, .language = -1};
	int r = skm_auth_ask(question->socket, request, budget_ms, take_verdict, &verdict);
	explicit_bzero(request, sizeof(*request));
	if (r < 0)
		verdict = (struct skm_pam_verdict){.outcome = r, .language = -1};
	return verdict;
}

static void put_flags(struct skm_auth_writer *request, uint64_t flags)
{
	if (flags)
		skm_auth_write_number(request, SKM_AUTH_TAG_FLAGS, flags);
}

struct skm_pam_verdict skm_pam_prepare(struct skm_pam_question *question, uint64_t flags)
{
	struct skm_auth_writer request;
	begin(question, &request, SKM_AUTH_PREPARE);
	put_flags(&request, flags);
	uint32_t part_ms =
		question->budget_ms < SKM_PAM_PREPARE_MS ? question->budget_ms : SKM_PAM_PREPARE_MS;
	uint32_t left_ms = part_ms;
	struct skm_pam_verdict verdict = ask(question, &request, &left_ms);
	question->budget_ms -= part_ms - left_ms;
	return verdict;
}

struct skm_pam_verdict skm_pam_verify(
	struct skm_pam_question *question, const char *answer, size_t answer_len, uint64_t flags)
{
	struct skm_auth_writer request;
	begin(question, &request, SKM_AUTH_VERIFY);
	skm_auth_write_bytes(&request, SKM_AUTH_TAG_ANSWER, answer, answer_len);
	put_flags(&request, flags);
	return ask(question, &request, &question->budget_ms);
}
