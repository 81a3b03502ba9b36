// SPDX-License-Identifier: Apache-2.0
/* Prints codes of random secrets, beside the arguments with which oathtool prints the same (oathtool.sh
 * compares). usage: otp_codes SEED FIRST COUNT ARGUMENTS CODES */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "otp_code.h"

#define CODES_PER_SECRET 4
#define COMBINATIONS (SKM_OTP_ALGORITHM_COUNT_ * 2 * 3) /* digits; HOTP, 30 s, 60 s */

/* splitmix64: the same numbers on every machine. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void print_one(uint64_t seed, uint64_t number, FILE *arguments, FILE *codes)
{
	uint64_t state = seed ^ number * UINT64_C(0xd1342543de82ef95);
	unsigned shape = (unsigned)(number % COMBINATIONS);
	enum skm_otp_algorithm algorithm = (enum skm_otp_algorithm)(shape % SKM_OTP_ALGORITHM_COUNT_);
	unsigned digits = shape / SKM_OTP_ALGORITHM_COUNT_ % 2 ? 8 : 6;
	unsigned kind = shape / SKM_OTP_ALGORITHM_COUNT_ / 2;
	uint8_t secret[SKM_OTP_SECRET_BYTES_MAX];
	size_t secret_len = SKM_OTP_SECRET_BYTES_MIN +
			    next(&state) % (SKM_OTP_SECRET_BYTES_MAX - SKM_OTP_SECRET_BYTES_MIN + 1);
	for (size_t i = 0; i < secret_len; i++)
		secret[i] = (uint8_t)next(&state);
	uint64_t random = next(&state) % (UINT64_C(1) << 33); /* seconds until the year 2242, or a counter */
	uint64_t first = random;

	if (kind == 0 && algorithm == SKM_OTP_SHA1) {
		(void)fprintf(arguments, "--hotp -c %" PRIu64, random);
	} else {
		/* oathtool's HOTP is SHA-1 only; a time step of one second makes the time the counter. */
		unsigned period_sec = kind * 30;
		(void)fprintf(arguments, "--totp=%s -s %us -N @%" PRIu64,
			skm_otp_algorithm_to_string(algorithm), kind == 0 ? 1 : period_sec, random);
		if (kind > 0)
			first = skm_otp_step((int64_t)random, period_sec);
	}
	(void)fprintf(arguments, " -d %u -w %d ", digits, CODES_PER_SECRET - 1);
	for (size_t i = 0; i < secret_len; i++)
		(void)fprintf(arguments, "%02x", secret[i]);
	(void)fprintf(arguments, "\n");
	for (uint64_t i = 0; i < CODES_PER_SECRET; i++)
		(void)fprintf(codes, "%0*u\n", (int)digits,
			skm_otp_code(algorithm, secret, secret_len, first + i, digits));
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	uint64_t seed = strtoull(argv[1], NULL, 10), begin = strtoull(argv[2], NULL, 10);
	uint64_t count = strtoull(argv[3], NULL, 10);
	FILE *arguments = fopen(argv[4], "we"), *codes = fopen(argv[5], "we");
	if (!arguments || !codes)
		return 1;
	for (uint64_t number = begin; number < begin + count; number++)
		print_one(seed, number, arguments, codes);
	int arguments_failed = fclose(arguments), codes_failed = fclose(codes);
	return arguments_failed || codes_failed;
}
