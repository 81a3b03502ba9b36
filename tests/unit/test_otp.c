// SPDX-License-Identifier: Apache-2.0
/* Words, parameters, base32. */
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/otp.h"

Test(otp, words_round_trip)
{
	for (int i = 0; i < SKM_OTP_TYPE_COUNT_; i++) {
		enum skm_otp_type type = SKM_OTP_TYPE_COUNT_;
		cr_assert(skm_otp_type_from_string(skm_otp_type_to_string((enum skm_otp_type)i), &type) == 0);
		cr_assert((int)type == i);
	}
	for (int i = 0; i < SKM_OTP_ALGORITHM_COUNT_; i++) {
		enum skm_otp_algorithm algorithm = SKM_OTP_ALGORITHM_COUNT_;
		const char *word = skm_otp_algorithm_to_string((enum skm_otp_algorithm)i);
		cr_assert(skm_otp_algorithm_from_string(word, &algorithm) == 0);
		cr_assert((int)algorithm == i);
	}
}

Test(otp, words_of_any_case_and_none)
{
	enum skm_otp_type type = SKM_OTP_TYPE_COUNT_;
	enum skm_otp_algorithm algorithm = SKM_OTP_ALGORITHM_COUNT_;
	cr_assert(skm_otp_type_from_string("TOTP", &type) == 0 && type == SKM_OTP_TOTP);
	cr_assert(skm_otp_algorithm_from_string("sha512", &algorithm) == 0 && algorithm == SKM_OTP_SHA512);
	cr_assert(skm_otp_type_from_string("", &type) == -EINVAL && type == SKM_OTP_TOTP);
	cr_assert(skm_otp_type_from_string("totp ", &type) == -EINVAL);
	cr_assert(skm_otp_algorithm_from_string("SHA", &algorithm) == -EINVAL && algorithm == SKM_OTP_SHA512);
	cr_assert(skm_otp_algorithm_from_string("MD5", &algorithm) == -EINVAL);
	cr_assert(strcmp(skm_otp_type_to_string((enum skm_otp_type)77), "unknown") == 0);
	cr_assert(strcmp(skm_otp_algorithm_to_string((enum skm_otp_algorithm) - 1), "unknown") == 0);
}

Test(otp, parameters)
{
	static const struct {
		struct skm_otp_parameters parameters;
		int result;
	} cases[] = {
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30}, 0},
		{{SKM_OTP_TOTP, SKM_OTP_SHA512, 8, 60}, 0},
		{{SKM_OTP_HOTP, SKM_OTP_SHA1, 6, 0}, 0},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 7, 30}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 0, 30}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 10, 30}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 0}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 15}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 90}, -EINVAL},
		{{SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 30}, -EINVAL},
		{{SKM_OTP_TYPE_COUNT_, SKM_OTP_SHA256, 6, 30}, -EINVAL},
		{{SKM_OTP_TOTP, SKM_OTP_ALGORITHM_COUNT_, 6, 30}, -EINVAL},
		{{SKM_OTP_TOTP, (enum skm_otp_algorithm) - 1, 6, 30}, -EINVAL},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_expect(skm_otp_parameters_check(&cases[i].parameters) == cases[i].result, "case %zu", i);
}

Test(otp, secret_is_as_long_as_the_hash)
{
	cr_assert(skm_otp_secret_bytes(SKM_OTP_SHA1) == 20);
	cr_assert(skm_otp_secret_bytes(SKM_OTP_SHA256) == 32);
	cr_assert(skm_otp_secret_bytes(SKM_OTP_SHA512) == 64);
}

struct base32_case {
	const char *data, *text;
};

/* RFC 4648, 10, without the padding. */
static const struct base32_case base32_cases[] = {{"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"},
	{"foob", "MZXW6YQ"}, {"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};

Test(otp, base32_of_rfc_4648)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(base32_cases); i++) {
		const struct base32_case *c = &base32_cases[i];
		char text[32];
		uint8_t data[32];
		size_t len = 99;
		cr_assert(skm_base32_encode((const uint8_t *)c->data, strlen(c->data), text, sizeof(text)) ==
			  0);
		cr_expect(strcmp(text, c->text) == 0, "%s: %s", c->data, text);
		cr_assert(skm_base32_decode(c->text, data, sizeof(data), &len) == 0);
		cr_expect(len == strlen(c->data) && memcmp(data, c->data, len) == 0, "%s", c->text);
	}
}

Test(otp, base32_every_length_and_buffer)
{
	uint8_t data[64], back[64];
	char text[104];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 255);
	for (size_t len = 0; len <= sizeof(data); len++) {
		size_t letters = (len * 8 + 4) / 5, back_len = 0;
		memset(text, 'x', sizeof(text));
		cr_assert(skm_base32_encode(data, len, text, letters) == -ENOBUFS);
		cr_assert(text[0] == 'x', "untouched");
		cr_assert(skm_base32_encode(data, len, text, letters + 1) == 0);
		cr_assert(strlen(text) == letters);
		memset(back, 0, sizeof(back));
		cr_assert(skm_base32_decode(text, back, len, &back_len) == 0);
		cr_assert(back_len == len && memcmp(back, data, len) == 0);
		if (len > 0)
			cr_assert(skm_base32_decode(text, back, len - 1, &back_len) == -ENOBUFS);
	}
}

Test(otp, base32_as_people_write_it)
{
	static const char cases[][40] = {"mzxw6ytboi", "MzXw6YtBoI", "MZXW 6YTB OI", "MZXW-6YTB-OI",
		" MZXW6YTBOI ", "MZXW6YTBOI======", "MZXW6YTBOI=", "mzxw 6ytb oi== ==== ", "MZXW\t6YTBOI",
		"-MZXW6YTBOI-"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		uint8_t data[32];
		size_t len = 0;
		cr_expect(skm_base32_decode(cases[i], data, sizeof(data), &len) == 0, "\"%s\"", cases[i]);
		cr_expect(len == 6 && memcmp(data, "foobar", 6) == 0, "\"%s\"", cases[i]);
	}
}

Test(otp, base32_that_is_none)
{
	static const char cases[][40] = {"M", "A", "AAA", "AAAAAA", "MZX", "MZXW6Y", "MZ", "MZXR", "MZXW7",
		"MZXW6YT", "MZXW6YTBOJ", "0ABC", "1ABC", "8ABC", "9ABC", "MZXW6YTB01", "MZ=XW6YT",
		"MZXW6YTBOI=======", "MZXW6YTBOI\n", "MZXW+6YTB", "ＭＺＸＷ", "MZXW6YTBO\xc9", "MZXW_6YTB"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		uint8_t data[32] = {77};
		size_t len = 99;
		cr_expect(skm_base32_decode(cases[i], data, sizeof(data), &len) == -EBADMSG, "\"%s\"",
			cases[i]);
		cr_expect(len == 99 && data[0] == 77, "\"%s\"", cases[i]);
	}
}
