// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/otp.h"

#define SECRET20 "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static struct skm_otpauth sample(void)
{
	struct skm_otpauth otpauth = {
		.parameters = {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
		.issuer = "Sekimori",
		.account = "tanaka",
		.secret = "12345678901234567890",
		.secret_len = 20,
	};
	return otpauth;
}

static void check_format(const struct skm_otpauth *otpauth, const char *wanted)
{
	char uri[SKM_OTPAUTH_BYTES];
	cr_assert(skm_otpauth_format(otpauth, uri, sizeof(uri)) == 0);
	cr_expect(strcmp(uri, wanted) == 0, "%s", uri);
	struct skm_otpauth back;
	cr_assert(skm_otpauth_parse(uri, &back) == 0, "%s", uri);
	cr_assert(strcmp(back.issuer, otpauth->issuer) == 0 && strcmp(back.account, otpauth->account) == 0);
	cr_assert(back.secret_len == otpauth->secret_len);
	cr_assert(memcmp(back.secret, otpauth->secret, sizeof(back.secret)) == 0);
	cr_assert(memcmp(&back.parameters, &otpauth->parameters, sizeof(back.parameters)) == 0);
	cr_assert(back.counter == otpauth->counter);
}

Test(otpauth, format)
{
	struct skm_otpauth otpauth = sample();
	check_format(&otpauth, "otpauth://totp/Sekimori:tanaka?secret=" SECRET20
			       "&issuer=Sekimori&algorithm=SHA256&digits=6&period=30");
	otpauth.parameters = (struct skm_otp_parameters){SKM_OTP_HOTP, SKM_OTP_SHA1, 8, 0};
	otpauth.counter = UINT64_MAX;
	check_format(&otpauth, "otpauth://hotp/Sekimori:tanaka?secret=" SECRET20
			       "&issuer=Sekimori&algorithm=SHA1&digits=8&counter=18446744073709551615");
	otpauth = sample();
	otpauth.issuer[0] = '\0';
	otpauth.parameters.algorithm = SKM_OTP_SHA512;
	otpauth.parameters.period_sec = 60;
	check_format(
		&otpauth, "otpauth://totp/tanaka?secret=" SECRET20 "&algorithm=SHA512&digits=6&period=60");
}

Test(otpauth, format_encodes_what_is_not_unreserved)
{
	struct skm_otpauth otpauth = sample();
	(void)snprintf(otpauth.issuer, sizeof(otpauth.issuer), "関 &=?#/+%%");
	(void)snprintf(otpauth.account, sizeof(otpauth.account), "a-b._~@例");
	check_format(&otpauth,
		"otpauth://totp/%E9%96%A2%20%26%3D%3F%23%2F%2B%25:a-b._~%40%E4%BE%8B?secret=" SECRET20
		"&issuer=%E9%96%A2%20%26%3D%3F%23%2F%2B%25&algorithm=SHA256&digits=6&period=30");
}

Test(otpauth, the_longest_fits)
{
	struct skm_otpauth otpauth = sample(), back;
	memset(otpauth.issuer, '%', sizeof(otpauth.issuer) - 1);
	memset(otpauth.account, '"', sizeof(otpauth.account) - 1);
	memset(otpauth.secret, 0xff, sizeof(otpauth.secret));
	otpauth.secret_len = sizeof(otpauth.secret);
	otpauth.parameters = (struct skm_otp_parameters){SKM_OTP_HOTP, SKM_OTP_SHA512, 8, 0};
	otpauth.counter = UINT64_MAX;
	char uri[SKM_OTPAUTH_BYTES] = "untouched";
	cr_assert(skm_otpauth_format(&otpauth, uri, 100) == -ENOBUFS);
	cr_assert(strcmp(uri, "untouched") == 0);
	cr_assert(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == 0);
	size_t len = strlen(uri);
	cr_assert(skm_otpauth_format(&otpauth, uri, len) == -ENOBUFS);
	cr_assert(skm_otpauth_format(&otpauth, uri, len + 1) == 0);
	cr_assert(skm_otpauth_parse(uri, &back) == 0);
	cr_assert(strcmp(back.account, otpauth.account) == 0 && strcmp(back.issuer, otpauth.issuer) == 0);
}

Test(otpauth, what_is_not_formatted)
{
	static const char names[][16] = {"a:b", "a\nb", "a\x7f", "\xff", "\xe3\x80", "a\xc2\x85z"};
	static const char blank[] = " a";
	char uri[SKM_OTPAUTH_BYTES];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		struct skm_otpauth otpauth = sample();
		memcpy(otpauth.issuer, names[i], sizeof(names[i]));
		cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL, "issuer %zu", i);
		otpauth = sample();
		memcpy(otpauth.account, names[i], sizeof(names[i]));
		cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL, "account %zu", i);
	}
	struct skm_otpauth otpauth = sample();
	otpauth.account[0] = '\0';
	cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL);
	memcpy(otpauth.account, blank, sizeof(blank));
	cr_expect(
		skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL, "would be read without the blank");
	otpauth = sample();
	memset(otpauth.account, 'a', sizeof(otpauth.account));
	cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL, "without end");
	otpauth = sample();
	otpauth.secret_len = SKM_OTP_SECRET_BYTES_MIN - 1;
	cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL);
	otpauth.secret_len = SKM_OTP_SECRET_BYTES_MAX + 1;
	cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL);
	otpauth = sample();
	otpauth.parameters.digits = 7;
	cr_expect(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == -EINVAL);
}

