// SPDX-License-Identifier: Apache-2.0
/* Parameters of tokens, base32, and the URIs that carry both to an app. liboath's base32 was rejected (it
 * skips what it does not know), a general URI library too: of a URI's grammar this needs a path, a query and
 * percent signs, and what it takes must be exactly what the verification can do. */
#include "sekimori/otp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"

static const char *const type_words[] = {[SKM_OTP_TOTP] = "totp", [SKM_OTP_HOTP] = "hotp"};
static const char *const algorithm_words[] = {
	[SKM_OTP_SHA256] = "SHA256", [SKM_OTP_SHA512] = "SHA512", [SKM_OTP_SHA1] = "SHA1"};
_Static_assert(SKM_ARRAY_SIZE(type_words) == SKM_OTP_TYPE_COUNT_, "a word for each type");
_Static_assert(SKM_ARRAY_SIZE(algorithm_words) == SKM_OTP_ALGORITHM_COUNT_, "a word for each algorithm");

int skm_otp_parameters_check(const struct skm_otp_parameters *parameters)
{
	if ((unsigned)parameters->algorithm >= SKM_OTP_ALGORITHM_COUNT_ ||
		(parameters->digits != 6 && parameters->digits != 8))
		return -EINVAL;
	if (parameters->type == SKM_OTP_HOTP)
		return parameters->period_sec == 0 ? 0 : -EINVAL;
	bool is_period = parameters->period_sec == 30 || parameters->period_sec == 60;
	return parameters->type == SKM_OTP_TOTP && is_period ? 0 : -EINVAL;
}

const char *skm_otp_type_to_string(enum skm_otp_type type)
{
	return (unsigned)type < SKM_OTP_TYPE_COUNT_ ? type_words[type] : "unknown";
}

const char *skm_otp_algorithm_to_string(enum skm_otp_algorithm algorithm)
{
	return (unsigned)algorithm < SKM_OTP_ALGORITHM_COUNT_ ? algorithm_words[algorithm] : "unknown";
}

