// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "recovery.h"

#define NOON INT64_C(1795230000)

/* A person with all ten codes and a substitute code that ends a day after noon. */
struct issued {
	struct skm_person person;
	struct skm_person_state state;
	char texts[SKM_RECOVERY_CODES + 1][SKM_RECOVERY_TEXT_BYTES]; /* 0: the substitute code */
};

static void issue(struct issued *issued)
{
	cr_assert(sodium_init() >= 0);
	*issued = (struct issued){0};
	struct skm_person *person = &issued->person;
	for (uint8_t i = 0; i < SKM_RECOVERY_CODES; i++)
		cr_assert(skm_recovery_new(i + 1, &person->recovery[i], issued->texts[i + 1]) == 0);
	cr_assert(skm_recovery_new(0, &person->substitute, issued->texts[0]) == 0);
	person->recovery_count = SKM_RECOVERY_CODES;
	person->recovery_series = 3;
	person->substitute_series = 2;
	person->substitute_until_sec = NOON + 86400;
	issued->state.recovery_series = 3;
	issued->state.substitute_series_used = 1;
}

static enum skm_recovery_verdict try_at(struct issued *issued, const char *text, int64_t now_sec)
{
	struct skm_answer answer;
	enum skm_recovery_verdict verdict = (enum skm_recovery_verdict)99;
	skm_answer_parse(text, strlen(text), &answer);
	cr_assert(answer.kind == SKM_ANSWER_RECOVERY, "%s", text);
	cr_assert(skm_recovery_verify(&issued->person, &issued->state, &answer, now_sec, &verdict) == 0);
	return verdict;
}

static enum skm_recovery_verdict try(struct issued *issued, const char *text)
{
	return try_at(issued, text, NOON);
}

Test(recovery, text_is_what_the_parser_reads)
{
	struct issued issued;
	issue(&issued);
	for (unsigned i = 0; i <= SKM_RECOVERY_CODES; i++) {
		struct skm_answer answer;
		const char *text = issued.texts[i];
		skm_answer_parse(text, strlen(text), &answer);
		cr_assert(answer.kind == SKM_ANSWER_RECOVERY && answer.number == i, "%s", text);
		/* Two digits of the substitute code: behind a password that ends in 1, a single 0 is a 10. */
		size_t digits = i == 0 || i >= 10 ? 2 : 1;
		cr_assert(strlen(text) == digits + 25 && text[digits] == '-', "%s", text);
		for (unsigned k = 0; k < i; k++)
			cr_assert(strcmp(strchr(issued.texts[k], '-'), strchr(text, '-')) != 0, "%s", text);
	}
}

Test(recovery, every_letter_comes)
{
	cr_assert(sodium_init() >= 0);
	unsigned seen[128] = {0};
	struct skm_recovery_hash hash;
	char text[SKM_RECOVERY_TEXT_BYTES];
	for (int i = 0; i < 40; i++) {
		cr_assert(skm_recovery_new(255, &hash, text) == 0);
		cr_assert(strlen(text) < sizeof(text));
		for (const char *c = text; *c != '\0'; c++)
			seen[(unsigned char)*c]++;
	}
	/* 800 letters, fifty of each expected; fewer than fifteen of one is a chance of 10^-8 */
	for (const char *letter = SKM_RECOVERY_ALPHABET; *letter != '\0'; letter++)
		cr_expect(
			seen[(unsigned char)*letter] >= 15, "%c: %u", *letter, seen[(unsigned char)*letter]);
}

Test(recovery, hash_is_not_the_letters_and_salted)
{
	struct issued issued;
	issue(&issued);
	for (unsigned i = 0; i + 1 < SKM_RECOVERY_CODES; i++) {
		const struct skm_recovery_hash *hash = &issued.person.recovery[i];
		cr_assert(!sodium_is_zero(hash->salt, sizeof(hash->salt)));
		cr_assert(!sodium_is_zero(hash->hash, sizeof(hash->hash)));
		cr_assert(memcmp(hash->salt, hash[1].salt, sizeof(hash->salt)) != 0);
		cr_assert(memmem(hash, sizeof(*hash), issued.texts[i + 1] + 2, 4) == NULL);
	}
}

