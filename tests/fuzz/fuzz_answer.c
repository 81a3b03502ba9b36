// SPDX-License-Identifier: Apache-2.0
/* Any bytes as an answer: what is read, written out plainly and read again, is the same. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_again(const struct skm_answer *answer, const char *plain)
{
	struct skm_answer again;
	skm_answer_parse(plain, strlen(plain), &again);
	demand(again.kind == answer->kind && again.digits == answer->digits && again.code == answer->code);
	demand(again.number == answer->number && strcmp(again.letters, answer->letters) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_answer answer;
	char plain[64];
	memset(&answer, 0xa5, sizeof(answer));
	skm_answer_parse((const char *)data, size, &answer);
	if (answer.kind == SKM_ANSWER_CODE) {
		demand(answer.digits == 6 || answer.digits == 8);
		demand(answer.code < (answer.digits == 6 ? 1000000u : 100000000u));
		demand(answer.number == 0 && answer.letters[0] == '\0');
		(void)snprintf(plain, sizeof(plain), "%0*u", answer.digits, answer.code);
		check_again(&answer, plain);
	} else if (answer.kind == SKM_ANSWER_RECOVERY) {
		demand(answer.number <= 99 && answer.digits == 0 && answer.code == 0);
		demand(strlen(answer.letters) == SKM_RECOVERY_LETTERS);
		demand(strspn(answer.letters, SKM_RECOVERY_ALPHABET) == SKM_RECOVERY_LETTERS);
		(void)snprintf(plain, sizeof(plain), "%u-%s", answer.number, answer.letters);
		check_again(&answer, plain);
	} else {
		demand(answer.kind == SKM_ANSWER_MALFORMED);
		demand(answer.digits == 0 && answer.code == 0 && answer.number == 0 &&
			answer.letters[0] == '\0');
	}
	return 0;
}
