// SPDX-License-Identifier: Apache-2.0
/* Strict parsing of what people write: the whole string or nothing. All return 0 or -EINVAL (not of that
 * form), -ERANGE (out of the given bounds). */
#ifndef SEKIMORI_PARSE_H
#define SEKIMORI_PARSE_H

#include <stdint.h>

#include "sekimori/result.h"

/* Decimal digits only, no sign, no space. */
SKM_NODISCARD int skm_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
/* "512", "4K", "16M", "1G" (powers of 1024). */
SKM_NODISCARD int skm_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes);
/* "250ms", "30s", "10min", "2h", "1d"; a unit is required. Result and bounds in milliseconds. */
SKM_NODISCARD int skm_parse_duration_ms(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ret_ms);
/* "2026-12-31" -> UNIX time of the following local midnight (the date is the last day that counts). -EINVAL
 * for days that do not exist. */
SKM_NODISCARD int skm_parse_last_day(const char *text, int64_t *ret_end_sec);
/* RFC 3339 or "YYYY-MM-DD" or "YYYY-MM-DD HH:MM[:SS]" in local time, or "today", "yesterday", "-2h" before
 * now. */
SKM_NODISCARD int skm_parse_point_in_time(const char *text, int64_t now_sec, int64_t *ret_sec);

#endif