Test(recovery, each_code_once)
{
	struct issued issued;
	issue(&issued);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 10);
	for (unsigned i = SKM_RECOVERY_CODES; i > 0; i--) {
		cr_assert(try(&issued, issued.texts[i]) == SKM_RECOVERY_RIGHT, "%s", issued.texts[i]);
		cr_assert(skm_recovery_left(&issued.person, &issued.state) == i - 1);
		cr_assert(try(&issued, issued.texts[i]) == SKM_RECOVERY_USED, "%s", issued.texts[i]);
	}
	cr_assert(issued.state.recovery_used == 0x3ff);
	cr_assert(try(&issued, issued.texts[0]) == SKM_RECOVERY_RIGHT,
		"the substitute code is not one of them");
}

Test(recovery, letters_count_under_their_number_only)
{
	struct issued issued;
	issue(&issued);
	char text[SKM_RECOVERY_TEXT_BYTES + 4];
	struct skm_person_state before = issued.state;
	for (unsigned number = 0; number <= 99; number++) {
		if (number == 4 || (number > 11 && number < 98))
			continue;
		(void)snprintf(
			text, sizeof(text), "%u%.*s", number, SKM_RECOVERY_TEXT_BYTES, issued.texts[4] + 1);
		cr_assert(try(&issued, text) == SKM_RECOVERY_WRONG, "%s", text);
	}
	cr_assert(memcmp(&before, &issued.state, sizeof(before)) == 0);
}

Test(recovery, one_letter_off_is_wrong)
{
	struct issued issued;
	issue(&issued);
	struct skm_person_state before = issued.state;
	for (size_t i = 2; i < 26; i++) {
		char text[SKM_RECOVERY_TEXT_BYTES];
		memcpy(text, issued.texts[7], sizeof(text));
		if (text[i] == '-')
			continue;
		text[i] = text[i] == 'A' ? 'C' : 'A';
		cr_assert(try(&issued, text) == SKM_RECOVERY_WRONG, "%s", text);
	}
	cr_assert(memcmp(&before, &issued.state, sizeof(before)) == 0);
	cr_assert(try(&issued, issued.texts[7]) == SKM_RECOVERY_RIGHT);
}

Test(recovery, nobody_has_codes)
{
	struct issued issued;
	issue(&issued);
	issued.person = (struct skm_person){0};
	cr_assert(try(&issued, issued.texts[1]) == SKM_RECOVERY_WRONG);
	cr_assert(try(&issued, issued.texts[0]) == SKM_RECOVERY_WRONG);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 0);
	/* counted, but its hash is not there: zeros are no hash of anything */
	issued.person.recovery_count = SKM_RECOVERY_CODES;
	issued.person.recovery_series = issued.state.recovery_series;
	issued.person.substitute_series = 9;
	issued.person.substitute_until_sec = INT64_MAX;
	cr_assert(try(&issued, issued.texts[1]) == SKM_RECOVERY_WRONG);
	cr_assert(try(&issued, issued.texts[0]) == SKM_RECOVERY_WRONG);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 0);
}

Test(recovery, count_beyond_the_places)
{
	struct issued issued;
	issue(&issued);
	issued.person.recovery_count = 255;
	cr_assert(try(&issued, "11-ACEF-HJKL-MQRT-UWXY-ACEF") == SKM_RECOVERY_WRONG);
	cr_assert(try(&issued, "99-ACEF-HJKL-MQRT-UWXY-ACEF") == SKM_RECOVERY_WRONG);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 10);
}

Test(recovery, series_that_the_state_does_not_know_is_used)
{
	struct issued issued;
	issue(&issued);
	issued.state.recovery_series = 2;
	cr_assert(try(&issued, issued.texts[1]) == SKM_RECOVERY_USED);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 0);
}

Test(recovery, substitute_once_and_until_its_day_ends)
{
	struct issued issued;
	issue(&issued);
	const char *text = issued.texts[0];
	struct skm_person_state fresh = issued.state;
	cr_assert(try_at(&issued, text, NOON + 86400) == SKM_RECOVERY_EXPIRED);
	cr_assert(memcmp(&fresh, &issued.state, sizeof(fresh)) == 0);
	cr_assert(try_at(&issued, text, NOON + 86399) == SKM_RECOVERY_RIGHT);
	cr_assert(issued.state.substitute_series_used == 2);
	cr_assert(try_at(&issued, text, NOON) == SKM_RECOVERY_USED);
	cr_assert(try_at(&issued, text, NOON + 86400) == SKM_RECOVERY_USED);
	cr_assert(skm_recovery_left(&issued.person, &issued.state) == 10, "it is not counted among them");
}

