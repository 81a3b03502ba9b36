// SPDX-License-Identifier: Apache-2.0
/* RFC 4226, appendix D; RFC 6238, appendix B. */
#include <criterion/criterion.h>
#include <string.h>

#include "otp_code.h"

/* "1234567890" repeated. The RFC's text shows the 20 bytes alone; its table was made with as many bytes as
 * the hash has. */
static const uint8_t *seed(void)
{
	static uint8_t bytes[64];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)('0' + (i + 1) % 10);
	return bytes;
}

Test(otp_code, rfc_4226_appendix_d)
{
	static const uint32_t codes[] = {
		755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489};
	for (uint64_t counter = 0; counter < SKM_ARRAY_SIZE(codes); counter++)
		cr_expect(skm_otp_code(SKM_OTP_SHA1, seed(), 20, counter, 6) == codes[counter], "counter %d",
			(int)counter);
}

Test(otp_code, rfc_4226_appendix_d_before_the_modulus)
{
	static const uint32_t codes[] = {84755224, 94287082, 37359152, 26969429, 40338314, 68254676, 18287922,
		82162583, 73399871, 45520489};
	for (uint64_t counter = 0; counter < SKM_ARRAY_SIZE(codes); counter++)
		cr_expect(skm_otp_code(SKM_OTP_SHA1, seed(), 20, counter, 8) == codes[counter], "counter %d",
			(int)counter);
}

struct row {
	int64_t time_sec;
	uint32_t sha1, sha256, sha512;
};

Test(otp_code, rfc_6238_appendix_b)
{
	static const struct row rows[] = {
		{59, 94287082, 46119246, 90693936},
		{1111111109, 7081804, 68084774, 25091201},
		{1111111111, 14050471, 67062674, 99943326},
		{1234567890, 89005924, 91819424, 93441116},
		{2000000000, 69279037, 90698825, 38618901},
		{INT64_C(20000000000), 65353130, 77737706, 47863826},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		uint64_t step = skm_otp_step(rows[i].time_sec, 30);
		cr_expect(skm_otp_code(SKM_OTP_SHA1, seed(), 20, step, 8) == rows[i].sha1, "row %zu", i);
		cr_expect(skm_otp_code(SKM_OTP_SHA256, seed(), 32, step, 8) == rows[i].sha256, "row %zu", i);
		cr_expect(skm_otp_code(SKM_OTP_SHA512, seed(), 64, step, 8) == rows[i].sha512, "row %zu", i);
	}
}

Test(otp_code, the_20_bytes_of_the_text_do_not_give_the_table)
{
	cr_assert(skm_otp_code(SKM_OTP_SHA256, seed(), 20, 1, 8) == 32247374);
	cr_assert(skm_otp_code(SKM_OTP_SHA512, seed(), 20, 1, 8) == 69342147);
}

Test(otp_code, digits)
{
	cr_assert(skm_otp_code(SKM_OTP_SHA1, seed(), 20, 1, 7) == 4287082);
	cr_assert(skm_otp_code(SKM_OTP_SHA1, seed(), 20, 1, 0) == 287082);
	cr_assert(skm_otp_code(SKM_OTP_SHA1, seed(), 20, 1, 9) == 94287082);
}

Test(otp_code, counters_beyond_32_bits)
{
	uint32_t low = skm_otp_code(SKM_OTP_SHA256, seed(), 32, 1, 8);
	cr_assert(skm_otp_code(SKM_OTP_SHA256, seed(), 32, (UINT64_C(1) << 32) + 1, 8) != low);
	cr_assert(skm_otp_code(SKM_OTP_SHA256, seed(), 32, UINT64_MAX, 8) <= 99999999);
}

Test(otp_code, steps)
{
	static const struct {
		int64_t time_sec;
		unsigned period_sec;
		uint64_t step;
	} cases[] = {{0, 30, 0}, {29, 30, 0}, {30, 30, 1}, {59, 60, 0}, {60, 60, 1},
		{1795219200, 30, 59840640}, {INT64_C(2145916800), 30, 71530560},
		{INT64_MAX, 30, INT64_MAX / 30}, {-1, 30, 0}, {INT64_MIN, 30, 0}, {100, 0, 0}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_expect(
			skm_otp_step(cases[i].time_sec, cases[i].period_sec) == cases[i].step, "case %zu", i);
}
