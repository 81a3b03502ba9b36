// SPDX-License-Identifier: Apache-2.0
/* RFC 2202 (SHA-1) and RFC 4231 (SHA-256, SHA-512). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "hmac.h"

struct vector {
	enum skm_otp_algorithm algorithm;
	const char *key, *message; /* a text, or "xNN*COUNT" for repeated bytes */
	const char *mac;	   /* in hex */
};

static size_t hmac(enum skm_otp_algorithm algorithm, const uint8_t *key, size_t key_len,
	const uint8_t *message, size_t message_len, uint8_t *ret_mac)
{
	struct skm_hmac_key ready;
	skm_hmac_key_set(&ready, algorithm, key, key_len);
	size_t len = skm_hmac(&ready, message, message_len, ret_mac);
	skm_hmac_key_clear(&ready);
	return len;
}

static size_t fill(const char *text, uint8_t *buf)
{
	unsigned byte = 0, count = 0;
	if (sscanf(text, "x%2x*%u", &byte, &count) == 2) {
		memset(buf, (int)byte, count);
		return count;
	}
	if (strcmp(text, "1..25") == 0) {
		for (uint8_t i = 0; i < 25; i++)
			buf[i] = (uint8_t)(i + 1);
		return 25;
	}
	memcpy(buf, text, strlen(text));
	return strlen(text);
}

#define LARGER_KEY "Test Using Larger Than Block-Size Key - Hash Key First"
#define LARGER_BOTH                                                                                     \
	"This is a test using a larger than block-size key and a larger than block-size data. The key " \
	"needs to be hashed before being used by the HMAC algorithm."

static const struct vector vectors[] = {
	{SKM_OTP_SHA1, "x0b*20", "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
	{SKM_OTP_SHA1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{SKM_OTP_SHA1, "xaa*20", "xdd*50", "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
	{SKM_OTP_SHA1, "1..25", "xcd*50", "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
	{SKM_OTP_SHA1, "x0c*20", "Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
	{SKM_OTP_SHA1, "xaa*80", LARGER_KEY, "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	{SKM_OTP_SHA1, "xaa*80", "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
		"e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
	{SKM_OTP_SHA256, "x0b*20", "Hi There",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{SKM_OTP_SHA256, "Jefe", "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{SKM_OTP_SHA256, "xaa*20", "xdd*50",
		"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{SKM_OTP_SHA256, "1..25", "xcd*50",
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{SKM_OTP_SHA256, "xaa*131", LARGER_KEY,
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{SKM_OTP_SHA256, "xaa*131", LARGER_BOTH,
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	{SKM_OTP_SHA512, "x0b*20", "Hi There",
		"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
		"be9d914eeb61f1702e696c203a126854"},
	{SKM_OTP_SHA512, "Jefe", "what do ya want for nothing?",
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
		"caeab1a34d4a6b4b636e070a38bce737"},
	{SKM_OTP_SHA512, "xaa*20", "xdd*50",
		"fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807"
		"b946a337bee8942674278859e13292fb"},
	{SKM_OTP_SHA512, "1..25", "xcd*50",
		"b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063"
		"a5f19741120c4f2de2adebeb10a298dd"},
	{SKM_OTP_SHA512, "xaa*131", LARGER_KEY,
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52"
		"95e64f73f63f0aec8b915a985d786598"},
	{SKM_OTP_SHA512, "xaa*131", LARGER_BOTH,
		"e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15"
		"134676fb6de0446065c97440fa8c6a58"},
};

Test(hmac, vectors_of_rfc_2202_and_rfc_4231)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(vectors); i++) {
		uint8_t key[256], message[256], mac[SKM_HMAC_BYTES_MAX];
		size_t key_len = fill(vectors[i].key, key), message_len = fill(vectors[i].message, message);
		size_t len = hmac(vectors[i].algorithm, key, key_len, message, message_len, mac);
		cr_assert(len == skm_otp_secret_bytes(vectors[i].algorithm), "vector %zu: length", i);
		char hex[2 * SKM_HMAC_BYTES_MAX + 1];
		for (size_t k = 0; k < len; k++)
			(void)snprintf(hex + 2 * k, 3, "%02x", mac[k]);
		cr_expect(strcmp(hex, vectors[i].mac) == 0, "vector %zu: %s", i, hex);
	}
}

Test(hmac, writes_no_more_than_the_mac)
{
	uint8_t mac[SKM_HMAC_BYTES_MAX];
	memset(mac, 0xa5, sizeof(mac));
	size_t len = hmac(SKM_OTP_SHA1, (const uint8_t *)"k", 1, (const uint8_t *)"m", 1, mac);
	for (size_t i = len; i < sizeof(mac); i++)
		cr_assert(mac[i] == 0xa5);
}

Test(hmac, empty_key_and_empty_message)
{
	uint8_t mac[SKM_HMAC_BYTES_MAX];
	static const uint8_t wanted[] = {0xb6, 0x13, 0x67, 0x9a, 0x08, 0x14, 0xd9, 0xec};
	static const uint8_t nothing[1];
	size_t len = hmac(SKM_OTP_SHA256, nothing, 0, nothing, 0, mac);
	cr_assert(len == 32 && memcmp(mac, wanted, sizeof(wanted)) == 0);
}

Test(hmac, ready_key_is_used_many_times_and_wiped)
{
	static const struct skm_hmac_key wiped;
	for (int algorithm = 0; algorithm < SKM_OTP_ALGORITHM_COUNT_; algorithm++) {
		struct skm_hmac_key key;
		uint8_t first[SKM_HMAC_BYTES_MAX] = {0}, other[SKM_HMAC_BYTES_MAX] = {0},
			again[SKM_HMAC_BYTES_MAX] = {0};
		skm_hmac_key_set(&key, (enum skm_otp_algorithm)algorithm, (const uint8_t *)"Jefe", 4);
		(void)skm_hmac(&key, (const uint8_t *)"one", 3, first);
		(void)skm_hmac(&key, (const uint8_t *)"two", 3, other);
		(void)skm_hmac(&key, (const uint8_t *)"one", 3, again);
		cr_assert(
			memcmp(first, again, sizeof(first)) == 0 && memcmp(first, other, sizeof(first)) != 0);
		skm_hmac_key_clear(&key);
		cr_assert(memcmp(key.state, wiped.state, sizeof(key.state)) == 0);
	}
}