struct parse_case {
	char uri[200];
	struct skm_otp_parameters parameters;
	char issuer[40], account[40];
	uint64_t counter;
};

#define SHA1_6_30                                 \
	{                                         \
		SKM_OTP_TOTP, SKM_OTP_SHA1, 6, 30 \
	}

Test(otpauth, parse_what_the_wiki_allows)
{
	static const struct parse_case cases[] = {
		{"otpauth://totp/alice?secret=" SECRET20, SHA1_6_30, "", "alice", 0},
		{"OTPAUTH://TOTP/alice?SECRET=" SECRET20, SHA1_6_30, "", "alice", 0},
		{"otpauth://totp/Example:alice@google.com?secret=" SECRET20 "&issuer=Example", SHA1_6_30,
			"Example", "alice@google.com", 0},
		{"otpauth://totp/Big%20Corporation%3A%20alice%40bigco.com?secret=" SECRET20, SHA1_6_30,
			"Big Corporation", "alice@bigco.com", 0},
		{"otpauth://totp/Old:alice?secret=" SECRET20 "&issuer=New", SHA1_6_30, "New", "alice", 0},
		{"otpauth://totp/Old:alice?secret=" SECRET20 "&issuer=", SHA1_6_30, "Old", "alice", 0},
		{"otpauth://totp/a+b?issuer=c+d&secret=" SECRET20, SHA1_6_30, "c+d", "a+b", 0},
		{"otpauth://totp/%E5%B8%82:%E9%96%A2?secret=" SECRET20, SHA1_6_30, "市", "関", 0},
		{"otpauth://totp/alice?secret=gezd%20gnbv-gy3tqojqgezdgnbvgy3tqojq%3D%3D", SHA1_6_30, "",
			"alice", 0},
		{"otpauth://totp/alice?secret=" SECRET20 "&image=http%3A%2F%2Fx%2Fy.png&&lock=1&x", SHA1_6_30,
			"", "alice", 0},
		{"otpauth://totp/a?secret=" SECRET20 "&algorithm=sha512&digits=8&period=60&counter=zzz",
			{SKM_OTP_TOTP, SKM_OTP_SHA512, 8, 60}, "", "a", 0},
		{"otpauth://hotp/a?counter=12&secret=" SECRET20 "&algorithm=SHA256&period=30",
			{SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 0}, "", "a", 12},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		const struct parse_case *c = &cases[i];
		struct skm_otpauth otpauth;
		int r = skm_otpauth_parse(c->uri, &otpauth);
		cr_assert(r == 0, "%s: %d", c->uri, r);
		cr_expect(memcmp(&otpauth.parameters, &c->parameters, sizeof(c->parameters)) == 0, "%s",
			c->uri);
		cr_expect(strcmp(otpauth.issuer, c->issuer) == 0, "%s: %s", c->uri, otpauth.issuer);
		cr_expect(strcmp(otpauth.account, c->account) == 0, "%s: %s", c->uri, otpauth.account);
		cr_expect(otpauth.counter == c->counter, "%s", c->uri);
		cr_expect(otpauth.secret_len == 20 && memcmp(otpauth.secret, "12345678901234567890", 20) == 0,
			"%s", c->uri);
	}
}

