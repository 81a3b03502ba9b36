// SPDX-License-Identifier: Apache-2.0
/* Any text as an otpauth URI: what is taken can be written and read again without a difference; what is
 * refused leaves the output as it was. The same text as base32. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sekimori/otp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_uri(const char *text)
{
	struct skm_otpauth otpauth, back;
	char uri[SKM_OTPAUTH_BYTES];
	memset(&otpauth, 0xa5, sizeof(otpauth));
	int r = skm_otpauth_parse(text, &otpauth);
	if (r < 0) {
		demand(r == -EBADMSG || r == -ENOTSUP || r == -ERANGE);
		demand(otpauth.secret_len == (size_t)0xa5a5a5a5a5a5a5a5);
		return;
	}
	demand(skm_otp_parameters_check(&otpauth.parameters) == 0);
	demand(skm_otpauth_format(&otpauth, uri, sizeof(uri)) == 0);
	demand(skm_otpauth_parse(uri, &back) == 0);
	demand(strcmp(back.issuer, otpauth.issuer) == 0 && strcmp(back.account, otpauth.account) == 0);
	demand(back.secret_len == otpauth.secret_len && back.counter == otpauth.counter);
	demand(memcmp(back.secret, otpauth.secret, back.secret_len) == 0);
	demand(memcmp(&back.parameters, &otpauth.parameters, sizeof(back.parameters)) == 0);
}

static void check_base32(const char *text)
{
	uint8_t data[64], back[64];
	char plain[128];
	size_t len = 0, back_len = 0;
	if (skm_base32_decode(text, data, sizeof(data), &len) < 0)
		return;
	demand(len <= sizeof(data));
	demand(skm_base32_encode(data, len, plain, sizeof(plain)) == 0);
	demand(skm_base32_decode(plain, back, sizeof(back), &back_len) == 0);
	demand(back_len == len && memcmp(back, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	demand(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_uri(text);
	check_base32(text);
	free(text);
	return 0;
}