int skm_otp_type_from_string(const char *word, enum skm_otp_type *ret_type)
{
	for (unsigned i = 0; i < SKM_OTP_TYPE_COUNT_; i++) {
		if (strcasecmp(word, type_words[i]) == 0) {
			*ret_type = (enum skm_otp_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

int skm_otp_algorithm_from_string(const char *word, enum skm_otp_algorithm *ret_algorithm)
{
	for (unsigned i = 0; i < SKM_OTP_ALGORITHM_COUNT_; i++) {
		if (strcasecmp(word, algorithm_words[i]) == 0) {
			*ret_algorithm = (enum skm_otp_algorithm)i;
			return 0;
		}
	}
	return -EINVAL;
}

size_t skm_otp_secret_bytes(enum skm_otp_algorithm algorithm)
{
	static const size_t lengths[] = {[SKM_OTP_SHA256] = 32, [SKM_OTP_SHA512] = 64, [SKM_OTP_SHA1] = 20};
	return lengths[(unsigned)algorithm < SKM_OTP_ALGORITHM_COUNT_ ? algorithm : SKM_OTP_SHA256];
}

/* ---- base32 ---- */

#define LETTER_BITS 5
#define PADDING_MAX 6 /* RFC 4648, 6: one byte is two letters and six signs of padding */

int skm_base32_encode(const uint8_t *data, size_t len, char *ret_text, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	size_t text_len = len / 5 * 8 + (len % 5 * 8 + LETTER_BITS - 1) / LETTER_BITS;
	if (size <= text_len)
		return -ENOBUFS;
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (bit_count += 8; bit_count >= LETTER_BITS; bit_count -= LETTER_BITS)
			ret_text[used++] = letters[bits >> (bit_count - LETTER_BITS) & 0x1f];
	}
	if (bit_count > 0)
		ret_text[used++] = letters[bits << (LETTER_BITS - bit_count) & 0x1f];
	ret_text[used] = '\0';
	return 0;
}

/* -1 when it is no letter of the alphabet. */
static int base32_value(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a';
	return letter >= '2' && letter <= '7' ? letter - '2' + 26 : -1;
}

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == '-';
}

/* Checks the whole text before a byte is written, so that the output is untouched on failure. */
static int base32_check(const char *text, size_t *ret_len)
{
	size_t letters = 0, padding = 0;
	int last = 0;
	for (; *text != '\0'; text++) {
		if (is_separator(*text))
			continue;
		if (*text == '=') {
			padding++;
			continue;
		}
		last = base32_value(*text);
		if (last < 0 || padding > 0)
			return -EBADMSG;
		letters++;
	}
	unsigned leftover = (unsigned)(letters * LETTER_BITS % 8);
	bool is_cut = leftover >= LETTER_BITS; /* the last letter added no byte */
	if (is_cut || padding > PADDING_MAX || ((unsigned)last & ((1u << leftover) - 1)) != 0)
		return -EBADMSG;
	*ret_len = letters / 8 * LETTER_BITS + letters % 8 * LETTER_BITS / 8;
	return 0;
}

int skm_base32_decode(const char *text, uint8_t *ret_data, size_t size, size_t *ret_len)
{
	size_t len = 0;
	int r = base32_check(text, &len);
	if (r < 0)
		return r;
	if (len > size)
		return -ENOBUFS;
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t used = 0;
	for (; *text != '\0' && used < len; text++) {
		int value = base32_value(*text);
		if (value < 0)
			continue;
		bits = bits << LETTER_BITS | (uint32_t)value;
		bit_count += LETTER_BITS;
		if (bit_count >= 8) {
			bit_count -= 8;
			ret_data[used++] = (uint8_t)(bits >> bit_count);
		}
	}
	*ret_len = len;
	return 0;
}

/* ---- otpauth URIs ---- */

#define SCHEME "otpauth://"
/* Letters of the longest secret, with room for what is passed over between them. */
#define VALUE_BYTES 512

/* Shown to people and written into records: UTF-8 without control characters. The colon divides issuer and
 * account and can be in neither. */
static bool is_name(const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (len >= size || !skm_utf8_is_valid(text, len) || strchr(text, ':'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool is_c1 = c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
		if (c < 0x20 || c == 0x7f || is_c1)
			return false;
	}
	return true;
}

struct writer {
	char text[SKM_OTPAUTH_BYTES];
	size_t len;
};

static void put(struct writer *writer, const char *text)
{
	size_t len = strlen(text);
	memcpy(writer->text + writer->len, text, len + 1);
	writer->len += len;
}

static void put_encoded(struct writer *writer, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	for (; *text != '\0'; text++) {
		char piece[4] = {*text, '\0'};
		if (!strchr(unreserved, *text))
			(void)snprintf(piece, sizeof(piece), "%%%02X", (unsigned)(unsigned char)*text);
		put(writer, piece);
	}
}

#define BASE32_SECRET_BYTES ((SKM_OTP_SECRET_BYTES_MAX * 8 + LETTER_BITS - 1) / LETTER_BITS + 1)
#define PLAIN_BYTES                         \
	sizeof("otpauth://totp/"            \
	       ":"                          \
	       "?secret="                   \
	       "&issuer="                   \
	       "&algorithm=SHA256&digits=6" \
	       "&counter=18446744073709551615")
_Static_assert(
	PLAIN_BYTES + BASE32_SECRET_BYTES + (size_t)3 * (2 * SKM_OTP_LABEL_BYTES + 129) <= SKM_OTPAUTH_BYTES,
	"the longest URI, every byte of its names encoded, fits");

static bool otpauth_is_sound(const struct skm_otpauth *otpauth)
{
	return skm_otp_parameters_check(&otpauth->parameters) == 0 &&
	       otpauth->secret_len >= SKM_OTP_SECRET_BYTES_MIN &&
	       otpauth->secret_len <= SKM_OTP_SECRET_BYTES_MAX &&
	       is_name(otpauth->issuer, sizeof(otpauth->issuer)) &&
	       is_name(otpauth->account, sizeof(otpauth->account)) && otpauth->account[0] != '\0' &&
	       otpauth->account[0] != ' '; /* blanks before it belong to the colon */
}

static void otpauth_write(const struct skm_otpauth *otpauth, struct writer *writer)
{
	const struct skm_otp_parameters *parameters = &otpauth->parameters;
	char secret[BASE32_SECRET_BYTES], number[64];
	put(writer, SCHEME);
	put(writer, skm_otp_type_to_string(parameters->type));
	put(writer, "/");
	if (otpauth->issuer[0] != '\0') {
		put_encoded(writer, otpauth->issuer);
		put(writer, ":");
	}
	put_encoded(writer, otpauth->account);
	put(writer, "?secret=");
	if (skm_base32_encode(otpauth->secret, otpauth->secret_len, secret, sizeof(secret)) == 0)
		put(writer, secret); /* never longer than the bound that its buffer was made for */
	if (otpauth->issuer[0] != '\0') {
		put(writer, "&issuer=");
		put_encoded(writer, otpauth->issuer);
	}
	put(writer, "&algorithm=");
	put(writer, skm_otp_algorithm_to_string(parameters->algorithm));
	if (parameters->type == SKM_OTP_HOTP)
		(void)snprintf(number, sizeof(number), "&digits=%u&counter=%llu", parameters->digits,
			(unsigned long long)otpauth->counter);
	else
		(void)snprintf(number, sizeof(number), "&digits=%u&period=%u", parameters->digits,
			parameters->period_sec);
	put(writer, number);
	explicit_bzero(secret, sizeof(secret));
}

int skm_otpauth_format(const struct skm_otpauth *otpauth, char *ret_uri, size_t size)
{
	if (!otpauth_is_sound(otpauth))
		return -EINVAL;
	struct writer writer = {0};
	otpauth_write(otpauth, &writer);
	int r = -ENOBUFS;
	if (writer.len < size) {
		memcpy(ret_uri, writer.text, writer.len + 1);
		r = 0;
	}
	explicit_bzero(&writer, sizeof(writer));
	return r;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Decodes len bytes. A "+" stays one: it means a blank in HTML forms, not in URIs. 0; -EBADMSG; -ENOTSUP when
 * it is longer than we keep. */
static int percent_decode(const char *text, size_t len, char *ret_text, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			int high = len - i > 2 ? hex_value(text[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text[i + 2]) : -1;
			if (low < 0 || (high == 0 && low == 0))
				return -EBADMSG;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (used + 1 >= size)
			return -ENOTSUP;
		ret_text[used++] = c;
	}
	ret_text[used] = '\0';
	return 0;
}

/* Copies a decoded name. */
static int take_name(const char *text, char *ret_name, size_t size)
{
	size_t len = strlen(text);
	if (!is_name(text, len + 1))
		return -EBADMSG;
	if (len >= size)
		return -ENOTSUP;
	memcpy(ret_name, text, len + 1);
	return 0;
}

/* issuer ":" blanks account, or account alone; the colon may be encoded. */
static int parse_label(const char *text, size_t len, struct skm_otpauth *otpauth)
{
	char label[VALUE_BYTES];
	int r = percent_decode(text, len, label, sizeof(label));
	if (r < 0)
		return r;
	char *account = label;
	char *colon = strchr(label, ':');
	if (colon) {
		*colon = '\0';
		account = colon + 1;
		if (colon == label)
			return -EBADMSG;
		r = take_name(label, otpauth->issuer, sizeof(otpauth->issuer));
		if (r < 0)
			return r;
	}
	account += strspn(account, " ");
	if (*account == '\0')
		return -EBADMSG;
	return take_name(account, otpauth->account, sizeof(otpauth->account));
}

enum parameter { SECRET, ISSUER, ALGORITHM, DIGITS, PERIOD, COUNTER, PARAMETER_COUNT_ };
static const char *const parameter_words[] = {"secret", "issuer", "algorithm", "digits", "period", "counter"};
_Static_assert(SKM_ARRAY_SIZE(parameter_words) == PARAMETER_COUNT_, "a word for each parameter");

static int take_secret(const char *value, struct skm_otpauth *otpauth)
{
	int r = skm_base32_decode(value, otpauth->secret, sizeof(otpauth->secret), &otpauth->secret_len);
	if (r == -ENOBUFS)
		return -ERANGE;
	if (r < 0)
		return r;
	return otpauth->secret_len < SKM_OTP_SECRET_BYTES_MIN ? -ERANGE : 0;
}

/* A number that is none is -EBADMSG; one that we do not do is found by the check of the whole. */
static int take_small(const char *value, uint8_t *ret_number)
{
	uint64_t number = 0;
	int r = skm_parse_uint(value, 0, UINT8_MAX, &number);
	if (r < 0)
		return r == -ERANGE ? -ENOTSUP : -EBADMSG;
	*ret_number = (uint8_t)number;
	return 0;
}

static int take_parameter(enum parameter parameter, const char *value, struct skm_otpauth *otpauth)
{
	switch (parameter) {
	case SECRET:
		return take_secret(value, otpauth);
	case ISSUER: /* an empty one takes nothing away from the label */
		return *value == '\0' ? 0 : take_name(value, otpauth->issuer, sizeof(otpauth->issuer));
	case ALGORITHM:
		return skm_otp_algorithm_from_string(value, &otpauth->parameters.algorithm) < 0 ? -ENOTSUP
												: 0;
	case DIGITS:
		return take_small(value, &otpauth->parameters.digits);
	case PERIOD: /* one on a HOTP token, or a counter on a TOTP token, says nothing */
		return otpauth->parameters.type == SKM_OTP_TOTP
			       ? take_small(value, &otpauth->parameters.period_sec)
			       : 0;
	case COUNTER:
		if (otpauth->parameters.type == SKM_OTP_TOTP)
			return 0;
		return skm_parse_uint(value, 0, UINT64_MAX, &otpauth->counter) < 0 ? -EBADMSG : 0;
	case PARAMETER_COUNT_:
		break;
	}
	return 0;
}

/* One name=value of the query. Names that are not ours are passed over ("image"). */
static int parse_parameter(const char *text, size_t len, struct skm_otpauth *otpauth, unsigned *seen)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;
	unsigned parameter = 0;
	while (parameter < PARAMETER_COUNT_ &&
		(strlen(parameter_words[parameter]) != name_len ||
			strncasecmp(parameter_words[parameter], text, name_len) != 0))
		parameter++;
	if (parameter == PARAMETER_COUNT_)
		return 0;
	if (!equals || (*seen & 1u << parameter) != 0) /* twice: which one did the writer mean? */
		return -EBADMSG;
	*seen |= 1u << parameter;
	char value[VALUE_BYTES];
	int r = percent_decode(equals + 1, len - name_len - 1, value, sizeof(value));
	if (r == -ENOTSUP && parameter == SECRET)
		r = -ERANGE;
	if (r == 0)
		r = take_parameter((enum parameter)parameter, value, otpauth);
	explicit_bzero(value, sizeof(value));
	return r;
}

static int parse_query(const char *query, struct skm_otpauth *otpauth)
{
	unsigned seen = 0;
	while (*query != '\0') {
		size_t len = strcspn(query, "&");
		int r = parse_parameter(query, len, otpauth, &seen);
		if (r < 0)
			return r;
		query += len + (query[len] == '&');
	}
	bool is_hotp = otpauth->parameters.type == SKM_OTP_HOTP;
	if (!(seen & 1u << SECRET) || (is_hotp && !(seen & 1u << COUNTER)))
		return -EBADMSG;
	return skm_otp_parameters_check(&otpauth->parameters) < 0 ? -ENOTSUP : 0;
}

static int parse_uri(const char *uri, struct skm_otpauth *otpauth)
{
	if (strncasecmp(uri, SCHEME, strlen(SCHEME)) != 0 || strchr(uri, '#'))
		return -EBADMSG;
	uri += strlen(SCHEME);
	size_t type_len = strcspn(uri, "/?");
	if (type_len == 0 || uri[type_len] != '/')
		return -EBADMSG;
	char type[8];
	int r = percent_decode(uri, type_len, type, sizeof(type));
	if (r < 0)
		return r;
	if (skm_otp_type_from_string(type, &otpauth->parameters.type) < 0)
		return -ENOTSUP;
	if (otpauth->parameters.type == SKM_OTP_TOTP)
		otpauth->parameters.period_sec = 30;
	const char *label = uri + type_len + 1;
	size_t label_len = strcspn(label, "?");
	if (label[label_len] != '?')
		return -EBADMSG;
	r = parse_label(label, label_len, otpauth);
	return r < 0 ? r : parse_query(label + label_len + 1, otpauth);
}

int skm_otpauth_parse(const char *uri, struct skm_otpauth *ret_otpauth)
{
	struct skm_otpauth otpauth = {.parameters = {.algorithm = SKM_OTP_SHA1, .digits = 6}};
	int r = parse_uri(uri, &otpauth);
	if (r == 0)
		*ret_otpauth = otpauth;
	explicit_bzero(&otpauth, sizeof(otpauth));
	return r;
}
