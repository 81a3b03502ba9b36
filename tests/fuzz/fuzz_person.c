// SPDX-License-Identifier: Apache-2.0
/* The first byte chooses: person, state, sealed box, or a box whose inside the fuzzer has chosen (as if it
 * had the key). Whatever a decoder accepts must be the one encoding of what it gave, and can be followed by a
 * state. */
#include <stdlib.h>
#include <string.h>

#include "person.h"
#include "seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_person(const uint8_t buf[SKM_PERSON_ENCODED_BYTES])
{
	static struct skm_person person;
	static uint8_t again[SKM_PERSON_ENCODED_BYTES];
	if (skm_person_decode(buf, &person) != 0)
		return;
	skm_person_encode(&person, again);
	if (memcmp(buf, again, sizeof(again)) != 0)
		abort();
	struct skm_person_state state = {0};
	uint8_t text[SKM_PERSON_STATE_ENCODED_BYTES];
	skm_person_state_follow(&person, &state);
	skm_person_state_encode(&state, text);
	if (skm_person_state_decode(text, &state) != 0)
		abort();
	const struct skm_timestamp now = {.realtime_usec = (int64_t)person.generation};
	skm_person_state_strictest(&person, &now, person.machine, 5, &state);
	skm_person_state_encode(&state, text);
	if (skm_person_state_decode(text, &state) != 0)
		abort();
}

static void decode_state(const uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES])
{
	struct skm_person_state state;
	uint8_t again[SKM_PERSON_STATE_ENCODED_BYTES];
	if (skm_person_state_decode(buf, &state) != 0)
		return;
	skm_person_state_encode(&state, again);
	if (memcmp(buf, again, sizeof(again)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[4096 + SKM_SEAL_OVERHEAD], text[4096];
	static struct skm_key key;
	if (size == 0 || size > sizeof(text) || skm_seal_start() != 0)
		return 0;
	uint8_t choice = data[0] % 4;
	data++;
	size--;
	skm_key_set(&key, (const uint8_t[SKM_KEY_BYTES]){0});
	memset(buf, 0, sizeof(buf));
	memcpy(buf, data, size);
	if (choice == 0)
		decode_person(buf);
	else if (choice == 1)
		decode_state(buf);
	else if (choice == 2)
		/* nobody makes a right MAC by chance, and what is too short must be seen */
		(void)!skm_unseal(&key, SKM_SEAL_PERSON, data, size, text);
	else {
		skm_seal(&key, SKM_SEAL_PERSON, data, size, buf);
		if (skm_unseal(&key, SKM_SEAL_PERSON, buf, size + SKM_SEAL_OVERHEAD, text) != 0 ||
			memcmp(text, data, size) != 0)
			abort();
	}
	return 0;
}
