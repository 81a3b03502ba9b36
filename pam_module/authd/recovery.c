// SPDX-License-Identifier: Apache-2.0
/* Recovery codes. A fast keyed hash was rejected: eighty random bits would bear it, but these are the secrets
 * that people write down, and NIST SP 800-63B wants a password hash below 112 bits. Trying all ten hashes for
 * a code without a number was rejected too: ten times the time, and it would tell how many codes there are.
 */
#include "recovery.h"

#include <sodium/crypto_pwhash.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <string.h>

/* The letters are random, so the work factor need not make up for a weak choice; it only has to make a stolen
 * record dear to search. Two passes over 8 MiB take 2 to 5 ms on a terminal of our days: nobody waits, the
 * service, which answers one after the other, is not held up, and its memory limit does not have to allow for
 * more. */
#define HASH_PASSES 2
#define HASH_MEMORY_BYTES (8u << 20)
#define LETTERS_PER_GROUP 4

_Static_assert(sizeof(SKM_RECOVERY_ALPHABET) == 16 + 1, "a letter is four random bits, without remainder");
_Static_assert(SKM_RECOVERY_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES, "the salt of Argon2");

static int hash_letters(const char letters[SKM_RECOVERY_LETTERS + 1],
	const uint8_t salt[SKM_RECOVERY_SALT_BYTES], uint8_t ret_hash[SKM_RECOVERY_HASH_BYTES])
{
	if (crypto_pwhash(ret_hash, SKM_RECOVERY_HASH_BYTES, letters, SKM_RECOVERY_LETTERS, salt, HASH_PASSES,
		    HASH_MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return -ENOMEM;
	return 0;
}

static void random_letters(char ret_letters[SKM_RECOVERY_LETTERS + 1])
{
	uint8_t random[SKM_RECOVERY_LETTERS];
	randombytes_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		ret_letters[i] = SKM_RECOVERY_ALPHABET[random[i] & 0x0f];
	ret_letters[SKM_RECOVERY_LETTERS] = '\0';
	sodium_memzero(random, sizeof(random));
}

static void format_text(uint8_t number, const char *letters, char ret_text[SKM_RECOVERY_TEXT_BYTES])
{
	/* Typed behind a password that ends in 1, a single 0 would be read as code 10. */
	size_t at = (size_t)snprintf(ret_text, SKM_RECOVERY_TEXT_BYTES, number == 0 ? "%02u" : "%u", number);
	for (size_t i = 0; i < SKM_RECOVERY_LETTERS; i++) {
		if (i % LETTERS_PER_GROUP == 0)
			ret_text[at++] = '-';
		ret_text[at++] = letters[i];
	}
	ret_text[at] = '\0';
}
_Static_assert(3 + SKM_RECOVERY_LETTERS + SKM_RECOVERY_LETTERS / LETTERS_PER_GROUP < SKM_RECOVERY_TEXT_BYTES,
	"any number of eight bits fits");

int skm_recovery_new(
	uint8_t number, struct skm_recovery_hash *ret_hash, char ret_text[SKM_RECOVERY_TEXT_BYTES])
{
	struct skm_recovery_hash made;
	char letters[SKM_RECOVERY_LETTERS + 1];
	random_letters(letters);
	randombytes_buf(made.salt, sizeof(made.salt));
	int r = hash_letters(letters, made.salt, made.hash);
	if (r == 0) {
		format_text(number, letters, ret_text);
		*ret_hash = made;
	}
	sodium_memzero(letters, sizeof(letters));
	sodium_memzero(&made, sizeof(made));
	return r;
}

/* NULL when the person has no such code. A series that the state does not know (it should have followed the
 * person) counts as used: the state is what says that a code is fresh. */
static const struct skm_recovery_hash *find(const struct skm_person *person,
	const struct skm_person_state *state, uint8_t number, bool *ret_is_used)
{
	const struct skm_recovery_hash *found = NULL;
	bool is_used = false;
	if (number == 0 && person->substitute_series > 0) {
		found = &person->substitute;
		is_used = state->substitute_series_used >= person->substitute_series;
	} else if (number > 0 && number <= person->recovery_count && number <= SKM_RECOVERY_CODES) {
		found = &person->recovery[number - 1];
		is_used = state->recovery_series != person->recovery_series ||
			  (state->recovery_used >> (number - 1) & 1) != 0;
	}
	if (!found || sodium_is_zero(found->hash, sizeof(found->hash)))
		return NULL;
	*ret_is_used = is_used;
	return found;
}

static enum skm_recovery_verdict settle(const struct skm_person *person, struct skm_person_state *state,
	uint8_t number, bool is_used, int64_t now_sec)
{
	int64_t latest_sec = now_sec > state->latest_sec ? now_sec : state->latest_sec;
	if (is_used)
		return SKM_RECOVERY_USED;
	if (number > 0) {
		state->recovery_used |= 1u << (number - 1);
		return SKM_RECOVERY_RIGHT;
	}
	if (latest_sec >= person->substitute_until_sec)
		return SKM_RECOVERY_EXPIRED;
	state->substitute_series_used = person->substitute_series;
	return SKM_RECOVERY_RIGHT;
}

int skm_recovery_verify(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, int64_t now_sec, enum skm_recovery_verdict *ret_verdict)
{
	static const struct skm_recovery_hash nobody; /* no input of Argon2id that is known gives zeros */
	bool is_used = false;
	const struct skm_recovery_hash *stored = find(person, state, answer->number, &is_used);
	const struct skm_recovery_hash *compared = stored ? stored : &nobody;
	uint8_t hash[SKM_RECOVERY_HASH_BYTES];
	int r = hash_letters(answer->letters, compared->salt, hash);
	if (r < 0)
		return r;
	bool is_equal = sodium_memcmp(hash, compared->hash, sizeof(hash)) == 0;
	sodium_memzero(hash, sizeof(hash));
	*ret_verdict = is_equal && stored ? settle(person, state, answer->number, is_used, now_sec)
					  : SKM_RECOVERY_WRONG;
	return 0;
}

unsigned skm_recovery_left(const struct skm_person *person, const struct skm_person_state *state)
{
	unsigned left = 0;
	for (uint8_t number = 1; number <= SKM_RECOVERY_CODES; number++) {
		bool is_used = false;
		if (find(person, state, number, &is_used) && !is_used)
			left++;
	}
	return left;
}
