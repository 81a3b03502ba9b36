// SPDX-License-Identifier: Apache-2.0
/* Lets the verifier judge lines, and keeps what it said. */
#ifndef SKM_TEST_VERDICTS_H
#define SKM_TEST_VERDICTS_H

#include "sample_chain.h"
#include "sekimori/verify.h"

#define VERDICTS_MAX 64
struct verdicts {
	struct skm_finding findings[VERDICTS_MAX];
	size_t count;			   /* all; the first VERDICTS_MAX are kept */
	struct skm_verification chain;	   /* the first */
	struct skm_verification others[3]; /* further ones */
	size_t chains;
	bool is_complete; /* the first chain; nothing is homeless */
	uint64_t until;
	char ranges[256]; /* "1-10 12-20" of the first chain */
	uint64_t homeless;
};

struct judging {
	const struct sample_chain *key_of;   /* its K_1 is given; NULL = none */
	const struct sample_chain *key_of_2; /* and this one's */
	const struct skm_watermark *watermarks;
	size_t watermark_count;
	bool may_begin_late, is_mixed, is_last_torn, has_until;
	int64_t until_usec;
	const size_t
		*file_ends; /* line counts after which another file begins, 0 at the end; NULL = one file */
};

void judge_lines(
	const struct sample_lines *lines, const struct judging *judging, struct verdicts *ret_verdicts);
/* Bytes as a reader of files cuts them. */
void judge_bytes(const char *text, size_t len, const struct judging *judging, struct verdicts *ret_verdicts);
/* Exactly these, in order: "EDIT:link:5-5 GAP:missing:7-9". Empty: none. */
void expect_findings(const struct verdicts *verdicts, const char *expected);
#endif
