// SPDX-License-Identifier: Apache-2.0
/* RFC 4226, 5.3: the code of one counter value; RFC 6238, 4: the counter value (time step) of a time. Pure.
 */
#ifndef SKM_OTP_CODE_H
#define SKM_OTP_CODE_H

#include "hmac.h"
#include "sekimori/otp.h"

/* Dynamic truncation, modulo 10^digits (6 to 8; others are taken as the nearer of these). */
uint32_t skm_otp_code(enum skm_otp_algorithm algorithm, const uint8_t *secret, size_t secret_len,
	uint64_t counter, unsigned digits);
/* The same with a key made ready, for many counters. */
uint32_t skm_otp_code_at(const struct skm_hmac_key *key, uint64_t counter, unsigned digits);
/* 0 for times before 1970, and for a period of 0 (a HOTP token has none). */
uint64_t skm_otp_step(int64_t time_sec, unsigned period_sec);

#endif
