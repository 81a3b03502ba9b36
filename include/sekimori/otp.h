// SPDX-License-Identifier: Apache-2.0
/* What a one-time-password token is: RFC 4226 (HOTP) and RFC 6238 (TOTP). Value types shared by authd and the
 * command; the cryptography is in pam_module/authd alone. */
#ifndef SEKIMORI_OTP_H
#define SEKIMORI_OTP_H

#include <stdint.h>

#include "sekimori/result.h"

enum skm_otp_type { SKM_OTP_TOTP, SKM_OTP_HOTP, SKM_OTP_TYPE_COUNT_ };
enum skm_otp_algorithm { SKM_OTP_SHA256, SKM_OTP_SHA512, SKM_OTP_SHA1, SKM_OTP_ALGORITHM_COUNT_ };

#define SKM_OTP_SECRET_BYTES_MIN 16 /* RFC 4226 R6: at least 128 bits */
#define SKM_OTP_SECRET_BYTES_MAX 64
#define SKM_OTP_LABEL_BYTES 65

struct skm_otp_parameters {
	enum skm_otp_type type;
	enum skm_otp_algorithm algorithm;
	uint8_t digits;	    /* 6 or 8 */
	uint8_t period_sec; /* TOTP: 30 or 60; HOTP: 0 */
};

/* 0 or -EINVAL. */
SKM_NODISCARD int skm_otp_parameters_check(const struct skm_otp_parameters *parameters);
/* As otpauth URIs write them: "totp", "SHA256"; never NULL. The reverse takes any case; 0 or -EINVAL. */
const char *skm_otp_type_to_string(enum skm_otp_type type);
const char *skm_otp_algorithm_to_string(enum skm_otp_algorithm algorithm);
SKM_NODISCARD int skm_otp_type_from_string(const char *word, enum skm_otp_type *ret_type);
SKM_NODISCARD int skm_otp_algorithm_from_string(const char *word, enum skm_otp_algorithm *ret_algorithm);
/* The secret's length that fits the algorithm: that of its hash (RFC 6238, 3): 20, 32 or 64. */
size_t skm_otp_secret_bytes(enum skm_otp_algorithm algorithm);

/* ---- base32 (RFC 4648) and otpauth URIs (google-authenticator wiki "Key Uri Format";
 * draft-linuxgemini-otpauth-uri) ---- */

/* Without padding. 0, or -ENOBUFS. */
SKM_NODISCARD int skm_base32_encode(const uint8_t *data, size_t len, char *ret_text, size_t size);
/* Any case; blanks and hyphens between the letters and padding at the end are passed over. 0, -EBADMSG (not
 * base32, cut off within a byte, or leftover bits that are not zero), -ENOBUFS. */
SKM_NODISCARD int skm_base32_decode(const char *text, uint8_t *ret_data, size_t size, size_t *ret_len);

struct skm_otpauth {
	struct skm_otp_parameters parameters;
	char issuer[SKM_OTP_LABEL_BYTES], account[129]; /* decoded; issuer may be "" */
	uint8_t secret[SKM_OTP_SECRET_BYTES_MAX];
	size_t secret_len;
	uint64_t counter; /* HOTP */
};
#define SKM_OTPAUTH_BYTES 1024
/* Always writes issuer (as prefix and as parameter, unless it is ""), algorithm, digits, and period or
 * counter; percent-encodes all that is not unreserved (RFC 3986). 0; -EINVAL (also for names with a colon,
 * which divides issuer and account, with control characters, or not in UTF-8); -ENOBUFS, never with
 * SKM_OTPAUTH_BYTES. */
SKM_NODISCARD int skm_otpauth_format(const struct skm_otpauth *otpauth, char *ret_uri, size_t size);
/* Takes what the wiki allows; absent parameters get the wiki's defaults (SHA1, 6, 30), unknown ones are
 * passed over, and an issuer in the parameter goes before one in the label. 0; -EBADMSG for what is no such
 * URI (also a parameter twice, no secret, HOTP without counter); -ENOTSUP for what we do not do (digits 7,
 * period 15, MD5, steam, names longer than the fields); -ERANGE for a secret that is too short or long. */
SKM_NODISCARD int skm_otpauth_parse(const char *uri, struct skm_otpauth *ret_otpauth);

#endif
