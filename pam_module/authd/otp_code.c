// SPDX-License-Identifier: Apache-2.0
/* One counter value, one code. liboath was rejected: its TOTP knows SHA-2 only in newer versions than Debian
 * 12's PAM module uses, and its validation stops at the first match, which time tells. */
#include "otp_code.h"

#include <string.h>

#define DIGITS_MIN 6
#define DIGITS_MAX 8

uint32_t skm_otp_code_at(const struct skm_hmac_key *key, uint64_t counter, unsigned digits)
{
	static const uint32_t moduli[] = {1000000, 10000000, 100000000};
	uint8_t message[8], mac[SKM_HMAC_BYTES_MAX];
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(counter >> (56 - 8 * i));
	size_t mac_len = skm_hmac(key, message, sizeof(message), mac);
	size_t offset = mac[mac_len - 1] & 0x0f;
	uint32_t word = (uint32_t)(mac[offset] & 0x7f) << 24 | (uint32_t)mac[offset + 1] << 16 |
			(uint32_t)mac[offset + 2] << 8 | mac[offset + 3];
	explicit_bzero(mac, sizeof(mac));
	unsigned index = digits <= DIGITS_MIN ? 0 : digits - DIGITS_MIN;
	return word % moduli[index <= DIGITS_MAX - DIGITS_MIN ? index : DIGITS_MAX - DIGITS_MIN];
}

uint32_t skm_otp_code(enum skm_otp_algorithm algorithm, const uint8_t *secret, size_t secret_len,
	uint64_t counter, unsigned digits)
{
	struct skm_hmac_key key;
	skm_hmac_key_set(&key, algorithm, secret, secret_len);
	uint32_t code = skm_otp_code_at(&key, counter, digits);
	skm_hmac_key_clear(&key);
	return code;
}

uint64_t skm_otp_step(int64_t time_sec, unsigned period_sec)
{
	if (time_sec < 0 || period_sec == 0)
		return 0;
	return (uint64_t)time_sec / period_sec;
}