Test(recovery, substitute_is_not_revived_by_setting_the_clock_back)
{
	struct issued issued;
	issue(&issued);
	issued.state.latest_sec = NOON + 86400;
	cr_assert(try_at(&issued, issued.texts[0], NOON) == SKM_RECOVERY_EXPIRED);
	cr_assert(try_at(&issued, issued.texts[5], NOON) == SKM_RECOVERY_RIGHT,
		"the numbered ones know no clock");
	cr_assert(try_at(&issued, issued.texts[6], INT64_MIN) == SKM_RECOVERY_RIGHT);
	cr_assert(try_at(&issued, issued.texts[7], INT64_MAX) == SKM_RECOVERY_RIGHT);
}

/* The linker takes this instead of libsodium's, so that it can be counted and fail. */
static struct {
	unsigned calls;
	unsigned long long opslimit;
	size_t memlimit;
	bool is_out_of_memory;
} pwhash;

int crypto_pwhash(unsigned char *out, unsigned long long out_len, const char *text,
	unsigned long long text_len, const unsigned char *salt, unsigned long long opslimit, size_t memlimit,
	int algorithm)
{
	pwhash.calls++;
	pwhash.opslimit = opslimit;
	pwhash.memlimit = memlimit;
	if (pwhash.is_out_of_memory)
		return -1;
	return crypto_pwhash_argon2id(out, out_len, text, text_len, salt, opslimit, memlimit, algorithm);
}

Test(recovery, one_hash_whatever_the_answer)
{
	struct issued issued;
	issue(&issued);
	char wrong[] = "9-ACEF-HJKL-MQRT-UWXY-ACEF", unknown[] = "98-ACEF-HJKL-MQRT-UWXY-ACEF";
	const struct {
		const char *text;
		int64_t now_sec;
		enum skm_recovery_verdict verdict;
	} cases[] = {
		{issued.texts[1], NOON, SKM_RECOVERY_RIGHT},
		{issued.texts[1], NOON, SKM_RECOVERY_USED},
		{issued.texts[0], NOON + 86400, SKM_RECOVERY_EXPIRED},
		{issued.texts[0], NOON, SKM_RECOVERY_RIGHT},
		{wrong, NOON, SKM_RECOVERY_WRONG},
		{unknown, NOON, SKM_RECOVERY_WRONG},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		pwhash.calls = 0;
		cr_assert(
			try_at(&issued, cases[i].text, cases[i].now_sec) == cases[i].verdict, "case %zu", i);
		cr_assert(pwhash.calls == 1, "case %zu: %u", i, pwhash.calls);
		cr_assert(pwhash.opslimit == 2 && pwhash.memlimit == 8u << 20, "the same cost, case %zu", i);
	}
	issued.person = (struct skm_person){0};
	pwhash.calls = 0;
	cr_assert(try(&issued, issued.texts[1]) == SKM_RECOVERY_WRONG && pwhash.calls == 1, "nobody");
}

Test(recovery, without_memory_nothing_is_decided)
{
	struct issued issued;
	issue(&issued);
	struct skm_answer answer;
	struct skm_person_state before = issued.state;
	enum skm_recovery_verdict verdict = (enum skm_recovery_verdict)99;
	skm_answer_parse(issued.texts[1], strlen(issued.texts[1]), &answer);
	struct skm_recovery_hash hash = {.salt = {7}};
	char text[SKM_RECOVERY_TEXT_BYTES] = "untouched";
	pwhash.is_out_of_memory = true;
	cr_assert(skm_recovery_verify(&issued.person, &issued.state, &answer, NOON, &verdict) == -ENOMEM);
	cr_assert(skm_recovery_new(1, &hash, text) == -ENOMEM);
	cr_assert(verdict == (enum skm_recovery_verdict)99);
	cr_assert(memcmp(&before, &issued.state, sizeof(before)) == 0);
	cr_assert(hash.salt[0] == 7 && strcmp(text, "untouched") == 0);
}
