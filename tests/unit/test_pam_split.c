// SPDX-License-Identifier: Apache-2.0
/* The pure parts of the module: password and code in one field, the outcome table, the arguments. */
#include <criterion/criterion.h>
#include <string.h>

#include "options.h"
#include "pam_sekimori.h"

#define NO_CODE ((size_t)-1)
#define RECOVERY "ACEF-HJKL-MQRT-UWXY-ACEF"

struct example {
	const char *field;
	unsigned digits;
	size_t password_len;
};

static void check(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = NO_CODE;
		bool found = skm_pam_split(examples[i].field, examples[i].digits, &len);
		cr_expect_eq(len, examples[i].password_len, "%s: %zd", examples[i].field, (ssize_t)len);
		cr_expect_eq(found, examples[i].password_len != NO_CODE, "%s", examples[i].field);
	}
}

Test(pam_split, digits_at_the_end)
{
	static const struct example examples[] = {
		{"secret123456", 6, 6},
		{"secret12345678", 6, 8}, /* the password ends in digits */
		{"secret12345678", 8, 6},
		{"secret1234567", 8, 7}, /* a token of six digits beside one of eight */
		{"secret123456", 8, 6},
		{"secret123 456", 6, 6},
		{"secret123-456", 6, 6},
		{"secret1 2 3 4 5 6", 6, 6},
		{"secret 123456", 6, 7}, /* a blank before the code is the password's */
		{"secret-123456", 6, 7},
		{"secret１２３４５６", 6, 6},
		{"secret１２３　４５６", 6, 6},
		{"secret123ー456", 6, 6},
		{"パスワ123456", 6, 9},
		{"1123456", 6, 1},
		{"secret12345", 6, NO_CODE},
		{"secret123  456", 6, NO_CODE}, /* two blanks */
		{"secret123456 ", 6, NO_CODE},
		{"123456secret", 6, NO_CODE},
		{"123456", 6, NO_CODE},	  /* nothing left */
		{"12345678", 8, NO_CODE}, /* the code alone */
		{"12 34 56", 6, NO_CODE},
		{"", 6, NO_CODE},
		{"x", 8, NO_CODE},
		{"\xef\xbc", 6, NO_CODE}, /* half a character */
		{"\x90"
		 "123456",
			6, 1},
	};
	check(examples, SKM_ARRAY_SIZE(examples));
}

Test(pam_split, recovery_code_at_the_end)
{
	static const struct example examples[] = {
		{"secret3-" RECOVERY, 6, 6},
		{"secret10-" RECOVERY, 6, 6},
		{"secret13-" RECOVERY, 6, 7}, /* there is no code 13: the 1 is the password's */
		{"secret0-" RECOVERY, 8, 6},
		{"secret00-" RECOVERY, 8, 6}, /* as substitute codes are issued */
		{"secret100-" RECOVERY, 6, 7},
		{"secret010-" RECOVERY, 6, 7},
		{"secret03-" RECOVERY, 6, 7},
		{"secret3acefhjklmqrtuwxyacef", 6, 6},
		{"secret３ＡＣＥＦ-hjkl-MQRT-UWXY-ＡＣｅｆ", 6, 6},
		{"secret" RECOVERY, 6, NO_CODE},		  /* without its number */
		{"secret3-BCEF-HJKL-MQRT-UWXY-ACEF", 6, NO_CODE}, /* B is no letter of it */
		{"3-" RECOVERY, 6, NO_CODE},
		{"secret3--" RECOVERY, 6, NO_CODE},
		{"secret3-" RECOVERY "-", 6, NO_CODE},
	};
	check(examples, SKM_ARRAY_SIZE(examples));
}

Test(pam_split, every_tail_of_every_field_is_safe_to_read)
{
	static const char field[] = "日本語3-ＡＣＥＦ-HJKL　MQRT-UWXY-ACEF１２３ー４５６78";
	for (size_t start = 0; start < sizeof(field); start++)
		for (size_t len = 0; start + len < sizeof(field); len++) {
			char *exact = strndup(field + start, len); /* no byte before or behind it */
			size_t password_len = 0;
			if (skm_pam_split(exact, 8, &password_len))
				cr_expect(password_len > 0 && password_len < len);
			free(exact);
		}
}