struct refused_case {
	char uri[240];
	int result;
};

#define TEN "AAAAAAAAAA"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define T "otpauth://totp/a?secret=" SECRET20

Test(otpauth, parse_refuses)
{
	static const struct refused_case cases[] = {
		{"", -EBADMSG},
		{"https://totp/a?secret=" SECRET20, -EBADMSG},
		{"otpauth:totp/a?secret=" SECRET20, -EBADMSG},
		{"otpauth-migration://offline?data=CjEK", -EBADMSG},
		{"otpauth://", -EBADMSG},
		{"otpauth://totp", -EBADMSG},
		{"otpauth:///a?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a", -EBADMSG},
		{"otpauth://totp/a?", -EBADMSG},
		{"otpauth://totp/a?issuer=b", -EBADMSG},
		{"otpauth://totp/a?secret", -EBADMSG},
		{"otpauth://totp/:a?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a:?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a:%20?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a:b:c?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%00b?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%0Ab?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%FF?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%4?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%?secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a%zz?secret=" SECRET20, -EBADMSG},
		{T "#fragment", -EBADMSG},
		{T "&secret=" SECRET20, -EBADMSG},
		{T "&digits=6&DIGITS=6", -EBADMSG},
		{T "&digits=", -EBADMSG},
		{T "&digits=six", -EBADMSG},
		{T "&digits=-6", -EBADMSG},
		{T "&period=30s", -EBADMSG},
		{T "&issuer=a%0d", -EBADMSG},
		{T "&issuer=a%3Ab", -EBADMSG},
		{"otpauth://hotp/a?secret=" SECRET20, -EBADMSG},
		{"otpauth://hotp/a?counter=x&secret=" SECRET20, -EBADMSG},
		{"otpauth://hotp/a?counter=18446744073709551616&secret=" SECRET20, -EBADMSG},
		{"otpauth://totp/a?secret=0189", -EBADMSG},
		{"otpauth://totp/a?secret=AAAAAAAAAAAAAAAAAAAAAAAAAAB", -EBADMSG},
		{"otpauth://totp/a?secret=", -ERANGE},
		{"otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ", -ERANGE},
		{"otpauth://totp/a?secret=" HUNDRED "AAAAA", -EBADMSG},
		{"otpauth://totp/a?secret=" HUNDRED "AAAA", -ERANGE},
		{"otpauth://steam/a?secret=" SECRET20, -ENOTSUP},
		{"otpauth://migration/a?secret=" SECRET20, -ENOTSUP},
		{T "&digits=7", -ENOTSUP},
		{T "&digits=4294967302", -ENOTSUP},
		{T "&period=15", -ENOTSUP},
		{T "&period=0", -ENOTSUP},
		{T "&period=286", -ENOTSUP},
		{T "&algorithm=MD5", -ENOTSUP},
		{T "&algorithm=", -ENOTSUP},
		{T "&issuer=" HUNDRED, -ENOTSUP},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_otpauth otpauth;
		memset(&otpauth, 0xa5, sizeof(otpauth));
		int r = skm_otpauth_parse(cases[i].uri, &otpauth);
		cr_expect(r == cases[i].result, "%s: %d", cases[i].uri, r);
		cr_expect(otpauth.secret_len == 0xa5a5a5a5a5a5a5a5, "%s", cases[i].uri);
	}
}

Test(otpauth, secrets_of_any_excess_are_out_of_range)
{
	char uri[4096];
	struct skm_otpauth otpauth;
	for (size_t letters = 104; letters <= 2048; letters += 8) {
		int len = snprintf(uri, sizeof(uri), "otpauth://totp/a?secret=");
		memset(uri + len, 'A', letters);
		uri[(size_t)len + letters] = '\0';
		cr_assert(skm_otpauth_parse(uri, &otpauth) == -ERANGE, "%zu letters", letters);
	}
}
