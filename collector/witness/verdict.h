// SPDX-License-Identifier: Apache-2.0
/* What the proving program said: it is run as it is shipped, and its report is read. */
#ifndef SKM_WITNESS_VERDICT_H
#define SKM_WITNESS_VERDICT_H

#include "heads.h"

struct skm_witness_verdict {
	bool is_complete;
	unsigned exit_code; /* 0, 3, 10 to 21 */
	uint64_t findings[SKM_FINDING_COUNT_];
	uint8_t report_hash[SKM_WITNESS_HASH_BYTES];
};

/* Runs argv[0] with stdout going to `reportfd`; stderr is ours. 0 and what it exited with; -ECHILD when it
 * was killed, -errno when it could not be run. */
SKM_NODISCARD int skm_witness_program_run(char *const *argv, int stdoutfd, int stdinfd, int *ret_exit);

/* Reads a report (sekimori-verify --json) and takes over the heads of chains that nothing serious was found
 * about. 0; -EBADMSG when it is no report, or says another exit status than the program gave. */
SKM_NODISCARD int skm_witness_verdict_read(const char *report, size_t len, int exit_code,
	struct skm_witness_heads *heads, struct skm_witness_verdict *ret_verdict);

#endif