Test(pam_outcome, only_two_outcomes_are_no_failure)
{
	for (int outcome = -200; outcome < 300; outcome++) {
		int code = skm_pam_code(outcome);
		if (outcome == SKM_AUTH_OK)
			cr_expect_eq(code, PAM_SUCCESS);
		else if (outcome == SKM_AUTH_NOT_REQUIRED)
			cr_expect_eq(code, PAM_IGNORE);
		else
			cr_expect(code == PAM_AUTH_ERR || code == PAM_SYSTEM_ERR, "%d: %d", outcome, code);
		cr_expect_lt(skm_pam_text(outcome), SKM_AUTH_TEXT_COUNT_);
	}
}

Test(pam_outcome, what_the_person_is_told)
{
	cr_expect_eq(skm_pam_code(SKM_AUTH_WRONG), PAM_AUTH_ERR);
	cr_expect_eq(skm_pam_text(SKM_AUTH_WRONG), SKM_AUTH_TEXT_WRONG);
	cr_expect_eq(skm_pam_code(SKM_AUTH_LOCKED), PAM_AUTH_ERR);
	cr_expect_eq(skm_pam_text(SKM_AUTH_LOCKED), SKM_AUTH_TEXT_LOCKED);
	cr_expect_eq(skm_pam_text(SKM_AUTH_UNENROLLED), SKM_AUTH_TEXT_UNENROLLED);
	cr_expect_eq(skm_pam_code(SKM_AUTH_WRONG_KEY), PAM_SYSTEM_ERR);
	cr_expect_eq(skm_pam_text(SKM_AUTH_WRONG_KEY), SKM_AUTH_TEXT_DAMAGED);
	cr_expect_eq(skm_pam_code(-ETIMEDOUT), PAM_SYSTEM_ERR);
	cr_expect_eq(skm_pam_text(-ETIMEDOUT), SKM_AUTH_TEXT_UNAVAILABLE);
	cr_expect_eq(skm_pam_text(INT32_MAX), SKM_AUTH_TEXT_GENERIC);
}

static struct skm_pam_options options;
static int bad;
#define PARSE(...)                                                                  \
	skm_pam_options_parse((int)SKM_ARRAY_SIZE(((const char *[]){__VA_ARGS__})), \
		(const char *[]){__VA_ARGS__}, &options, &bad)

Test(pam_options, no_argument)
{
	cr_assert_eq(skm_pam_options_parse(0, NULL, &options, &bad), 0);
	cr_expect_not(options.is_split);
	cr_expect_eq(options.language, SKM_LANGUAGE_JA);
	cr_expect_str_eq(options.socket, SKM_AUTH_PATH);
}

Test(pam_options, all_arguments)
{
	cr_assert_eq(PARSE("split", "services=i3lock,sshd", "lang=en", "socket=/tmp/x"), 0);
	cr_expect(options.is_split);
	cr_expect_eq(options.language, SKM_LANGUAGE_EN);
	cr_expect_str_eq(options.socket, "/tmp/x");
	cr_expect(skm_pam_options_names_service(&options, "sshd"));
	cr_expect(skm_pam_options_names_service(&options, "i3lock"));
	cr_expect_not(skm_pam_options_names_service(&options, "ssh"));
	cr_expect_not(skm_pam_options_names_service(&options, "i3lock,sshd"));
	cr_expect_not(skm_pam_options_names_service(&options, ""));
}

Test(pam_options, the_default_services)
{
	cr_assert_eq(PARSE("split"), 0);
	static const char *const names[] = {"i3lock", "swaylock", "gtklock", "sddm"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++)
		cr_expect(skm_pam_options_names_service(&options, names[i]), "%s", names[i]);
	cr_expect_not(skm_pam_options_names_service(&options, "lightdm"));
	cr_expect_not(skm_pam_options_names_service(&options, "login"));
}

Test(pam_options, a_slip_is_found)
{
	char too_long[160] = "socket=/";
	memset(too_long + 8, 'x', 120);
	static const char *const slips[] = {"splitt", "Split", "split=yes", "lang=", "lang=jp",
		"socket=", "socket=run/auth", "services=", "services=,a", "services=a,", "services=a,,b",
		"debug", "", "nullok", NULL};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(slips); i++) {
		bad = -1;
		cr_expect_eq(PARSE("split", slips[i] ? slips[i] : too_long), -EINVAL, "%s", slips[i]);
		cr_expect_eq(bad, 1);
		cr_expect(options.is_split, "the rest is read all the same");
		cr_expect_str_eq(options.socket, SKM_AUTH_PATH);
	}
	cr_expect_eq(PARSE("lang=en", "services=i3lock"), -EINVAL, "services without split");
	cr_expect_eq(bad, 1);
	cr_expect_eq(options.language, SKM_LANGUAGE_EN);
}
